// The members of sessions that are objects.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");
const { inspect } = require("node:util");

const { asObject } = require("../lib/codec.js");
const { change, changesBetween, copy, printsOf } = require("../lib/values.js");

class ObjectId {
  #text;
  constructor(text) {
    this.#text = text;
  }
  toJSON() {
    return this.#text;
  }
}

function circle(n) {
  const value = { n };
  return Object.assign(value, { value });
}

const differ = (one, other) => printsOf({ value: one }).get("value") !== printsOf({ value: other }).get("value");

test("values that differ have different prints", () => {
  for (const [one, other] of [
    [1, "1"],
    [0, -0],
    [NaN, null],
    [Infinity, -Infinity],
    [1n, 1],
    [new Date(0), new Date(0).toJSON()],
    [new Date(0), new Date(1)],
    [/a/, /a/g],
    [/a/, {}],
    [new Map([[1, 2]]), new Map([[1, 3]])],
    [new Set([1]), new Set([2])],
    [Buffer.from("a"), Buffer.from("b")],
    [{ a: new Date(0) }, { a: new Date(1) }],
    [[1], { 0: 1 }],
    [undefined, null],
    // As MongoDB's driver has it.
    [new ObjectId("6b09eb7a"), "6b09eb7a"],
    [new ObjectId("6b09eb7a"), new ObjectId("6b09eb7b")],
    [{ user: { id: new ObjectId("6b09eb7a") } }, { user: { id: "6b09eb7a" } }],
    [{ a: 1 }, { a: 1, b: undefined }],
    [new Map([["a", 1]]), ["map", ["a", 1]]],
    [new Uint8Array([1]), new Int8Array([1])],
    [new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
    [new Error("a"), new Error("b")],
    [Object(1n), Object(2n)],
    [circle(1), circle(2)],
  ]) {
    assert.ok(differ(one, other), `${inspect(one)} and ${inspect(other)}`);
  }
  const odd = JSON.parse('{"valueOf":1,"toJSON":2,"constructor":3,"__proto__":{"a":1}}');
  for (const value of [{ a: [1, "b", { c: null }] }, new Date(7), Buffer.from("a"), "text", 0.1, circle(1), odd]) {
    assert.ok(!differ(value, structuredClone(value)), inspect(value));
  }
});

test("members without a value are none, and the cookie is left out", () => {
  const prints = printsOf({ cookie: {}, a: undefined, b: () => {}, c: {}, ignored: 1 }, "ignored");
  assert.deepEqual([...prints.keys()], ["c"]);
});

test("changes are found and made", () => {
  const [before, now] = [{ a: 1, b: 1, gone: 1, kept: 1 }, { a: 2, b: 1, ["__proto__"]: 3 }];
  const isHidden = (name) => name === "kept";
  const changes = changesBetween(printsOf(before), printsOf(now), now, isHidden);
  assert.deepEqual([...changes], [["a", 2], ["__proto__", 3], ["gone", undefined]]);
  const stored = { theirs: 1, gone: 1 };
  const changed = change(stored, changes);
  assert.deepEqual(Object.entries(changed), [["theirs", 1], ["a", 2], ["__proto__", 3]]);
  assert.deepEqual(stored, { theirs: 1, gone: 1 }, "the stored value is not touched");
});

test("a copy does not follow later changes, and keeps the class of what it does not know", () => {
  class Id {}
  const value = { list: [{ n: 1 }], at: new Date(0), id: new Id() };
  const copied = copy(value);
  value.list[0].n = 2;
  value.at.setTime(1);
  assert.equal(copied.list[0].n, 1);
  assert.equal(Number(copied.at), 0);
  assert.ok(copied.id instanceof Id);
});

test("what changes while a save is on its way is a change of the next one", () => {
  class User {
    n = 1;
  }
  const codec = asObject({ serialize: (value) => value, unserialize: (record) => record });
  const session = { cookie: {}, user: new User() };
  const saved = codec.snapshot(session);
  session.user.n = 2;
  const changes = codec.changesBetween(codec.baseOf(saved), codec.snapshot(session), () => false);
  assert.deepEqual([...changes.keys()], ["user"]);
});

test("a document is recognized as what a snapshot was stored as", () => {
  const codec = asObject({ serialize: (value) => value, unserialize: (record) => record });
  const expires = new Date(0);
  const now = codec.snapshot({ cookie: { expires, domain: undefined }, n: 1, at: new Date(1) });
  const stored = { cookie: { expires, domain: null }, n: { toJSON: () => 1 }, at: new Date(1) };
  assert.ok(codec.isRecordOf(stored, now));
  for (const other of [
    { ...stored, n: 2 },
    { ...stored, more: 1 },
    { cookie: stored.cookie, n: 1 },
    { ...stored, cookie: { expires: new Date(1) } },
    { ...stored, cookie: undefined },
  ]) {
    assert.ok(!codec.isRecordOf(other, now), JSON.stringify(other));
  }
});
