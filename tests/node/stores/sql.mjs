// The stores that keep sessions in a table of PostgreSQL, MariaDB or SQLite:
//
//   --store sql-pgsimple     postgres://user@host:port/database
//   --store sql-knex         the same, mysql://user@host:port/database, or sqlite:/var/lib/app/sessions.db
//   --store sql-mysql        mysql:                     express-mysql-session
//   --store sql-sqlite3      sqlite:                    connect-sqlite3
//   --store sql-bettersqlite sqlite:                    better-sqlite3-session-store
//   --store sql-sequelize    postgres:, mysql: or sqlite:
//   --store sql-typeorm      postgres:, mysql: or sqlite:, with the entity of its README
//   --store sql-prisma       postgres:                  @quixo3/prisma-session-store
//
// Each makes its table first, as an app that uses it would, and prunes nothing by itself where it can be told so.
// The option `clock` is a time in milliseconds, at which the clock of Node.js then stands still. The option `pool` of
// sql-pgsimple has options of its pool.

import { basename, dirname } from "node:path";
import session from "express-session";

const database = (url) => url.split(":")[0];
const file = (url) => url.slice("sqlite:".length);

// Timers go on; only what `Date` says is fixed.
function stop(clock) {
  if (clock === undefined) return;
  const Real = Date;
  globalThis.Date = class extends Real {
    constructor(...given) {
      super(...(given.length ? given : [clock]));
    }
    static now() {
      return clock;
    }
  };
}

async function pool(url, options) {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({ connectionString: url, max: 2, ...options });
  // Without a listener, an outage of the server would end this program.
  return pool.on("error", (error) => console.error(String(error)));
}

async function pgSimple({ url, options: { pool: limits, ...options } }) {
  const { default: connectPgSimple } = await import("connect-pg-simple");
  const store = new (connectPgSimple(session))({
    pool: await pool(url, limits),
    createTableIfMissing: true,
    pruneSessionInterval: false,
    ...options,
  });
  // The table is made with the first call.
  await new Promise((resolve, reject) => store.get("first", (error) => (error ? reject(error) : resolve())));
  return store;
}

async function knex({ url, options }) {
  const { ConnectSessionKnexStore } = await import("connect-session-knex");
  const { default: knex } = await import("knex");
  const settings = {
    postgres: () => ({ client: "pg", connection: url, pool: { min: 0, max: 2 } }),
    mysql: () => ({ client: "mysql2", connection: url, pool: { min: 0, max: 2 } }),
    sqlite: () => ({ client: "better-sqlite3", connection: { filename: file(url) }, useNullAsDefault: true }),
  };
  const client = knex(settings[database(url)]());
  const store = new ConnectSessionKnexStore({ knex: client, createTable: true, cleanupInterval: 0, ...options });
  await store.length();
  return store;
}

async function mysql({ url, options }) {
  const { default: mysqlSession } = await import("express-mysql-session");
  const { hostname: host, port, username: user, pathname } = new URL(url);
  const server = { host, port: Number(port), user, database: pathname.slice(1), connectionLimit: 2 };
  const store = new (mysqlSession(session))({ ...server, clearExpired: false, ...options });
  await store.onReady();
  return store;
}

async function sqlite3({ url, options }) {
  const { default: connectSqlite3 } = await import("connect-sqlite3");
  const path = file(url);
  const store = new (connectSqlite3(session))({ dir: dirname(path), db: basename(path), ...options });
  await new Promise((resolve) => store.client.once("connect", resolve));
  return store;
}

async function betterSqlite({ url, options }) {
  const { default: betterStore } = await import("better-sqlite3-session-store");
  const { default: Database } = await import("better-sqlite3");
  return new (betterStore(session))({ client: new Database(file(url)), ...options });
}

async function sequelize({ url, options }) {
  const { default: connectSequelize } = await import("connect-session-sequelize");
  const { Sequelize } = await import("sequelize");
  const db =
    database(url) === "sqlite"
      ? new Sequelize({ dialect: "sqlite", storage: file(url), logging: false })
      : new Sequelize(url, { logging: false, pool: { max: 2 } });
  const store = new (connectSequelize(session.Store))({ db, checkExpirationInterval: 0, ...options });
  await store.sync();
  return store;
}

async function typeorm({ url, options }) {
  const { TypeormStore } = (await import("connect-typeorm")).default;
  const { DataSource, EntitySchema } = await import("typeorm");
  const entity = new EntitySchema({
    name: "session",
    columns: {
      expiredAt: { type: "bigint" },
      id: { type: "varchar", length: 255, primary: true },
      json: { type: "text" },
      destroyedAt: { type: database(url) === "postgres" ? "timestamp" : "datetime", deleteDate: true, nullable: true },
    },
    indices: [{ columns: ["expiredAt"] }],
  });
  const where =
    database(url) === "sqlite"
      ? { type: "better-sqlite3", database: file(url) }
      : { type: database(url), url, connectorPackage: "mysql2" };
  const source = await new DataSource({ ...where, entities: [entity], synchronize: true }).initialize();
  const sessions = source.getRepository(entity);
  const store = new TypeormStore({ cleanupLimit: 0, onError: () => {}, ...options }).connect(sessions);
  const destroy = store.destroy.bind(store);
  // It calls back before the row is marked as destroyed.
  store.destroy = (sid, callback) =>
    destroy(sid, async (error) => {
      while (!error && (await sessions.findOneBy({ id: sid }))) await new Promise(setImmediate);
      callback(error);
    });
  return store;
}

async function prisma({ url, options }) {
  const { PrismaSessionStore } = (await import("@quixo3/prisma-session-store")).default;
  const { connect, TABLE } = await import("./prisma_client.mjs");
  const client = connect(url);
  for (const statement of TABLE) await client.$executeRawUnsafe(statement);
  return new PrismaSessionStore(client, { logger: false, ...options });
}

const opened = (make) => async ({ url, options: { clock, ...options } }) => {
  const store = await make({ url, options });
  stop(clock);
  return store;
};

export const open = {
  pgsimple: opened(pgSimple),
  knex: opened(knex),
  mysql: opened(mysql),
  sqlite3: opened(sqlite3),
  bettersqlite: opened(betterSqlite),
  sequelize: opened(sequelize),
  typeorm: opened(typeorm),
  prisma: opened(prisma),
};
