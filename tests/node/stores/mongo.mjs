// connect-mongo, each version with the driver that it was made for.
//
//   --store mongo-4|mongo-5|mongo-6 --url mongodb://127.0.0.1:27017/app --options '{"stringify":false}'
//
// The options are those of `MongoStore.create`, and two more: `webcrypto` are options of connect-mongo 6's
// `createWebCryptoAdapter`; with `types`, the members of a session that is set are MongoDB's extended JSON,
// {"$date":"..."} and the like.
//
// The npm package kruptein is 3.1.7 for 4, 3.4.0 for 5 and 3.0.8 for 6: see `overrides` in package.json.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

async function create(connectMongo, driver, { url, options: { webcrypto, types, ...options } }) {
  const { default: MongoStore, createWebCryptoAdapter } = await import(connectMongo);
  const client = await new (require(driver).MongoClient)(url).connect();
  if (webcrypto) options.cryptoAdapter = createWebCryptoAdapter(webcrypto);
  const store = MongoStore.create({ client, ...options });
  return types ? withTypes(store, driver) : store;
}

// Each driver takes the types of its own `bson`.
function withTypes(store, driver) {
  const { EJSON } = createRequire(require.resolve(driver))("bson");
  const set = store.set.bind(store);
  store.set = (sid, { cookie, ...members }, callback) =>
    set(sid, { cookie, ...EJSON.deserialize(members, { relaxed: false }) }, callback);
  return store;
}

export const open = {
  4: (given) => create("connect-mongo-4", "mongodb-4", given),
  5: (given) => create("connect-mongo-5", "mongodb-6", given),
  6: (given) => create("connect-mongo", "mongodb", given),
};
