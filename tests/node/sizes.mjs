// Stores sessions of 500 bytes by a real npm store: the Node.js side of `cargo xtask sizes`.
//
//   node sizes.mjs '{"store":"redis-10","url":"redis://..."}'
//
// Prints {"ready":true}. For each number that it reads, it stores that many sessions and prints how many bytes of JSON each
// one has. Half of a session is random, and it lives for a day.

import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import session from "express-session";

const { store: kind, url } = JSON.parse(process.argv[2]);
const [family, version] = kind.split("-");
const { open } = await import(`./stores/${family}.mjs`);
const store = await open[version]({ url, options: {} });

const BYTES = 500;
const AT_ONCE = 64;

function newSession() {
  const value = { cookie: new session.Cookie({ maxAge: 86_400_000 }), token: randomBytes(187).toString("base64url"), page: "" };
  value.page = "x".repeat(BYTES - JSON.stringify(value).length);
  return value;
}

const set = (sid, value) =>
  new Promise((resolve, reject) => store.set(sid, value, (error) => (error ? reject(error) : resolve())));

async function storeSome(count) {
  let left = count;
  const task = async () => {
    while (left-- > 0) await set(randomBytes(24).toString("base64url"), newSession());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, task));
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  await storeSome(Number(line));
  console.log(JSON.stringify(newSession()).length);
}
process.exit();
