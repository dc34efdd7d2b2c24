// The stores that the safe Express package is tested on: each with its own client, and how to read and write its
// records past it.
//
// A variant is opened at a URL. `store()` makes a store, `safe()` one that is safe, each with a client of its own, so
// that they are as far from each other as two processes. `raw.get(sid)` returns the stored text, or null, and
// `raw.set(sid, text)` stores one; both only where the record is a text.

import { createRequire } from "node:module";
import session from "express-session";
import { safe } from "../../../compat/express/index.mjs";

const require = createRequire(import.meta.url);
const logged = (client) => client.on("error", (error) => console.error(String(error)));
const hostOf = (url) => new URL(url).host;

/** Clients of connect-redis, by their names: each is made at a URL. */
const redisClients = {
  "redis-5": async (url) => logged((await import("redis")).createClient({ url })).connect(),
  "redis-5-without-scripts": async (url) => {
    const { createClient } = await import("redis");
    const admin = await logged(createClient({ url })).connect();
    await admin.sendCommand(["ACL", "SETUSER", "app", "on", ">app", "~*", "+@all", "-@scripting"]);
    await admin.close();
    return logged(createClient({ url, username: "app", password: "app" })).connect();
  },
  "redis-5-buffers": async (url) => {
    const { createClient, RESP_TYPES } = await import("redis");
    const commandOptions = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
    return logged(createClient({ url, commandOptions })).connect();
  },
  "redis-5-cluster": async (url) => {
    const { createCluster } = await import("redis");
    const cluster = logged(createCluster({ rootNodes: [{ url: `redis://${hostOf(url)}` }] }));
    await cluster.connect();
    return cluster;
  },
  "redis-4": async (url) => logged((await import("redis-4")).createClient({ url })).connect(),
  "redis-4-cluster": async (url) => {
    const { createCluster } = await import("redis-4");
    const cluster = logged(createCluster({ rootNodes: [{ url: `redis://${hostOf(url)}` }] }));
    await cluster.connect();
    return cluster;
  },
  ioredis: async (url) => logged(new (require("ioredis").Redis)(url)),
  "ioredis-prefix": async (url) => logged(new (require("ioredis").Redis)(url, { keyPrefix: "app:" })),
  "ioredis-cluster": async (url) => logged(new (require("ioredis").Cluster)([`redis://${hostOf(url)}`])),
};

function redis(version, clientName, options = {}) {
  return async (url) => {
    const RedisStore = (await import(version === 7 ? "connect-redis-7" : "connect-redis"))[
      version === 7 ? "default" : "RedisStore"
    ];
    const closing = [];
    const open = async () => {
      const client = await redisClients[clientName](url);
      closing.push(() => client.disconnect());
      return { client, store: new RedisStore({ client, prefix: "test:", ...options }) };
    };
    const { client: raw } = await open();
    return {
      isText: !options.serializer,
      store: async () => (await open()).store,
      safe: async (given = {}) => {
        const { client, store } = await open();
        return safe(store, version === 7 ? { client, ...given } : given);
      },
      raw: {
        async get(sid) {
          const record = await raw.get(`test:${sid}`);
          return record && String(record);
        },
        set: (sid, text) => raw.set(`test:${sid}`, text),
        secondsLeft: (sid) => raw.ttl(`test:${sid}`),
      },
      close: async () => void (await Promise.all(closing.map((close) => close()))),
    };
  };
}

function mongo(version, options = {}) {
  return async (url) => {
    const { MongoClient } = require(version === 5 ? "mongodb-6" : "mongodb");
    const connectMongo = await import(version === 5 ? "connect-mongo-5" : "connect-mongo");
    const { default: MongoStore, createWebCryptoAdapter } = connectMongo;
    const closing = [];
    const open = async () => {
      const client = await new MongoClient(url).connect();
      closing.push(() => client.close());
      const { webcrypto, ...rest } = options;
      if (webcrypto) rest.cryptoAdapter = createWebCryptoAdapter(webcrypto);
      return { client, store: MongoStore.create({ client, ...rest }) };
    };
    const { client } = await open();
    const sessions = client.db().collection("sessions");
    const idOf = options.transformId ?? ((sid) => sid);
    return {
      isText: !(options.stringify === false || options.crypto || options.webcrypto || options.serialize),
      store: async () => (await open()).store,
      safe: async (given) => safe((await open()).store, given),
      raw: {
        get: async (sid) => (await sessions.findOne({ _id: idOf(sid) }))?.session ?? null,
        set: (sid, text) => {
          const fields = { session: text, expires: new Date(Date.now() + 60_000) };
          return sessions.updateOne({ _id: idOf(sid) }, { $set: fields }, { upsert: true });
        },
        secondsLeft: async (sid) => ((await sessions.findOne({ _id: idOf(sid) })).expires - Date.now()) / 1000,
        sessions,
      },
      close: async () => void (await Promise.all(closing.map((close) => close()))),
    };
  };
}

