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
  const turns = new Turns();
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
    const turns = new Turns();
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
  const turns = new Turns();
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
