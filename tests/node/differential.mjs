// The real express-session on the real connect-redis, at a time and with ids that a test sets, doing what each request
// tells it to do: one side of tests/differential.
//
//   node differential.mjs --url redis://127.0.0.1:6379/0
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1. Each line that it reads is answered with {}:
//
//   {"now":1700000000000}                       from now on, Date.now() says so
//   {"options":{"secret":["a"],"rolling":true}} from now on, express-session has these options
//   {"ids":1}                                   the next session is NEW-1, the one after that NEW-2
//
// A request's body is {"actions":[{"do":"set","with":["user","ada"]},{"do":"remove","with":"n"},{"do":"save"}],"status":200}.
// The answer has this status, and a line for each action: what came of it, and what the session is then. Where
// express-session never ends the response, the connection is closed.

import { createInterface } from "node:readline";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const { values: options } = parseArgs({ options: { url: { type: "string" } } });

const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

// express-session and connect-redis ask Date.now() alone; neither calls `new Date()` without an argument.
let now = 0;
Date.now = () => now;

// cloakroom's stores, of which one is on the other side, never end or shorten a session whose cookie is as it was read,
// and take a date that stands for no time for none. What is compared here is express-session, so this store does too.
class Store extends RedisStore {
  read = new Map();

  get(sid, callback) {
    return super.get(sid, (error, session) => {
      this.read.set(sid, session?.cookie && structuredClone(session.cookie));
      callback(error, session);
    });
  }

  getTTL(session) {
    // To `new Date` a boolean is a date, too.
    const ttl = typeof session.cookie.expires === "boolean" ? NaN : super.getTTL(session);
    const cookie = JSON.parse(JSON.stringify(session.cookie));
    if (!isDeepStrictEqual(cookie, this.read.get(session.id))) return Number.isNaN(ttl) ? this.ttl : ttl;
    const age = cookie.originalMaxAge;
    const isMoved = age > 0 && !Number.isNaN(new Date(now + age).valueOf());
    return Math.max(ttl || 0, isMoved ? Math.ceil(age / 1000) : this.ttl);
  }
}

let ids = 1;
let sessions;
const tell = {
  now: (value) => (now = value),
  ids: (value) => (ids = value),
  options: (value) =>
    (sessions = session({ ...value, store: new Store({ client }), genid: () => `NEW-${ids++}` })),
};

/** What an action does to a session that is there. */
const actions = {
  set: ({ session }, name, value) => void (session[name] = value),
  remove: ({ session }, name) => void delete session[name],
  push: ({ session }, name, value) => {
    if (!Array.isArray(session[name])) session[name] = [];
    session[name].push(value);
  },
  setAndBack: ({ session }, name, value) => {
    const [had, before] = [Object.hasOwn(session, name), session[name]];
    session[name] = value;
    if (had) session[name] = before;
    else delete session[name];
  },
  again: ({ session }, name) => {
    if (!Object.hasOwn(session, name)) return;
    const value = session[name];
    delete session[name];
    session[name] = value;
  },
  cookie: ({ session }, name, value) => {
    session.cookie[name] = name === "expires" && value !== null ? new Date(value) : value;
  },
  touch: ({ session }) => void session.touch(),
  unset: (request) => void (request.session = null),
  save: ({ session }) => called((callback) => session.save(callback)),
  reload: ({ session }) => called((callback) => session.reload(callback)),
  destroy: ({ session }) => called((callback) => session.destroy(callback)),
};

const called = (call) => new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())));

async function act(request, { do: name, with: values = [] }) {
  // As `request.session.regenerate`, but it is there after `destroy` too.
  if (name === "regenerate") return called((callback) => request.sessionStore.regenerate(request, callback));
  if (!request.session) return "gone";
  return actions[name](request, ...[values].flat());
}

function describe({ sessionID, session }) {
  if (!session) return `${sessionID} -`;
  return `${sessionID} ${JSON.stringify(session.cookie)} ${JSON.stringify({ ...session, cookie: undefined })}`;
}

const app = express();
app.use((request, response, next) => sessions(request, response, next));
app.use(express.json({ type: () => true }));
app.use(async (request, response) => {
  const lines = request.sessionStore ? [describe(request)] : ["no session"];
  for (const action of request.sessionStore ? request.body.actions : []) {
    const outcome = await act(request, action).catch((error) =>
      error.message === "failed to load session" ? "missing" : "error",
    );
    lines.push(`${outcome ?? "ok"} ${describe(request)}`);
  }
  response.append("set-cookie", "theme=dark").status(request.body.status);
  try {
    response.end(lines.join("\n"));
  } catch {
    // express-session has thrown, and lets nobody end the response any more.
    if (response.end() === false) request.socket.destroy();
  }
});
// What goes wrong when the response has begun comes here too. It goes out all the same.
app.use((error, request, response, next) => {
  if (!response.headersSent) response.status(500).end("refused");
});

const server = app.listen(0, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(JSON.stringify({ port: server.address().port }));
});
for await (const line of createInterface({ input: process.stdin })) {
  for (const [name, value] of Object.entries(JSON.parse(line))) tell[name](value);
  console.log("{}");
}
process.exit();
