// A real npm store behind lines of JSON, so that a test in Rust can drive it.
//
//   node store.mjs --store redis-6|redis-7|redis-10 --url redis://127.0.0.1:6379 [--options '{"prefix":"app:"}']
//   node store.mjs --store memcached-3 --url memcached://127.0.0.1:11211,127.0.0.1:11212
//
// A family of stores is a file in the folder `stores`; a number alone is a version of connect-redis.
//
// Prints {"ready":true} when it is connected. Then, for each line that it reads, in order, it prints one:
//
//   {"op":"set","sid":"a","session":"{\"n\":1}"}                        {}
//   {"op":"set","sid":"a","session":"{}","cookie":{"maxAge":60000}}     {}
//   {"op":"get","sid":"a"}                                              {"value":"{\"n\":1}"}
//   {"op":"touch","sid":"a","session":"{}"}                             {}
//   {"op":"destroy","sid":"a"}                                          {}
//   {"op":"all"}  {"op":"ids"}  {"op":"length"}  {"op":"clear"}         {"value":"[\"a\"]"}
//   whatever the store calls back with an error for                     {"error":"..."}
//
// `session` is the text of a session, parsed before the store gets it. `cookie`, if given, are options of
// express-session's own Cookie, which becomes the session's member `cookie`.
// `value` is the text of what the store called back with, as JSON.stringify writes it: null for no session.
// What `set`, `touch`, `destroy` and `clear` call back with differs from version to version, and is left out.

import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import session from "express-session";

const { values } = parseArgs({
  options: { store: { type: "string" }, url: { type: "string" }, options: { type: "string", default: "{}" } },
});

async function open() {
  const [family, version] = values.store.includes("-") ? values.store.split("-") : ["redis", values.store];
  const { open } = await import(`./stores/${family}.mjs`);
  return open[version]({ url: values.url, options: JSON.parse(values.options) });
}

function toSession({ session: text = "{}", cookie }) {
  const value = JSON.parse(text);
  if (cookie) value.cookie = new session.Cookie(cookie);
  return value;
}

const argumentsOf = {
  get: ({ sid }) => [sid],
  set: (request) => [request.sid, toSession(request)],
  touch: (request) => [request.sid, toSession(request)],
  destroy: ({ sid }) => [sid],
  all: () => [],
  ids: () => [],
  length: () => [],
  clear: () => [],
};
const answersWithValue = new Set(["get", "all", "ids", "length"]);

function call(store, request) {
  return new Promise((resolve, reject) => {
    store[request.op](...argumentsOf[request.op](request), (error, value) => {
      if (error) reject(error);
      else if (!answersWithValue.has(request.op)) resolve({});
      else resolve({ value: value == null ? null : JSON.stringify(value) });
    });
  });
}

const store = await open();
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await call(store, JSON.parse(line)).catch((error) => ({ error: String(error?.message ?? error) }));
  console.log(JSON.stringify(answer));
}
process.exit();
