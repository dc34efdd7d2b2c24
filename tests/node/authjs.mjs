// NextAuth 4 and Auth.js 5 behind lines of JSON: their tokens, their session endpoints and their adapters.
//
//   node authjs.mjs [redis://…] [mongodb://…] [postgres://…, mysql://… or sqlite:/…]
//
//   {"version":4,"now":1767225600123,"encode":{"token":{},"secret":"…","salt":""}}         {"value":"eyJ…"}
//   {"version":5,"now":…,"decode":{"token":"eyJ…","secret":["…"],"salt":"…"}}              {"value":{}} or {"error":"…"}
//   {"version":4,"now":…,"session":{"cookie":"a=b","secret":"…","options":{}}}             {"value":{"body":{},"cookies":[]}}
//   {"version":5,"now":…,"get_token":{"cookie":"a=b","bearer":"eyJ…","secret":"…"}}        {"value":{}}
//   {"craft":{"header":{"alg":"dir","enc":"A256GCM"},"key":"hex","text":"{}"}}             {"value":"eyJ…"}
//   {"matcher":"/a/:path*","paths":["/a/b"]}                                               {"value":[true]}
//   {"read":["/a/../b"]}                                                                   {"value":[["/b"]]}
//   {"now":…,"adapter":"upstash","calls":[["createSession",{…}]]}                          {"value":[…]}
//
// `now` is what the packages see as the time. Dates in arguments of an adapter are `{"$date":ms}`.

import { createRequire } from "node:module";
import { posix } from "node:path";
import { createInterface } from "node:readline";
import { Auth } from "@auth/core";
import * as jwt5 from "@auth/core/jwt";
import { MongoDBAdapter } from "@auth/mongodb-adapter";
import { UpstashRedisAdapter } from "@auth/upstash-redis-adapter";
import { MongoClient } from "mongodb";
import { pathToRegexp } from "path-to-regexp-6";
import { createClient } from "redis";
import { drizzle, pg } from "./authjs_tables.mjs";

const require = createRequire(import.meta.url);
const jwt4 = require("next-auth/jwt");
const inside = createRequire(require.resolve("next-auth/jwt"));
// The package does not export its handler, which `getServerSession` calls.
const { AuthHandler } = inside("../core/index.js");
const { CompactEncrypt } = inside("jose");

let pinned;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length || pinned === undefined ? given : [pinned]));
  }
  static now() {
    return pinned ?? RealDate.now();
  }
};

const [redisUrl, mongoUrl, sqlUrl] = process.argv.slice(2);

// The client of Upstash speaks to a REST service. It stores texts as they are and everything else as JSON, and parses
// what it reads.
async function upstash(options) {
  const redis = await createClient({ url: redisUrl }).connect();
  const parsed = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  const client = {
    get: async (key) => parsed(await redis.get(key)),
    set: (key, value) => redis.set(key, typeof value === "string" ? value : JSON.stringify(value)),
    del: (...keys) => redis.del(keys.map(String)),
  };
  return UpstashRedisAdapter(client, options);
}

const makers = {
  upstash: () => upstash(),
  "upstash with prefixes": () =>
    upstash({ baseKeyPrefix: "app:", sessionKeyPrefix: "sessions:", userKeyPrefix: "users:" }),
  mongodb: async () => MongoDBAdapter(new MongoClient(mongoUrl), { databaseName: "logins" }),
  pg: () => pg(sqlUrl),
  drizzle: () => drizzle(sqlUrl),
};
const adapters = {};

const revived = (value) =>
  value && typeof value === "object"
    ? "$date" in value
      ? new Date(value.$date)
      : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revived(inner)]))
    : value;

// The handlers set the cookies of their forms with every answer.
const ofSession = (cookies) => cookies.filter((cookie) => /^[^=]*session-token/.test(cookie));

const cookiesOf = (header) => Object.fromEntries(header.split("; ").map((pair) => pair.split(/=(.*)/s, 2)));

async function session4({ cookie, secret, options, adapter }) {
  const cookies = cookiesOf(cookie);
  const site = adapter ? { adapter, ...options, session: { strategy: "database", ...options.session } } : options;
  const { body, cookies: set } = await AuthHandler({
    req: { action: "session", method: "GET", cookies, headers: {}, query: {} },
    options: { providers: [], secret, logger: { error() {}, warn() {}, debug() {} }, ...site },
  });
  const { serialize } = inside("cookie");
  const lines = (set ?? []).map(({ name, value, options }) => serialize(name, value, options));
  return { body: Object.keys(body).length ? body : null, cookies: ofSession(lines) };
}

async function session5({ cookie, secret, options, adapter }) {
  const site = adapter ? { adapter, ...options, session: { strategy: "database", ...options.session } } : options;
  const request = new Request("http://localhost/auth/session", { headers: { cookie } });
  const logger = { error() {}, warn() {}, debug() {} };
  const response = await Auth(request, { providers: [], secret, trustHost: true, basePath: "/auth", logger, ...site });
  return { body: await response.json(), cookies: ofSession(response.headers.getSetCookie()) };
}

// The paths for which servers take this one: those of the URLs of WHATWG, of whoever decodes them then, and of whoever
// decodes first, as nginx does. A path that cannot be decoded has no further ones.
function read(path) {
  const resolved = [new URL(`http://localhost${path}`).pathname];
  // The base counts for what does not begin with two slashes, after which there is a host.
  if (URL.canParse(path, "http://localhost")) resolved.push(new URL(path, "http://localhost").pathname);
  try {
    const decoded = [...resolved, path].map(decodeURIComponent);
    return [...resolved, ...decoded, ...decoded.map((text) => posix.normalize(text))];
  } catch {
    return resolved;
  }
}

/** What `getToken` of a site on http answers. */
function getToken(version, { cookie, bearer, secret }) {
  const headers = { cookie, authorization: bearer && `Bearer ${bearer}` };
  // Next.js gives next-auth 4 a request with the cookies.
  const request = { headers: version === 4 ? headers : new Headers(headers), cookies: cookiesOf(cookie) };
  return (version === 4 ? jwt4 : jwt5).getToken({ req: request, secret, secureCookie: false });
}

async function answer(request) {
  const { version, now, encode, decode, session, get_token, craft, matcher, paths, adapter, calls } = request;
  pinned = now;
  const jwt = version === 4 ? jwt4 : jwt5;
  if (encode) return jwt.encode(encode);
  if (decode) return jwt.decode(decode);
  if (session) {
    const store = adapter && (adapters[adapter] ??= await makers[adapter]());
    return (version === 4 ? session4 : session5)({ ...session, adapter: store });
  }
  if (get_token) return getToken(version, get_token);
  if (craft) {
    const text = new TextEncoder().encode(craft.text);
    return new CompactEncrypt(text).setProtectedHeader(craft.header).encrypt(Buffer.from(craft.key, "hex"));
  }
  if (request.read) return request.read.map(read);
  if (matcher) {
    // Next.js compiles a matcher so, and uses the source without flags.
    const expression = new RegExp(pathToRegexp(matcher, [], { delimiter: "/", sensitive: false }).source);
    return paths.map((path) => expression.test(path));
  }
  const store = (adapters[adapter] ??= await makers[adapter]());
  const answers = [];
  for (const [name, ...given] of calls) answers.push((await store[name](...given.map(revived))) ?? null);
  return answers;
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const answered = await answer(JSON.parse(line)).then(
    (value) => ({ value: value ?? null }),
    (error) => ({ error: String(error?.code ?? error?.message ?? error) }),
  );
  pinned = undefined;
  console.log(JSON.stringify(answered));
}
process.exit();
