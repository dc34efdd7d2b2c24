// A store with the shape of connect-redis 10, and a Redis in memory, for tests of what no real store can be made to do.
// What can happen on real stores is tested on them, in tests/express.

"use strict";

const { EventEmitter } = require("node:events");

const { safe } = require("../lib/safe.js");

const PREFIX = "test:";

class Cookie {
  constructor(data) {
    Object.assign(this, data);
  }

  set maxAge(ms) {
    this.originalMaxAge = ms;
    this.expires = new Date(Date.now() + ms);
  }

  toJSON() {
    return { ...this };
  }
}

/** A session of express-session, as far as a store sees it. */
class Session {
  constructor(request, data) {
    Object.defineProperty(this, "id", { value: request.sessionID });
    Object.assign(this, data, { cookie: new Cookie(data.cookie) });
  }
}

/** Records by their keys, and the seconds to live that were last set. */
class Server {
  records = new Map();
  lives = new Map();

  write(key, record, life) {
    this.records.set(key, record);
    this.lives.set(key, Number(life));
  }

  run(name, ...values) {
    // The script that reads. Its key comes after its text and the number of keys.
    if (name === "EVAL") return this.records.get(values[2]) ?? null;
    const [key, record, condition, ...rest] = values;
    const stored = this.records.get(key);
    if (name === "GETEX") return stored ?? null;
    if (condition === "NX" ? stored !== undefined : stored !== rest[0]) return null;
    this.write(key, record, rest.at(-1));
    return "OK";
  }
}

class RedisStore extends EventEmitter {
  prefix = PREFIX;
  serializer = JSON;

  constructor(server, around) {
    super();
    this.server = server;
    const sendCommand = (command) => around(async () => server.run(...command), command);
    this.client = { sendCommand, evalSha() {} };
  }

  getTTL(session) {
    return Math.ceil((new Date(session.cookie.expires) - Date.now()) / 1000);
  }

  get(sid, callback) {
    const record = this.server.records.get(PREFIX + sid);
    callback(null, record === undefined ? null : this.serializer.parse(record));
  }

  touch(sid, session, callback) {
    if (this.server.records.has(PREFIX + sid)) this.server.lives.set(PREFIX + sid, this.getTTL(session));
    callback(null);
  }

  destroy(sid, callback) {
    this.server.records.delete(PREFIX + sid);
    callback(null);
  }

  set() {
    throw new Error("a safe store writes by itself");
  }

  createSession(request, data) {
    return new Session(request, data);
  }
}

/**
 * Returns a safe store on a server. `around` gets each command as a function that runs it, and returns the answer, late
 * or never if it likes.
 */
function safeStore(server, { around = (run) => run(), ...options } = {}) {
  return safe(new RedisStore(server, around), options);
}

/** The session that a request would have. */
async function load(store, sid) {
  return store.createSession({ sessionID: sid }, await store.get(sid));
}

const recordOf = (server, sid) => JSON.parse(server.records.get(PREFIX + sid) ?? "null");
const lifeOf = (server, sid) => server.lives.get(PREFIX + sid);

/** Puts a session there that lives for a time. */
function put(server, sid, maxAge, members) {
  const cookie = { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge), path: "/" };
  server.write(PREFIX + sid, JSON.stringify({ cookie, ...members }), maxAge / 1000);
}

module.exports = { RedisStore, Server, lifeOf, load, put, recordOf, safeStore };