function memcached(options = {}) {
  return async (url) => {
    const { default: connectMemcached } = await import("connect-memcached");
    const Memcached = require("memcached");
    const closing = [];
    // By itself, memcached 2.2 gives up a connection after five seconds, and Kruptein can hold up the whole process for as
    // long. On a busy machine a call was once never answered.
    const patient = { idle: 3_600_000, timeout: 600_000 };
    const open = (others) => {
      const store = new (connectMemcached(session))({ hosts: [hostOf(url)], ...patient, ...options, ...others });
      closing.push(() => store.client.end());
      return store;
    };
    const raw = new Memcached([hostOf(url)], patient);
    closing.push(() => raw.end());
    const key = (sid) => `${options.namespace ?? ""}${options.prefix ?? ""}${sid}`;
    return {
      // Its client parses a record, and so passes on no text.
      isText: false,
      store: async () => open(),
      safe: async (given) => safe(open(), given),
      withSecret: options.secret && ((secret) => open({ secret })),
      raw: {
        get: (sid) =>
          new Promise((resolve, reject) => {
            raw.get(key(sid), (error, value) => {
              if (error) reject(error);
              else resolve(value === undefined ? null : typeof value === "string" ? value : JSON.stringify(value));
            });
          }),
      },
      close: async () => closing.forEach((close) => close()),
    };
  };
}

const SECRET = "a Secret of 2 Lines & 33 signs!?";
/** A serializer as applications have: it marks its texts, and knows dates. */
const dates = {
  parse: (text) => JSON.parse(text.slice(2), (name, value) => (value?.$date ? new Date(value.$date) : value)),
  stringify: (value) =>
    `v1${JSON.stringify(value, function (name, member) {
      return this[name] instanceof Date && name !== "expires" ? { $date: member } : member;
    })}`,
};

/** A serializer to buffers that are not UTF-8, for a client that answers with them. */
const binary = {
  parse: (record) => JSON.parse(record.subarray(1)),
  stringify: (value) => Buffer.concat([Buffer.of(0xff), Buffer.from(JSON.stringify(value))]),
};

export const variants = {
  "connect-redis 7, node-redis 4": redis(7, "redis-4"),
  "connect-redis 7, node-redis 4 cluster": redis(7, "redis-4-cluster"),
  "connect-redis 7, ioredis": redis(7, "ioredis"),
  "connect-redis 7, ioredis with a prefix": redis(7, "ioredis-prefix"),
  "connect-redis 7, ioredis cluster": redis(7, "ioredis-cluster"),
  "connect-redis 10, node-redis 5": redis(10, "redis-5"),
  "connect-redis 10, node-redis 5 cluster": redis(10, "redis-5-cluster"),
  "connect-redis 10, a user without scripts": redis(10, "redis-5-without-scripts"),
  "connect-redis 10, a client that answers with buffers": redis(10, "redis-5-buffers"),
  "connect-redis 10, a serializer to buffers": redis(10, "redis-5-buffers", { serializer: binary }),
  "connect-redis 10, a serializer": redis(10, "redis-5", { serializer: dates }),
  "connect-redis 10, an async serializer": redis(10, "redis-5", {
    serializer: { parse: async (text) => dates.parse(text), stringify: dates.stringify },
  }),
  "connect-mongo 5": mongo(5),
  "connect-mongo 5, stringify: false": mongo(5, { stringify: false }),
  "connect-mongo 6": mongo(6),
  "connect-mongo 6, stringify: false": mongo(6, { stringify: false }),
  "connect-mongo 6, transformId and touchAfter": mongo(6, { transformId: (sid) => `id-${sid}`, touchAfter: 60 }),
  "connect-mongo 6, touchAfter, timestamps and stringify: false": mongo(6, {
    touchAfter: 60,
    timestamps: true,
    stringify: false,
  }),
  "connect-mongo 6, crypto": mongo(6, { crypto: { secret: SECRET } }),
  "connect-mongo 6, crypto and stringify: false": mongo(6, { crypto: { secret: SECRET }, stringify: false }),
  "connect-mongo 6, a crypto adapter": mongo(6, { webcrypto: { secret: SECRET, iterations: 1000 } }),
  "connect-mongo 6, serialize and unserialize": mongo(6, {
    serialize: (value) => Buffer.from(JSON.stringify(value)).toString("base64"),
    unserialize: (text) => JSON.parse(Buffer.from(text, "base64").toString()),
  }),
  "connect-mongo 6, autoRemove: interval": mongo(6, { autoRemove: "interval" }),
  "connect-memcached 3": memcached(),
  "connect-memcached 3, a prefix and a namespace": memcached({ prefix: "p:", namespace: "n:" }),
  "connect-memcached 3, keys that are too long": memcached({ prefix: "p".repeat(240) }),
  "connect-memcached 3, a secret": memcached({ secret: SECRET }),
};
