// How long a session lives on Memcached.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { memcached } = require("../lib/memcached.js");

/** An adapter whose client keeps the seconds to live that it is given. */
function adapterWith(options) {
  const lives = [];
  const client = {
    getMulti() {},
    gets() {},
    cas: (key, value, token, life, callback) => callback(null, lives.push(life) > 0),
    add: (key, value, life, callback) => callback(null, lives.push(life) > 0),
    touch: (key, life, callback) => callback(null, lives.push(life) > 0),
  };
  return { adapter: memcached({ client, getKey: (sid) => sid, ...options }), lives };
}

async function livesOf(maxAge, options) {
  const { adapter, lives } = adapterWith(options);
  const session = { cookie: { maxAge } };
  await adapter.create("a", "{}", session);
  await adapter.swap("a", { token: "1" }, "{}", session);
  await adapter.touch("a", session);
  return lives;
}

test("a session lives for whole seconds, and never for 0, which has no end", async () => {
  for (const [maxAge, life] of [
    [1, 1],
    [0.5, 1],
    [999, 1],
    [1_000, 1],
    [1_001, 2],
    [600_000, 600],
    [0, -1],
    [-1, -1],
    [-5_000, -1],
    [null, 86_400],
    [undefined, 86_400],
    [NaN, 86_400],
    [Infinity, 86_400],
    [1e15, 2 ** 31 - 1],
  ]) {
    assert.deepEqual(await livesOf(maxAge), [life, life, life], String(maxAge));
  }
  assert.deepEqual(await livesOf(1, { ttl: 7 }), [7, 7, 7], "the store's own ttl");
});
