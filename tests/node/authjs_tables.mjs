// The SQL adapters of Auth.js, each on the tables of its documentation, which it makes first.
//
// `url` is postgres://user@host:port/database, mysql://user@host:port/database or sqlite:/var/lib/app/site.db.

async function postgres(url) {
  const { default: pg } = await import("pg");
  return new pg.Pool({ connectionString: url, max: 2 });
}

async function run(pool, statements) {
  for (const statement of statements) await pool.query(statement);
}

export async function pg(url) {
  const { default: PostgresAdapter } = await import("@auth/pg-adapter");
  const pool = await postgres(url);
  await run(pool, [
    `create table users (id serial primary key, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text)`,
    `create table sessions (id serial primary key, "userId" integer not null, expires timestamptz not null, "sessionToken" varchar(255) not null)`,
    `create table accounts (id serial primary key, "userId" integer not null)`,
  ]);
  return PostgresAdapter(pool);
}

/** The tables of Drizzle, with the types of a database: of a key, of a text, of a date of the user and of the session. */
const drizzleTables = (quote, key, text, date, expiry) => [
  `create table ${quote}user${quote} (id ${key} primary key, name ${text}, email ${text} unique, ${quote}emailVerified${quote} ${date}, image ${text})`,
  `create table ${quote}session${quote} (${quote}sessionToken${quote} ${key} primary key, ${quote}userId${quote} ${key} not null, ` +
    `expires ${expiry} not null, foreign key (${quote}userId${quote}) references ${quote}user${quote}(id) on delete cascade)`,
];

const clients = {
  async postgres(url) {
    const { drizzle } = await import("drizzle-orm/node-postgres");
    const pool = await postgres(url);
    await run(pool, drizzleTables('"', "text", "text", "timestamp", "timestamp"));
    return drizzle(pool);
  },
  async mysql(url) {
    const { drizzle } = await import("drizzle-orm/mysql2");
    const { createPool } = await import("mysql2/promise");
    const pool = createPool({ uri: url, connectionLimit: 2 });
    await run(pool, drizzleTables("`", "varchar(255)", "varchar(255)", "timestamp(3) null", "timestamp"));
    return drizzle(pool);
  },
  async sqlite(url) {
    const { drizzle } = await import("drizzle-orm/better-sqlite3");
    const { default: Database } = await import("better-sqlite3");
    const database = new Database(url.slice("sqlite:".length));
    for (const statement of drizzleTables('"', "text", "text", "integer", "integer")) database.exec(statement);
    return drizzle(database);
  },
};

export async function drizzle(url) {
  const { DrizzleAdapter } = await import("@auth/drizzle-adapter");
  return DrizzleAdapter(await clients[url.split(":")[0]](url));
}
