// An Express app on a real npm store, and tasks that send it requests at random: the Node.js process of tests/chaos.
//
//   node chaos.mjs '{"process":"n0","tasks":4,"store":"redis-10","url":"redis://...","options":"{}","log":"file"}'
//
// Prints {"ready":true}. The first line that it reads is the plan, see src/plan.rs of tests/chaos: it prints {} and starts
// its tasks, which end at the time of the plan. After a second line it waits for them, and prints {}.
//
// Each call of the store is written to the log, a line when it begins and one when it ends, as src/log.rs of tests/chaos
// reads them. The calls are express-session's own, and every tenth is made without it.

import { appendFileSync } from "node:fs";
import http from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createRequire } from "node:module";
import express from "express";
import session from "express-session";

// npm's memcached runs `ping` before it connects again to a server that failed. Small systems have no `ping`, and the
// error would end this program. The host is this one, which can be reached.
const childProcess = createRequire(import.meta.url)("node:child_process");
const { spawn } = childProcess;
childProcess.spawn = (program, ...rest) =>
  program === "ping" ? spawn("echo", ["PING 127.0.0.1"]) : spawn(program, ...rest);

const { process: name, tasks, store: kind, url, options, log } = JSON.parse(process.argv[2]);
// The one that express-session signs with.
const { sign } = createRequire(createRequire(import.meta.url).resolve("express-session"))("cookie-signature");

const nowUs = () => Number(process.hrtime.bigint() / 1000n);
const write = (line) => appendFileSync(log, JSON.stringify(line) + "\n");

const [family, version] = kind.split("-");
const { open } = await import(`./stores/${family}.mjs`);
const store = await open[version]({ url, options: JSON.parse(options) });

/** The names of the members but the cookie, as they are stored. */
const contentOf = (value) =>
  Object.keys(JSON.parse(JSON.stringify(value))).filter((member) => member !== "cookie").join(" ");

let calls = 0;
/** Replaces a method of the store by one that writes down each call. */
function observe(method, callOf, answerOf) {
  const original = store[method].bind(store);
  store[method] = (sid, ...rest) => {
    const n = ++calls;
    const callback = rest.pop();
    // The tasks write under tokens, which are part of the session by now.
    write({ n, sid, start_us: nowUs(), call: callOf(...rest) });
    original(sid, ...rest, (error, ...values) => {
      const outcome = error ? { unknown: String(error?.message ?? error).split("\n")[0] } : { ok: answerOf(...values) };
      write({ n, end_us: nowUs() + 1, late_us: 0, outcome });
      callback?.(error, ...values);
    });
  };
}
// What the callback of `set` is given says nothing. connect-memcached's `touch` writes the session.
const repeats = family === "memcached";
observe("get", () => "read", (value) => ({ found: value ? contentOf(value) : null }));
observe("set", (value) => ({ set: { content: contentOf(value), repeats: !isOwn(value) } }), () => "done");
observe("destroy", () => "destroy", () => "done");
observe(
  "touch",
  (value) => (repeats ? { set: { content: contentOf(value), repeats: true } } : "touch"),
  () => (repeats ? "done" : "nothing"),
);

let tokens = 0;
const unwritten = new Set();
function newToken() {
  const token = `${name}x${++tokens}`;
  unwritten.add(token);
  return token;
}
/** Whether the last member is a token that is written for the first time. */
function isOwn(value) {
  const last = contentOf(value).split(" ").pop();
  return unwritten.delete(last);
}

const secret = "keyboard cat";
const app = express();
app.use(session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 } }));
app.get("/read", (request, response) => response.end());
app.get("/add", (request, response) => {
  request.session[newToken()] = 1;
  response.end();
});
app.get("/logout", (request, response) => request.session.destroy(() => response.end()));
app.use((error, request, response, next) => {
  if (!response.headersSent) response.status(500).end();
});
const server = app.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

const agent = new http.Agent({ keepAlive: true });
const ask = (path, sid) =>
  new Promise((resolve) => {
    const cookie = `connect.sid=${encodeURIComponent(`s:${sign(sid, secret)}`)}`;
    const request = http.get({ port: server.address().port, path, agent, headers: { cookie } }, (response) =>
      response.resume().on("close", resolve),
    );
    request.on("error", resolve);
  });
const call = (method, ...values) => new Promise((resolve) => store[method](...values, resolve));

let plan;
const below = (end) => Math.floor(Math.random() * end);
/** As src/plan.rs, for the sessions that are shared: the slots with odd numbers. */
function pick() {
  const isHot = below(256) < 200;
  const [letter, count, period] = isHot ? ["H", plan.hot, plan.period_us] : ["C", plan.cold, plan.period_us * 8];
  return `${plan.run}-${letter}${below(count / 2) * 2 + 1}-${Math.floor(nowUs() / period)}`;
}

async function step() {
  const [sid, number] = [pick(), below(100)];
  if (number < 30) await ask("/read", sid);
  else if (number < 75) await ask("/add", sid);
  else if (number < 82) await ask("/logout", sid);
  else if (number < 88) await call("get", sid);
  else if (number < 97) await call("set", sid, { cookie: new session.Cookie({ maxAge: 3_600_000 }), [newToken()]: 1 });
  else await call("destroy", sid);
}

async function run() {
  while (nowUs() < plan.end_us) {
    // What is not answered by then is written down as such, and the task goes on.
    await Promise.race([step(), sleep(5_000, undefined, { ref: false })]);
    await sleep(below((plan.pause_us * 2) / 1_000));
  }
}

console.log(JSON.stringify({ ready: true }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
plan = JSON.parse((await lines.next()).value);
console.log("{}");
const done = Promise.all(Array.from({ length: tasks }, run));
await lines.next();
await done;
console.log("{}");
process.exit();
