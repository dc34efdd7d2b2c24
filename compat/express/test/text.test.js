// The members of a text: they are found and changed without touching any other byte.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { change, changesBetween, membersOf } = require("../lib/text.js");

const nothing = () => false;

test("members are found in any JSON object", () => {
  for (const [text, members] of [
    ["{}", []],
    [" { } ", []],
    ['{"a":1}', [["a", "1"]]],
    ['{ "a" : 1 , "b" : "x" }\n', [["a", "1"], ["b", '"x"']]],
    ['{"a":{"b":[1,{"c":2}]},"d":[]}', [["a", '{"b":[1,{"c":2}]}'], ["d", "[]"]]],
    ['{"a":"}\\"{,\\\\","b":"\\\\\\""}', [["a", '"}\\"{,\\\\"'], ["b", '"\\\\\\""']]],
    ['{"\\u0061\\"":1,"":2,"__proto__":3}', [['a"', "1"], ["", "2"], ["__proto__", "3"]]],
    ['{"a":1,"a":2}', [["a", "2"]]],
    ['{"a":[{"b":"]"}],"c":-1.5e+3,"d":null}', [["a", '[{"b":"]"}]'], ["c", "-1.5e+3"], ["d", "null"]]],
  ]) {
    JSON.parse(text); // Or else the row is wrong.
    assert.deepEqual([...membersOf(text)], members, text);
  }
});

test("a change leaves all other bytes as they are", () => {
  const text = '{ "big":12345678901234567890, "one":1.0 ,"save" : [ 1 ],"half":"\\ud83d"}';
  for (const [changes, changed] of [
    [[], text],
    [[["one", "2"]], '{ "big":12345678901234567890, "one":2 ,"save" : [ 1 ],"half":"\\ud83d"}'],
    [[["one", undefined]], '{ "big":12345678901234567890,"save" : [ 1 ],"half":"\\ud83d"}'],
    [[["new\n", "{}"]], '{ "big":12345678901234567890, "one":1.0 ,"save" : [ 1 ],"half":"\\ud83d","new\\n":{}}'],
    [[["gone", undefined]], text],
  ]) {
    assert.equal(change(text, new Map(changes)), changed);
  }
  assert.equal(change("{}", new Map([["a", "1"]])), '{"a":1}');
  assert.equal(change('{"a":1}', new Map([["a", undefined]])), "{}");
  assert.equal(change('{"a":1,"b":1,"a":2}', new Map([["a", "3"]])), '{"a":3,"b":1}');
  assert.equal(change('{"a":1,"b":1,"a":2}', new Map([["a", undefined]])), '{"b":1}');
});

test("only what differs to Express is a change", () => {
  const loaded = '{"cookie":{"path":"/"},"one":1.0,"big":12345678901234567890,"a":[1, 2],"gone":1}';
  const changes = (now, isHidden = nothing) => [...changesBetween(loaded, now, isHidden)];
  const rest = '"one":1,"big":12345678901234567000,"a":[1,2]';
  assert.deepEqual(changes(loaded), []);
  assert.deepEqual(changes(`{"cookie":{"path":"/x"},${rest},"gone":1}`), []);
  assert.deepEqual(changes(`{"cookie":{},${rest}}`), [["gone", undefined]]);
  assert.deepEqual(changes(`{"cookie":{},${rest}}`, (name) => name === "gone"), []);
  assert.deepEqual(changes(`{${rest},"gone":2,"new":{}}`), [["gone", "2"], ["new", "{}"]]);
});

/** A value that is random, and the same for the same seed. */
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

test("any changes to any text do what they do to an object", () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const roll = dice(seed);
    const strings = ["", "a", "b", '"', "\\", "\\\\", '{"', "}", ",", "\u2028", "é\ud83d", "__proto__", "cookie"];
    const value = (depth) => {
      const kind = roll(depth > 2 ? 4 : 6);
      if (kind === 0) return roll(1e6) / 8;
      if (kind === 1) return strings[roll(strings.length)];
      if (kind < 4) return [null, true, -0.5, 1e21][roll(4)];
      if (kind === 4) return Array.from({ length: roll(3) }, () => value(depth + 1));
      const member = () => [strings[roll(strings.length)], value(depth + 1)];
      return Object.fromEntries(Array.from({ length: roll(3) }, member));
    };
    const session = () =>
      Object.fromEntries(Array.from({ length: roll(6) }, () => [strings[roll(strings.length)], value(0)]));
    const space = [undefined, 1, "\t"][roll(3)];
    const [loaded, now, stored] = [session(), session(), session()].map((one) => JSON.stringify(one, null, space));
    const compact = JSON.stringify(JSON.parse(now));
    const merged = change(stored, changesBetween(loaded, compact, nothing));
    // The same in a model: every member that differs is taken over, except for the cookie.
    const [was, is, expected] = [loaded, now, stored].map((text) => new Map(Object.entries(JSON.parse(text))));
    for (const name of new Set([...was.keys(), ...is.keys()])) {
      if (name === "cookie" || JSON.stringify(was.get(name)) === JSON.stringify(is.get(name))) continue;
      if (is.has(name)) expected.set(name, is.get(name));
      else expected.delete(name);
    }
    assert.deepEqual(new Map(Object.entries(JSON.parse(merged))), expected, `seed ${seed}`);
  }
});
