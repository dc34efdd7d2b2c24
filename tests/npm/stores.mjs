// Makes each published store of the report, for `NodeStore`: the option `store` says which.
//
// `url` is that of its server, and `name` is a name of its own, for a prefix, a table or a file.

import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import session from "express-session";

const require = createRequire(import.meta.url);

async function redis(client, url) {
  const { createClient } = await import(client);
  return createClient({ url }).on("error", () => {}).connect();
}

async function mongo(connectMongo, driver, { url, name }) {
  const { default: MongoStore } = await import(connectMongo);
  const client = await new (require(driver).MongoClient)(url).connect();
  return MongoStore.create({ client, collectionName: name });
}

const make = {
  "connect-redis": async ({ url, name }) => {
    const { RedisStore } = await import("connect-redis");
    return new RedisStore({ client: await redis("redis", url), prefix: `${name}:` });
  },
  "connect-redis-7": async ({ url, name }) => {
    const { default: RedisStore } = await import("connect-redis-7");
    return new RedisStore({ client: await redis("redis-4", url), prefix: `${name}:` });
  },
  "connect-mongo": (options) => mongo("connect-mongo", "mongodb", options),
  "connect-mongo-5": (options) => mongo("connect-mongo-5", "mongodb-6", options),
  "connect-memcached": async ({ url, name }) => {
    const { default: connectMemcached } = await import("connect-memcached");
    return new (connectMemcached(session))({ hosts: [url], prefix: `${name}:` });
  },
  "connect-pg-simple": async ({ url, name }) => {
    const { default: connectPgSimple } = await import("connect-pg-simple");
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    // A schema of its own: the names of its constraint and its index are the same for every table.
    await pool.query(`CREATE SCHEMA IF NOT EXISTS "${name}"`);
    const Store = connectPgSimple(session);
    return new Store({ pool, schemaName: name, createTableIfMissing: true, pruneSessionInterval: false });
  },
  "connect-session-knex": async ({ url, name }) => {
    const { ConnectSessionKnexStore } = await import("connect-session-knex");
    const { default: knex } = await import("knex");
    const client = knex({ client: "pg", connection: url, pool: { min: 0, max: 2 } });
    return new ConnectSessionKnexStore({ knex: client, tableName: name, createTable: true, cleanupInterval: 0 });
  },
  "express-mysql-session": async ({ url, name }) => {
    const { default: mysqlSession } = await import("express-mysql-session");
    const { hostname: host, port, username: user, pathname } = new URL(url);
    const store = new (mysqlSession(session))({
      host,
      port: Number(port),
      user,
      database: pathname.slice(1),
      connectionLimit: 2,
      clearExpired: false,
      schema: { tableName: name },
    });
    await store.onReady();
    return store;
  },
  "connect-sqlite3": async ({ url, name }) => {
    const { default: connectSqlite3 } = await import("connect-sqlite3");
    const store = new (connectSqlite3(session))({ dir: url, db: `${name}.sqlite` });
    await once(store.client, "connect");
    return store;
  },
  "session-file-store": async ({ url, name }) => {
    const { default: sessionFileStore } = await import("session-file-store");
    const store = new (sessionFileStore(session))({ path: join(url, name), retries: 0, reapInterval: -1 });
    const get = store.get.bind(store);
    // It adds a member to each session that is read, which would hide everything else.
    store.get = (sid, callback) =>
      get(sid, (error, found) => {
        if (found) delete found.__lastAccess;
        callback(error, found);
      });
    return store;
  },
  memorystore: async () => new ((await import("memorystore")).default(session))({}),
  "connect-loki": async ({ url, name }) => {
    const store = new ((await import("connect-loki")).default(session))({ path: join(url, `${name}.db`) });
    await once(store, "connect");
    return store;
  },
  "express-session": async () => new session.MemoryStore(),
  // It is the store of those who name none, and not among the exports.
  "next-session": async () => {
    const { default: MemoryStore } = require(join(dirname(require.resolve("next-session")), "memory-store.cjs"));
    return new MemoryStore();
  },
};

export default ({ options }) => make[options.store](options);
