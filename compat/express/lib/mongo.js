// connect-mongo 5 and 6.

"use strict";

const { promisify } = require("node:util");

const { asObject, jsonText } = require("./codec.js");
const { printsOf } = require("./values.js");

const DUPLICATE_KEY = 11000;

const UNACKNOWLEDGED =
  "safe: the write concern w: 0 is not supported: MongoDB does not say then what it has stored";

/** A session is live until its expiry, even while its document is still there. */
const live = () => ({ $or: [{ expires: { $exists: false } }, { expires: { $gt: new Date() } }] });

/** Returns the adapter if the store is one of connect-mongo. */
function mongo(store) {
  const isMongo =
    typeof store.collectionP?.then === "function" &&
    typeof store.transformFunctions?.serialize === "function" &&
    typeof store.computeStorageId === "function";
  if (!isMongo) return undefined;
  const { options } = store;
  if (options.writeOperationOptions?.w === 0) throw new TypeError(UNACKNOWLEDGED);
  const { serialize, unserialize } = store.transformFunctions;
  const isEncrypted = Boolean(store.cryptoAdapter || store.crypto);
  const isCustom = Boolean(options.serialize || options.unserialize);
  const isText = options.stringify !== false && !isCustom;
  const touchAfterMs = options.touchAfter * 1000;
  const writeConcern = options.writeOperationOptions;

  const destroy = promisify(store.destroy).bind(store);

  /** The collection for a write. Only now it is known what the client's URL or options say. */
  async function writable() {
    const collection = await store.collectionP;
    const isOwn = Object.keys(writeConcern ?? {}).length > 0;
    if ((isOwn ? writeConcern : collection.writeConcern)?.w === 0) throw new TypeError(UNACKNOWLEDGED);
    return collection;
  }

  /** The texts of what was parsed. They are the stored ones if nothing is encrypted. */
  const textsOf = new WeakMap();
  if (isText) {
    const noting = (text) => {
      const value = unserialize(text);
      if (typeof value === "object" && value !== null) textsOf.set(value, text);
      return value;
    };
    store.transformFunctions = { serialize, unserialize: noting };
  }

  async function encrypted(payload) {
    if (store.cryptoAdapter) return store.cryptoAdapter.encrypt(store.serializeForCrypto(payload));
    if (!store.crypto) return payload;
    try {
      return await promisify(store.crypto.set).call(store.crypto, options.crypto.secret, payload);
    } catch (error) {
      throw error instanceof Error ? error : new Error(error); // Kruptein's errors are texts.
    }
  }

  function expiresOf(session) {
    const expires = session.cookie?.expires;
    return expires ? new Date(expires) : new Date(Date.now() + options.ttl * 1000);
  }

  async function fieldsOf(record, session) {
    const fields = { session: await encrypted(record), expires: expiresOf(session) };
    if (touchAfterMs > 0) fields.lastModified = new Date();
    return fields;
  }
  const updatedAt = () => (options.timestamps ? { $currentDate: { updatedAt: true } } : {});

  async function read(sid) {
    const collection = await store.collectionP;
    // A document is compared with itself and partly written again, so its numbers have to keep their types.
    const exactly = isText || isCustom ? {} : { promoteValues: false, bsonRegExp: true };
    const filter = { _id: store.computeStorageId(sid), ...live() };
    const document = await collection.findOne(filter, { ...exactly, readPreference: "primary" });
    if (!document) return null;
    const token = document.session;
    if (isEncrypted) await store.decryptSession(document);
    return { record: document.session, token };
  }

  const codec = isText
    ? { ...jsonText, snapshot: (session) => ({ record: serialize(session) }) }
    : asObject({ serialize, unserialize });

  return {
    ...codec,
    read,

    loadedFrom(value) {
      if (isText) {
        const record = textsOf.get(value) ?? JSON.stringify(value);
        return { base: record, found: isEncrypted ? undefined : { record, token: record } };
      }
      // The application changes the very objects that were loaded, so the stored ones have to be read again.
      return { base: printsOf(value, touchAfterMs > 0 ? "lastModified" : undefined), found: undefined };
    },

    snapshot(session) {
      // connect-mongo puts this member there when it reads.
      if (touchAfterMs > 0 && session.lastModified) delete session.lastModified;
      return codec.snapshot(session);
    },

    async swap(sid, { token }, record, session) {
      const collection = await writable();
      const fields = await fieldsOf(record, session);
      // With $eq the session is always a value. Otherwise a member whose name begins with `$` would be an operator.
      const filter = { _id: store.computeStorageId(sid), session: { $eq: token }, ...live() };
      const answer = await collection.updateOne(filter, { $set: fields, ...updatedAt() }, { writeConcern });
      if (answer.matchedCount === 0) return read(sid);
      store.emit("update", sid);
      store.emit("set", sid);
      return { record, token: fields.session };
    },

    async create(sid, record, session) {
      const collection = await writable();
      // A session that has expired is replaced. A live one makes the insertion fail, because its `_id` is taken.
      const filter = { _id: store.computeStorageId(sid), expires: { $lte: new Date() } };
      const fields = await fieldsOf(record, session);
      const createdAt = options.timestamps ? { $setOnInsert: { createdAt: new Date() } } : {};
      try {
        const update = { $set: fields, ...createdAt, ...updatedAt() };
        await collection.updateOne(filter, update, { upsert: true, writeConcern });
      } catch (error) {
        if (error?.code === DUPLICATE_KEY) return null;
        throw error;
      }
      store.emit("create", sid);
      store.emit("set", sid);
      return { record, token: fields.session };
    },

    // Without an acknowledgement, a logout would succeed whatever the server does.
    async destroy(sid) {
      await writable();
      await destroy(sid);
    },

    // The one of connect-mongo brings back a session that has expired, and calls it an error if there is none.
    async touch(sid, session) {
      const fields = {};
      const lastModified = session.lastModified ? session.lastModified.getTime() : 0;
      if (touchAfterMs > 0 && lastModified > 0) {
        if (Date.now() - lastModified < touchAfterMs) return;
        fields.lastModified = new Date();
      }
      fields.expires = expiresOf(session);
      const collection = await writable();
      const filter = { _id: store.computeStorageId(sid), ...live() };
      const answer = await collection.updateOne(filter, { $set: fields, ...updatedAt() }, { writeConcern });
      if (answer.matchedCount > 0) store.emit("touch", sid, session);
    },
  };
}

module.exports = { mongo };
