// What is known of one object under several ids.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { Loads } = require("../lib/loads.js");

test("an object is known under each of its ids", () => {
  const loads = new Loads();
  const [one, two] = [{}, {}];
  assert.equal(loads.set(one, "a", 1), 1);
  loads.set(one, "b", 2);
  loads.set(two, "a", 3);
  assert.deepEqual([loads.get(one, "a"), loads.get(one, "b"), loads.get(two, "a")], [1, 2, 3]);
  for (const unknown of [{}, null, undefined, "text"]) assert.equal(loads.get(unknown, "a"), undefined);
});

test("an object that is stored under ever new ids keeps its first one, and the latest", () => {
  const loads = new Loads();
  const object = {};
  for (let n = 0; n < 1_000; n++) loads.set(object, n, n + 1);
  const known = Array.from({ length: 1_000 }, (_, n) => loads.get(object, n)).filter((load) => load !== undefined);
  assert.equal(known.length, 100);
  assert.deepEqual([known[0], known[1], known.at(-1)], [1, 902, 1_000]);
});
