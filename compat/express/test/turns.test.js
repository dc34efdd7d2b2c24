// The order of the writes of one session. Time is mocked, so that no machine is too slow.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { Turns } = require("../lib/turns.js");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lets all promises go on that can, and then the time, for `ms` milliseconds. */
async function pass(timers, ms) {
  for (let passed = 0; passed <= ms; passed++) {
    for (let n = 0; n < 20; n++) await Promise.resolve();
    if (passed < ms) timers.tick(1);
  }
}

test("no write of a long line begins before the one before it has ended", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  let [running, most, ended] = [0, 0, 0];
  for (let n = 0; n < 100; n++) {
    turns.take("a", async () => {
      most = Math.max(most, ++running);
      await sleep(40);
      running--;
      ended++;
    });
  }
  await pass(mock.timers, 100 * 40);
  assert.deepEqual({ most, ended }, { most: 1, ended: 100 });
});

test("writes that hang or fail hold up a long line for two seconds in all", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  for (const work of [
    () => new Promise(() => {}),
    () => sleep(300).then(() => Promise.reject(new Error("x"))),
    () => sleep(1_500).then(() => Promise.reject(new Error("x"))),
  ]) {
    const turns = new Turns(5_000);
    let begun = 0;
    for (let n = 0; n < 100; n++) {
      turns.take("a", () => (begun++, work())).catch(() => {});
    }
    await pass(mock.timers, 900);
    assert.ok(begun < 10);
    await pass(mock.timers, 1_200);
    assert.equal(begun, 100);
  }
});

test("after a write has succeeded, the patience is back", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  for (let n = 0; n < 20; n++) turns.take("a", () => Promise.reject(new Error("x"))).catch(() => {});
  let isDone = false;
  turns.take("a", () => Promise.resolve());
  turns.take("a", () => sleep(500));
  turns.take("a", async () => (isDone = true));
  await pass(mock.timers, 490);
  assert.ok(!isDone);
  await pass(mock.timers, 20);
  assert.ok(isDone);
});

test("a write that is never answered leaves no line behind, and no record", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  const hanging = (shared) => {
    shared.latest = { record: "old" };
    return new Promise(() => {});
  };
  turns.take("a", hanging);
  let seen = "nothing";
  turns.take("a", async (shared) => (seen = shared.latest));
  await pass(mock.timers, 1_100);
  assert.equal(seen, undefined, "what was stored before a write that hangs is not the latest");
  assert.equal(turns.size, 1);
  await pass(mock.timers, 5_000);
  assert.equal(turns.size, 0);
});

test("a write that ends after its limit leaves the line of others alone", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  turns.take("a", () => sleep(7_000));
  await pass(mock.timers, 6_500);
  assert.equal(turns.size, 0);
  const order = [];
  turns.take("a", () => sleep(900).then(() => order.push("one")));
  await pass(mock.timers, 600);
  turns.take("a", async () => order.push("two"));
  await pass(mock.timers, 400);
  assert.deepEqual(order, ["one", "two"]);
  assert.equal(turns.size, 0);
});

test("a deadline that no timer can wait for is no limit", async () => {
  const turns = new Turns(Infinity);
  turns.take("a", () => new Promise(() => {}));
  await sleep(20);
  assert.equal(turns.size, 1);
});

test("a call that has nothing before it begins at once", async () => {
  const turns = new Turns(5_000);
  const begun = [];
  const calls = [turns.follow("a", () => begun.push("read")), turns.take("a", async () => begun.push("write"))];
  assert.deepEqual(begun, ["read", "write"]);
  await Promise.all(calls);
});

test("a call that follows waits for the writes before it, and none waits for it", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  const order = [];
  for (const name of ["one", "two"]) turns.take("a", () => sleep(100).then(() => order.push(name)));
  turns.follow("a", () => (order.push("read"), new Promise(() => {})));
  turns.follow("b", () => order.push("other"));
  turns.take("a", async () => order.push("three"));
  await pass(mock.timers, 210);
  assert.deepEqual(order, ["other", "one", "two", "read", "three"]);
});

test("a call that follows a write that hangs waits for a second", async ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const turns = new Turns(5_000);
  turns.take("a", () => new Promise(() => {}));
  let begun = 0;
  for (let n = 0; n < 10; n++) turns.follow("a", () => begun++);
  await pass(mock.timers, 990);
  assert.equal(begun, 0);
  await pass(mock.timers, 20);
  assert.equal(begun, 10);
});
