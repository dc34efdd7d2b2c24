// connect-memcached 2 and 3.

"use strict";

const { jsonText } = require("./codec.js");

const ONE_DAY = 86400;

/** The largest number that Memcached takes. */
const LONGEST = 2 ** 31 - 1;

const REFUSED = "safe: Memcached refused to store the session, which may be too large";

/** Returns the adapter if the store is one of connect-memcached. */
function memcached(store) {
  const { client } = store;
  const isMemcached =
    typeof store.getKey === "function" && typeof client === "object" && typeof client?.getMulti === "function";
  if (!isMemcached) return undefined;
  for (const method of ["gets", "cas", "add", "touch"]) {
    if (typeof client[method] !== "function") {
      throw new TypeError(`safe: the client has no method ${method}: pass a client of the npm package memcached 2`);
    }
  }

  const ask = (method, ...values) =>
    new Promise((resolve, reject) => {
      client[method](...values, (error, answer) => {
        // Several errors come as an array.
        if (error) reject(Array.isArray(error) ? error[0] : error);
        else resolve(answer);
      });
    });

  /** Kruptein calls back with errors that are texts, and a second time after one. */
  const cipher = (method, value) =>
    new Promise((resolve, reject) => {
      store.kruptein[method](store.secret, value, (error, result) =>
        error ? reject(error instanceof Error ? error : new Error(error)) : resolve(result),
      );
    });

  /** What the client gets for a record. It writes an object as JSON, with the flags by which it reads it again. */
  const valueOf = (record) => (store.secret ? cipher("set", JSON.parse(record)) : JSON.parse(record));

  /**
   * The seconds to live. connect-memcached rounds down, but 0 means to Memcached that the record never expires. A
   * negative number means that it has expired.
   */
  function lifeOf(session) {
    const maxAge = session.cookie.maxAge;
    if (store.ttl) return store.ttl;
    if (!Number.isFinite(maxAge)) return ONE_DAY;
    return maxAge > 0 ? Math.min(Math.ceil(maxAge / 1000), LONGEST) : -1;
  }

  /** Reads a session, and the number that `cas` compares. */
  async function gets(sid) {
    const answer = await ask("gets", store.getKey(sid));
    // The name is the key as it was sent: with the namespace, or the digest of a long one.
    const name = answer && Object.keys(answer).find((key) => key !== "cas");
    if (!answer?.[name]) return null;
    const value = store.secret ? JSON.parse(await cipher("get", answer[name])) : answer[name];
    return { value, found: { record: JSON.stringify(value), token: answer.cas } };
  }
  const read = async (sid) => (await gets(sid))?.found ?? null;

  /** What was found of each session that was loaded. */
  const foundOf = new WeakMap();

  return {
    ...jsonText,
    read,

    // The one of connect-memcached does not ask for the number, and calls back twice if it cannot decrypt.
    async get(sid) {
      const answer = await gets(sid);
      if (!answer) return undefined;
      if (typeof answer.value === "object") foundOf.set(answer.value, answer.found);
      return answer.value;
    },

    loadedFrom(value) {
      const found = foundOf.get(value);
      return { base: found?.record ?? JSON.stringify(value), found };
    },

    async swap(sid, { token }, record, session) {
      const life = lifeOf(session);
      if (await ask("cas", store.getKey(sid), await valueOf(record), token, life)) return { record };
      // The client says the same if the record has changed, if it is gone, and if the server has refused the new one.
      const found = await read(sid);
      if (found?.token === token) throw new Error(REFUSED);
      return found;
    },

    async create(sid, record, session) {
      const life = lifeOf(session);
      try {
        if (await ask("add", store.getKey(sid), await valueOf(record), life)) return { record };
      } catch (error) {
        if (error?.notStored) return null;
        throw error;
      }
      throw new Error(REFUSED);
    },

    // The one of connect-memcached writes the session, and so brings back one that was destroyed.
    async touch(sid, session) {
      await ask("touch", store.getKey(sid), lifeOf(session));
    },
  };
}

module.exports = { memcached };
