// Writes that meet others: how often they are tried, and how they end.

"use strict";

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const test = require("node:test");

const { jsonText } = require("../lib/codec.js");
const { UPDATE } = require("../lib/redis-script.js");
const { Turns } = require("../lib/turns.js");
const { create, update } = require("../lib/write.js");

/** A store in memory in which something happens before each attempt, which no real store can be made to do. */
function storeOf(text, beforeAttempt = () => {}) {
  const store = { text, attempts: 0 };
  const found = () => (store.text === undefined ? null : { record: store.text, token: store.text });
  store.adapter = {
    ...jsonText,
    read: async () => found(),
    async swap(sid, { token }, record) {
      store.attempts++;
      beforeAttempt(store);
      if (store.text === token) store.text = record;
      return found();
    },
    async create(sid, record) {
      beforeAttempt(store);
      if (store.text !== undefined) return null;
      store.text = record;
      return found();
    },
  };
  return store;
}

/** What `set` passes on: a session that was loaded from `loaded`, and has changed since. */
function given(loaded, session, deadlineMs = 5_000) {
  const load = { base: loaded, found: { record: loaded, token: loaded } };
  return { sid: "a", session, now: jsonText.snapshot(session), load, deadlineMs };
}

test("a write that meets others is tried again until it is stored", async () => {
  const store = storeOf('{"n":0}', (store) => {
    if (store.attempts <= 6) store.text = `{"n":0,"theirs":${store.attempts}}`;
  });
  const stored = await update(store.adapter, given('{"n":0}', { n: 0, mine: 1 }));
  assert.equal(store.text, '{"n":0,"theirs":6,"mine":1}');
  assert.equal(stored.record, store.text);
  assert.equal(store.attempts, 7);
});

test("a write that always meets others ends with an error", async () => {
  const store = storeOf('{"n":0}', (store) => (store.text = `{"n":${store.attempts}}`));
  const writing = update(store.adapter, given('{"n":0}', { n: 0, mine: 1 }, 30));
  await assert.rejects(writing, { code: "ESESSIONCONFLICT" });
  assert.doesNotMatch(store.text, /mine/);
});

test("a session that goes between two tries is not stored", async () => {
  const store = storeOf('{"n":0}', (store) => (store.text = store.attempts === 1 ? '{"n":1}' : undefined));
  assert.equal(await update(store.adapter, given('{"n":0}', { n: 5 })), null);
  assert.equal(store.text, undefined);
});

test("a write whose answer was lost, and which is sent again, is stored", async () => {
  const store = storeOf('{"n":0}', (store) => (store.text = '{"n":1}'));
  const stored = await update(store.adapter, given('{"n":0}', { n: 1 }));
  assert.equal(stored.record, '{"n":1}');
  const fresh = storeOf(undefined, (store) => (store.text = '{"n":1}'));
  const save = given("{}", { n: 1 });
  assert.equal((await create(fresh.adapter, save, [save], () => false)).record, '{"n":1}');
});

test("a new session does not replace one that is there", async () => {
  const store = storeOf('{"n":0}');
  const save = given("{}", { n: 1 });
  await assert.rejects(create(store.adapter, save, [save], () => false), { code: "ESESSIONEXISTS" });
  assert.equal(store.text, '{"n":0}');
});

test("a damaged record is an error that quotes nothing of it, and is left alone", async () => {
  for (const text of ["secret", '["secret"]', '{"secret":', '"secret"']) {
    const store = storeOf('{"n":0}', (store) => (store.text = text));
    const error = await update(store.adapter, given('{"n":0}', { n: 1 })).catch((error) => error);
    assert.match(error.message, /^safe: the record in the store is not/);
    assert.doesNotMatch(error.message, /secret/);
    assert.equal(store.text, text);
  }
  const store = storeOf('{"n":0}', (store) => (store.text = "null"));
  assert.equal(await update(store.adapter, given('{"n":0}', { n: 1 })), null);
});

test("the writes of one session have turns, and one that hangs holds up nobody for long", async () => {
  const turns = new Turns(5_000);
  const order = [];
  const work = (name) =>
    turns.take("a", async (shared) => {
      order.push(`${name} after ${shared.latest}`);
      await new Promise(setImmediate);
      shared.latest = name;
    });
  await Promise.all([work("one"), work("two"), work("three")]);
  assert.deepEqual(order, ["one after undefined", "two after one", "three after two"]);
  const failing = turns.take("a", () => Promise.reject(new Error("x")));
  await Promise.all([assert.rejects(failing), work("four")]);
  turns.take("a", () => new Promise(() => {}));
  let isOther = false;
  await Promise.all([turns.take("b", async () => (isOther = true)), work("five")]);
  assert.ok(isOther && order.at(-1).startsWith("five"));
});

test("the script is the one of the Rust store", () => {
  const file = `${__dirname}/../../../crates/cloakroom-redis/src/update.lua`;
  assert.equal(UPDATE, readFileSync(file, "utf8"));
});
