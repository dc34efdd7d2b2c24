// Which stores and clients `safe` refuses, and what a safe store does while its server is away.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import session from "express-session";
import { safe } from "../../../compat/express/index.mjs";
import { call } from "./site.mjs";

const require = createRequire(import.meta.url);
const { createClient } = await import("redis");
const redis4 = await import("redis-4");
const redis3 = require("redis-3");
const { Redis } = require("ioredis");
const { RedisStore } = await import("connect-redis");
const { default: RedisStore7 } = await import("connect-redis-7");
const { default: connectRedis6 } = await import("connect-redis-6");
const { default: MongoStore } = await import("connect-mongo");
const { default: connectMemcached } = await import("connect-memcached");
const { default: sessionFileStore } = await import("session-file-store");
const { MongoClient } = require("mongodb");
const Memcached = require("memcached");

test("what is not supported is an error that says what is", () => {
  const lazy = { lazyConnect: true };
  const FileStore = sessionFileStore(session);
  const old = redis3.createClient({ host: "127.0.0.1", port: 1, retry_strategy: () => undefined });
  old.on("error", () => {});
  const noWrites = { writeOperationOptions: { w: 0 }, clientPromise: new Promise(() => {}) };
  const oldClient = Object.assign(new Memcached("127.0.0.1:1"), { touch: undefined });
  for (const [make, message] of [
    [() => safe(), /^safe: expected a store, got undefined: pass a store of connect-redis 7 or later, connect-mongo/],
    [() => safe(null), /^safe: expected a store, got null/],
    [() => safe({}), /^safe: Object is not supported: pass a store of connect-redis/],
    [() => safe(new session.MemoryStore()), /^safe: MemoryStore is not supported: pass a store/],
    [() => safe(new FileStore({ logFn() {}, reapInterval: -1, path: "/tmp" })), /^safe: FileStore is not supported/],
    [() => safe(new (connectRedis6(session))({ client: old })), /^safe: connect-redis 6 and older are not supported/],
    [() => safe(new RedisStore7({ client: new Redis(lazy) })), /^safe: connect-redis 7 and 8 do not keep the client/],
    [() => safe(new RedisStore7({ client: new Redis(lazy) }), { client: {} }), /^safe: the client is not supported/],
    [() => safe(new RedisStore({ client: new Redis(lazy) })), /^safe: connect-redis 9 and later do not work/],
    [() => safe(new RedisStore({ client: {} })), /^safe: the client is not supported: pass a client or a cluster of/],
    [() => safe(MongoStore.create(noWrites)), /^safe: the write concern w: 0 is not supported/],
    [() => safe(new (connectMemcached(session))({ client: oldClient })), /^safe: the client has no method touch/],
    [() => safe(new RedisStore({ client: createClient() }), null), /^safe: expected an object of options, got null/],
    [() => safe(new RedisStore({ client: createClient() }), { retries: 1 }), /^safe: unknown option "retries": the/],
    [() => safe(new RedisStore({ client: createClient() }), { deadline: 0 }), /^safe: the option deadline must be a/],
    [() => safe(new RedisStore({ client: createClient() }), { deadline: "5" }), /^safe: the option deadline must be/],
  ]) {
    assert.throws(make, (error) => error instanceof TypeError && message.test(error.message), String(make));
  }
  old.end(false);
});

test("unacknowledged writes, which only the client's URL asks for, are an error of each write", async () => {
  for (const writeOperationOptions of [undefined, {}]) {
    const client = new MongoClient("mongodb://127.0.0.1:1/?w=0");
    const store = safe(MongoStore.create({ client, autoRemove: "disabled", writeOperationOptions }));
    const session = { cookie: { originalMaxAge: null, expires: null } };
    for (const [method, ...values] of [["set", session], ["touch", session], ["destroy"]]) {
      await assert.rejects(call(store, method, "a", ...values), /^TypeError: safe: the write concern w: 0 is not/);
    }
  }
});

test("a store is made safe once, and stays what it was", () => {
  const store = new RedisStore({ client: createClient() });
  const made = safe(store);
  assert.equal(made, store);
  const { get } = store;
  assert.equal(safe(store), store);
  assert.equal(store.get, get);
  assert.ok(store instanceof RedisStore && store instanceof session.Store);
});

test("a client that is down is an error to each callback, once", async () => {
  const logged = (client) => client.on("error", () => {});
  const [url, host] = ["redis://127.0.0.1:1", "127.0.0.1:1"];
  const offline = (create) => {
    const client = logged(create({ url, disableOfflineQueue: true, socket: { reconnectStrategy: false } }));
    client.connect().catch(() => {});
    return client;
  };
  const clients = {
    4: offline(redis4.createClient),
    5: offline(createClient),
    io: logged(new Redis(url, { enableOfflineQueue: false, retryStrategy: () => null })),
  };
  // Its timers would keep this program running.
  const soon = { retry: 100, failuresTimeout: 100 };
  const mongo = new MongoClient(`mongodb://${host}/`, { serverSelectionTimeoutMS: 200 });
  const stores = {
    "connect-redis 10": safe(new RedisStore({ client: clients[5] })),
    "connect-redis 7": safe(new RedisStore7({ client: clients[4] }), { client: clients[4] }),
    "connect-redis 7 with ioredis": safe(new RedisStore7({ client: clients.io }), { client: clients.io }),
    "connect-mongo": safe(MongoStore.create({ client: mongo, autoRemove: "disabled" })),
    "connect-memcached": safe(new (connectMemcached(session))({ hosts: host, retries: 0, timeout: 200, ...soon })),
  };
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(error));
  for (const [name, store] of Object.entries(stores)) {
    const cookie = { originalMaxAge: null, expires: null };
    const known = store.createSession({ sessionID: "known", sessionStore: store }, { cookie, n: 1 });
    known.n = 2;
    const calls = [["get", "a"], ["set", "a", { cookie }], ["set", "known", known], ["touch", "a", { cookie }]];
    for (const values of [...calls, ["destroy", "a"]]) {
      await assert.rejects(call(store, ...values), Error, `${name}: ${values[0]}`);
      store[values[0]](...values.slice(1)); // Without a callback.
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(unhandled, []);
  await mongo.close();
  clients.io.disconnect();
});
