// Changes a store so that express-session loses no writes: `get` and `createSession` remember what was loaded, and
// `set` writes only what the request has changed since.

"use strict";

const { Loads } = require("./loads.js");
const { memcached } = require("./memcached.js");
const { mongo } = require("./mongo.js");
const { redis } = require("./redis.js");
const { Turns } = require("./turns.js");
const { create, sessionToTouch, update } = require("./write.js");

const SUPPORTED = "pass a store of connect-redis 7 or later, connect-mongo 5 or 6, or connect-memcached 2 or 3";
const OPTIONS = { client: undefined, deadline: 5000 };

/** The stores that are safe already. */
const safeStores = new WeakSet();

/** Makes a store safe, and returns it. */
function safe(store, options = {}) {
  if (typeof store !== "object" || store === null) {
    throw new TypeError(`safe: expected a store, got ${store === null ? "null" : typeof store}: ${SUPPORTED}`);
  }
  const { deadline, client } = checked(options);
  if (safeStores.has(store)) return store;
  const adapter = ["get", "set", "createSession", "emit"].every((name) => typeof store[name] === "function")
    ? (redis(store, { client }) ?? mongo(store) ?? memcached(store))
    : undefined;
  if (!adapter) {
    const name = store.constructor?.name || "this object";
    throw new TypeError(`safe: ${name} is not supported: ${SUPPORTED}`);
  }
  install(store, adapter, deadline);
  safeStores.add(store);
  return store;
}

function checked(options) {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`safe: expected an object of options, got ${options === null ? "null" : typeof options}`);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new TypeError(`safe: unknown option "${name}": the options are ${Object.keys(OPTIONS).join(" and ")}`);
    }
  }
  const { client, deadline = OPTIONS.deadline } = options;
  if (typeof deadline !== "number" || !(deadline > 0)) {
    throw new TypeError("safe: the option deadline must be a positive number of milliseconds");
  }
  return { client, deadline };
}

function install(store, adapter, deadlineMs) {
  const loads = new Loads();
  let saves = 0;
  const turns = new Turns(deadlineMs);
  const original = (name) => {
    const method = store[name];
    return (...values) =>
      new Promise((resolve, reject) => {
        method.call(store, ...values, (error, value) => (error ? reject(error) : resolve(value)));
      });
  };
  const get = adapter.get ?? original("get");
  const touch = adapter.touch ?? original("touch");
  const destroy = adapter.destroy ?? original("destroy");
  const createSession = store.createSession;

  async function getAndRemember(sid) {
    const value = await get(sid);
    if (isSession(value)) {
      loads.set(value, sid, { ...adapter.loadedFrom(value), cookie: textOf(value.cookie) });
    }
    return value;
  }

  async function write(sid, session, { number, now, cookie }, shared) {
    const load = loads.get(session, sid) ?? loads.set(session, sid, { tried: [] });
    load.tried?.push({ now, cookie });
    const given = { sid, session, now, cookie, load, latest: shared.latest, deadlineMs };
    // A later save of this session does not wait for one that hangs, so it can have ended before.
    const isLate = () => loads.get(session, sid)?.number > number;
    const stored = await (load.tried ? create(adapter, given, load.tried, isLate) : update(adapter, given));
    if (stored) {
      const { kept, ...found } = stored;
      if (!isLate()) loads.set(session, sid, { number, base: adapter.baseOf(now), found, cookie, kept });
      shared.latest = found;
    } else if (stored === null) {
      process.nextTick(() => store.emit("discarded", sid));
    }
  }

  async function touchKept(sid, session) {
    const load = loads.get(session, sid);
    return touch(sid, load ? sessionToTouch(session, textOf(session.cookie), load) : session);
  }

  // A write prepares its command, or waits for another one, so a later call could reach the server before it. A session
  // would be stored after it was destroyed, `get` would miss what was saved, and express-session, which ends a response
  // after `touch`, would let the browser send its next request too early.
  store.get = (sid, callback) => answer(turns.follow(sid, () => getAndRemember(sid)), callback);
  store.touch = (sid, session, callback) => answer(turns.follow(sid, () => touchKept(sid, session)), callback);
  store.destroy = (sid, callback) => answer(turns.take(sid, () => destroy(sid)), callback);

  store.set = (sid, session, callback) => {
    let writing;
    try {
      // Now, because the application may go on changing the session while the store is asked.
      const save = { number: saves++, now: adapter.snapshot(session), cookie: textOf(session.cookie) };
      writing = turns.take(sid, (shared) => write(sid, session, save, shared));
    } catch (error) {
      writing = Promise.reject(error);
    }
    return answer(writing, callback);
  };

  store.createSession = function (request, data) {
    const session = createSession.call(this, request, data);
    const load = loads.get(data, session.id);
    // Anything else, such as data of another id, is a new session.
    if (load) loads.set(session, session.id, { ...load, cookie: textOf(session.cookie) });
    return session;
  };
}

const isSession = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A cookie as it is now. As a text, because only a write that meets another one looks at it. */
const textOf = (cookie) => JSON.stringify(cookie);

/**
 * Calls back once. What the callback throws is the application's, and not an error of the store. Without a callback
 * the promise is returned; it never counts as unhandled, since most stores drop such errors.
 */
function answer(promise, callback) {
  if (typeof callback !== "function") {
    promise.catch(() => {});
    return promise;
  }
  promise.then(
    (value) => process.nextTick(callback, null, value),
    (error) => process.nextTick(callback, error),
  );
  return undefined;
}

module.exports = { safe };
