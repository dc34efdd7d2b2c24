// iron-session, cookie-session, koa-session and better-auth, behind lines of JSON.
//
//   node seals.mjs [--redis redis://127.0.0.1:6379] [--sql postgres://…, mysql://… or sqlite:/…]
//
// Prints {"ready":true}. Each line names a package and the time that it sees, in milliseconds:
//
//   {"package":"iron-session","now_ms":1,"options":{"cookieName":"a","password":"…"},"cookie":"a=…","set":{"user":1}}
//   {"package":"cookie-session","now_ms":1,"options":{"keys":["k"]},"cookie":"session=…","set":null}
//   {"package":"koa-session","now_ms":1,"keys":["k"],"options":{},"cookie":"koa.sess=…"}
//
// With `"https":true`, cookie-session and koa-session see a request by https.
//
//   {"package":"cookies","now_ms":1,"keys":["k"],"name":"a","cookie":"a=…; a.sig=…","set":"…"}
//
// The answer is the value of the signed cookie, if the package verifies it, and what it sets: {"value":"…","set_cookie":["…"]}.
//
//   {"package":"keygrip","now_ms":1,"keys":["k"],"algorithm":"sha1","encoding":"base64","data":"a=b","signature":"…"}
//
// The answer is the signature of keygrip, and the index of the key that verifies the given one:
// {"signature":"…","index":0}, with -1 for none.
//
// With the others, one request with this cookie is made. The answer is what the session held, as text, and the cookies that were set:
// {"status":200,"session":"{…}","is_new":false,"set_cookie":["…"]}, or {"error":"…"}. `set` replaces members of the
// session, and null ends it.
//
//   {"package":"better-auth","now_ms":1,"options":{"secret":"…"},"do":"sign-up"}     its cookies; `remember` is rememberMe
//   {…,"do":"get-session","cookie":"…"}                   what better-auth answers: {"body":"null" or "{…}","set_cookie":[…]}
//   {…,"do":"sign-out","cookie":"…"}   {…,"do":"revoke-sessions","cookie":"…"}
//   {…,"do":"cache","cookie":"…","strategy":"jwt"}        what getCookieCache reads: {"body":"null" or "{…}"}
//   {…,"do":"rows","token":"…"}                           the row of the session and of its user
//
// Sites of better-auth with equal options are one, and keep their users in memory; with --redis, and `redis` in the line,
// their sessions are in Redis. With --sql, and `sql` in the line, a site has the tables of that database, which it makes.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import cookieSession from "cookie-session";
import Cookies from "cookies";
import { getIronSession } from "iron-session";
import Keygrip from "keygrip";
import Koa from "koa";
import koaSession from "koa-session";

const { values: parameters } = parseArgs({ options: { redis: { type: "string" }, sql: { type: "string" } } });

// The packages see the time of the line.
let nowMs = 0;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [nowMs] : parts));
  }
  static now() {
    return nowMs;
  }
};

