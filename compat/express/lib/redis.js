// connect-redis 7 and later.

"use strict";

const { jsonText, serialized } = require("./codec.js");
const { isIoredis, senderOf } = require("./redis-client.js");
const { DIGEST, UPDATE } = require("./redis-script.js");

const READ = "return redis.call('GET', KEYS[1])";

/** What connect-redis 6.1.0 and 6.1.2 store instead of deleting a key. */
const TOMBSTONE = "TOMBSTONE";

/** Returns the client that runs commands, or throws an error that says what is missing. */
function clientOf(store, given) {
  const isOld = typeof store._getTTL === "function";
  const isNormalized = isOld && !senderOf(store.client) && "scanIterator" in store.client;
  if (isOld && !isNormalized) {
    throw new TypeError("safe: connect-redis 6 and older are not supported: update to connect-redis 7 or later");
  }
  if (isOld && given === undefined) {
    throw new TypeError("safe: connect-redis 7 and 8 do not keep the client: pass it too, as safe(store, { client })");
  }
  const client = given ?? store.client;
  if (typeof client !== "object" || client === null || !senderOf(client)) {
    throw new TypeError(
      "safe: the client is not supported: pass a client or a cluster of redis 4 or later, or of ioredis",
    );
  }
  if (!isOld && isIoredis(client)) {
    throw new TypeError("safe: connect-redis 9 and later do not work with ioredis: use connect-redis 7 or 8 with it");
  }
  return client;
}

/** Returns the adapter if the store is one of connect-redis. */
function redis(store, options) {
  const isRedis =
    typeof store.prefix === "string" &&
    typeof store.client === "object" &&
    typeof store.serializer?.stringify === "function" &&
    (typeof store.getTTL === "function" || typeof store._getTTL === "function");
  if (!isRedis) return undefined;
  const send = senderOf(clientOf(store, options.client));
  const serializer = store.serializer;
  const keyOf = (sid) => store.prefix + sid;
  // A client can be told to answer with buffers, which JSON.parse takes, too.
  const recordOf = serializer === JSON ? String : (answer) => answer;

  /** The stored texts of what was parsed. */
  const recordsOf = new WeakMap();
  const note = (value, record) => {
    if (typeof value === "object" && value !== null) recordsOf.set(value, recordOf(record));
    return value;
  };
  store.serializer = {
    parse(record) {
      const value = serializer.parse(record);
      return typeof value?.then === "function" ? value.then((parsed) => note(parsed, record)) : note(value, record);
    },
    stringify: (session) => serializer.stringify(session),
  };

  /** The seconds to live as the script takes them. connect-redis destroys a session whose time is not positive. */
  function lifeOf(session) {
    const seconds = store.getTTL ? store.getTTL(session) : store._getTTL(session);
    if (!(seconds > 0)) return "-1";
    return store.disableTTL ? "0" : String(seconds);
  }
  function expiry(life) {
    if (life === "0") return [];
    return life === "-1" ? ["PXAT", "1"] : ["EX", life]; // In 1970, so the record is gone at once.
  }
  function found(answer) {
    if (answer == null || answer.length === 0) return null;
    const record = recordOf(answer);
    return record === TOMBSTONE ? null : { record, token: record };
  }

  /** Whether the server compares by itself, as Redis 8.4 and Valkey 8.1 do. The first update finds out. */
  let hasIfeq;

  /** Returns what is stored then, null if that is nothing, or undefined if the server has no IFEQ. */
  async function swapByServer(key, token, record, life) {
    let answer;
    try {
      answer = await send(key, ["SET", key, record, "IFEQ", token, ...expiry(life)]);
    } catch (error) {
      // An older server does not know the word, and has written nothing.
      if (!/syntax error/i.test(error?.message)) throw error;
      hasIfeq = false;
      return undefined;
    }
    hasIfeq = true;
    return answer === null ? read(key) : found(record);
  }

  async function swapByScript(key, token, record, life) {
    const values = ["1", key, token, life, record];
    let answer;
    try {
      answer = await send(key, ["EVALSHA", DIGEST, ...values]);
    } catch (error) {
      if (!/^NOSCRIPT/.test(error?.message)) throw error;
      answer = await send(key, ["EVAL", UPDATE, ...values]);
    }
    if (typeof answer === "string" || Buffer.isBuffer(answer)) return found(answer);
    return Number(answer) === 1 ? found(record) : null;
  }

  // Both commands count as writes, so no client sends them to a replica, whose data may be old.
  async function read(key) {
    if (hasIfeq) return found(await send(key, ["GETEX", key]));
    try {
      return found(await send(key, ["EVAL", READ, "1", key]));
    } catch (error) {
      // It need not allow or have scripts if it has IFEQ, which is not known before the first update. GETEX is older.
      if (hasIfeq === false || !/^NOPERM|unknown command/i.test(error?.message)) throw error;
      return found(await send(key, ["GETEX", key]));
    }
  }

  return {
    ...(serializer === JSON ? jsonText : serialized(serializer)),

    loadedFrom(value) {
      const record = recordsOf.get(value) ?? serializer.stringify(value);
      return { base: record, found: found(record) ?? undefined };
    },

    read: (sid) => read(keyOf(sid)),

    async swap(sid, { token }, record, session) {
      const [key, life] = [keyOf(sid), lifeOf(session)];
      const answer = hasIfeq !== false ? await swapByServer(key, token, record, life) : undefined;
      return answer === undefined ? swapByScript(key, token, record, life) : answer;
    },

    async create(sid, record, session) {
      const [key, life] = [keyOf(sid), lifeOf(session)];
      if (life === "-1") return undefined;
      const answer = await send(key, ["SET", key, record, "NX", ...expiry(life)]);
      return answer === null ? null : found(record);
    },
  };
}

module.exports = { redis };