let handler;
const server = createServer((request, response) => handler(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

/** Makes one request of `handler`, and returns its cookies beside what it has noted. */
async function request(cookie, noted, ownHandler) {
  handler = ownHandler;
  const headers = cookie ? { cookie } : {};
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
  await response.text();
  return { status: response.status, set_cookie: response.headers.getSetCookie(), ...noted };
}

function change(session, set) {
  for (const [name, value] of Object.entries(set ?? {})) session[name] = value;
}

function ironSession({ options, cookie, set }) {
  const noted = {};
  return request(cookie, noted, async (request, response) => {
    try {
      const session = await getIronSession(request, response, options);
      noted.session = JSON.stringify(session);
      if (set === null) session.destroy();
      else if (set !== undefined) {
        change(session, set);
        await session.save();
      }
    } catch (error) {
      noted.error = String(error?.message);
    }
    response.end();
  });
}

function cookieSessionOf({ options, cookie, set, https }) {
  const noted = {};
  const middleware = cookieSession(options);
  return request(cookie, noted, (request, response) => {
    // Express has this getter, which goes by its setting `trust proxy`.
    if (https) request.protocol = "https";
    middleware(request, response, () => {
      noted.session = JSON.stringify(request.session);
      noted.is_new = request.session.isNew;
      if (set === null) request.session = null;
      else change(request.session, set);
      response.end();
    });
  });
}

const METHODS = ["save", "regenerate", "commit", "manuallyCommit", "toJSON"];

function koaSessionOf({ keys, options, cookie, set, https }) {
  const noted = {};
  const app = new Koa();
  app.keys = keys;
  app.silent = true;
  if (https) Object.defineProperty(app.request, "protocol", { value: "https" });
  app.use(koaSession(options, app));
  app.use((context) => {
    noted.session = JSON.stringify(context.session);
    noted.is_new = context.session.isNew;
    noted.has_methods = METHODS.every((name) => typeof context.session[name] === "function");
    if (set === null) context.session = null;
    else change(context.session, set);
    context.body = "";
  });
  return request(cookie, noted, app.callback());
}

function cookiesOf({ keys, name, cookie, set, options }) {
  const noted = {};
  return request(cookie, noted, (request, response) => {
    try {
      const cookies = new Cookies(request, response, { keys });
      noted.value = cookies.get(name, { signed: true }) ?? null;
      if (set !== undefined) cookies.set(name, set, { signed: true, ...options });
    } catch (error) {
      noted.error = String(error?.message);
    }
    response.end();
  });
}

async function keygrip({ keys, algorithm, encoding, data, signature }) {
  const keygrip = new Keygrip(keys, algorithm, encoding);
  return { signature: keygrip.sign(data), index: keygrip.index(data, signature) };
}

const sites = new Map();

/** The database of better-auth at a URL, as its documentation creates it. */
async function sqlDatabase(url) {
  switch (url.split(":")[0]) {
    case "postgres": {
      const { default: pg } = await import("pg");
      return new pg.Pool({ connectionString: url, max: 2 });
    }
    case "mysql": {
      const { createPool } = await import("mysql2/promise");
      return createPool({ uri: url, connectionLimit: 2, timezone: "Z" });
    }
    default: {
      const { default: Database } = await import("better-sqlite3");
      return new Database(url.slice("sqlite:".length));
    }
  }
}

/** The site of better-auth with these options. It is loaded when it is first asked for, because that takes a while. */
async function site({ options, redis, sql }) {
  const key = JSON.stringify([options, redis, sql]);
  if (!sites.has(key)) {
    const { betterAuth } = await import("better-auth");
    const { memoryAdapter } = await import("better-auth/adapters/memory");
    const tables = { user: [], session: [], account: [], verification: [] };
    const given = {
      baseURL: "http://127.0.0.1:1",
      emailAndPassword: { enabled: true, password: { hash: async (text) => text, verify: async () => true } },
      database: memoryAdapter(tables),
      telemetry: { enabled: false },
      rateLimit: { enabled: false },
      logger: { disabled: true },
      ...options,
    };
    if (redis) {
      const { redisStorage } = await import("@better-auth/redis-storage");
      const { default: Redis } = await import("ioredis");
      given.secondaryStorage = redisStorage({ client: new Redis(parameters.redis) });
    }
    if (sql) {
      const { getMigrations } = await import("better-auth/db/migration");
      given.database = await sqlDatabase(parameters.sql);
      await (await getMigrations(given)).runMigrations();
    }
    sites.set(key, { auth: betterAuth(given), tables });
  }
  return sites.get(key);
}

const PATHS = {
  "sign-up": "sign-up/email",
  "get-session": "get-session",
  "sign-out": "sign-out",
  "revoke-sessions": "revoke-sessions",
};

let users = 0;

async function betterAuthOf(line) {
  if (line.do === "cache") {
    const { getCookieCache } = await import("better-auth/cookies");
    const request = new Request("http://127.0.0.1:1/", { headers: { cookie: line.cookie } });
    const { strategy, options } = line;
    const { secret } = options;
    const version = line.version;
    return { body: JSON.stringify(await getCookieCache(request, { secret, strategy, version, isSecure: false })) };
  }
  const { auth, tables } = await site(line);
  if (line.do === "rows") {
    const session = tables.session.find((row) => row.token === line.token);
    const user = tables.user.find((row) => row.id === session?.userId);
    return { session: session ?? null, user: user ?? null };
  }
  const headers = { "content-type": "application/json", origin: "http://127.0.0.1:1" };
  if (line.cookie) headers.cookie = line.cookie;
  const isGet = line.do === "get-session";
  const body = { name: "Ada", email: `ada${++users}@example.test`, password: "made-up-password", rememberMe: line.remember };
  const response = await auth.handler(
    new Request(`http://127.0.0.1:1/api/auth/${PATHS[line.do]}`, {
      method: isGet ? "GET" : "POST",
      headers,
      body: isGet ? undefined : JSON.stringify(line.do === "sign-up" ? body : {}),
    }),
  );
  return { status: response.status, body: await response.text(), set_cookie: response.headers.getSetCookie() };
}

const packages = {
  "iron-session": ironSession,
  "cookie-session": cookieSessionOf,
  "koa-session": koaSessionOf,
  cookies: cookiesOf,
  keygrip,
  "better-auth": betterAuthOf,
};

console.log(JSON.stringify({ ready: true }));
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text);
  nowMs = line.now_ms;
  const answer = await packages[line.package](line).catch((error) => ({ error: String(error?.stack ?? error) }));
  console.log(JSON.stringify(answer));
}
process.exit();
