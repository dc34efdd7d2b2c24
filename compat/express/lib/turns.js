// The order of the calls of one process, and the pauses between the writes of several.

"use strict";

/**
 * For how many milliseconds a call waits for the write before it, from when that begins. A write that hangs, as it may
 * with a client that waits for its server, must not hold up the others for longer.
 */
const PATIENCE_MS = 1000;

/** The longest pause in milliseconds. */
const LONGEST_MS = 100;

/** The longest time that a timer of Node.js can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Lets the writes of one session run one after the other, and its other calls after the writes before them. */
class Turns {
  #lines = new Map();
  #limitMs;

  /** A write that takes longer than the deadline of a write, and the patience, is not expected to end. */
  constructor(deadlineMs) {
    this.#limitMs = Math.min(deadlineMs + PATIENCE_MS, LONGEST_TIMER_MS);
  }

  /** How many sessions have a line. */
  get size() {
    return this.#lines.size;
  }

  /**
   * Runs `work` when it has its turn. It gets an object that all who wait for this session share: `latest` is what the
   * last of them has stored.
   */
  async take(sid, work) {
    const line = this.#lines.get(sid) ?? { waiting: 0, last: undefined, failures: 0, shared: {} };
    this.#lines.set(sid, line);
    const before = line.last;
    const [started, done] = [signal(), signal()];
    line.last = { started, done };
    line.waiting++;
    let isIn = true;
    const leave = () => {
      if (isIn && --line.waiting === 0) this.#lines.delete(sid);
      isIn = false;
    };
    let limit;
    try {
      if (before) await this.#turnAfter(before, line);
      started.give();
      // A client may never answer, and its write must not keep the line and the record in it for ever.
      limit = setTimeout(leave, this.#limitMs).unref();
      const result = await work(line.shared);
      line.failures = 0;
      return result;
    } catch (error) {
      line.failures++;
      throw error;
    } finally {
      clearTimeout(limit);
      done.give();
      leave();
    }
  }

  /** Runs `work` after the writes that were called before it, and lets nothing wait for it. */
  async follow(sid, work) {
    const line = this.#lines.get(sid);
    if (line) await this.#turnAfter(line.last, line);
    return work();
  }

  /**
   * While the server is away, a line must not add up what each of its writes takes to fail. So each failure in a row
   * halves the patience, and all of them together wait for two seconds.
   */
  async #turnAfter(before, line) {
    await before.started.given;
    const isDone = await within(before.done.given, PATIENCE_MS / 2 ** line.failures);
    if (isDone) return;
    line.failures++;
    // Nobody knows what the other one has stored.
    line.shared.latest = undefined;
  }
}

function signal() {
  let give;
  const given = new Promise((resolve) => (give = resolve));
  return { given, give };
}

/** Returns whether the promise is fulfilled in time. */
function within(promise, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/**
 * Waits after a conflict: not after the first, and then for a random time whose limit begins at the duration of an
 * attempt and doubles, so that processes that met once do not meet again.
 */
function pause(conflicts, tookMs) {
  if (conflicts < 2) return undefined;
  const limit = Math.min(LONGEST_MS, Math.max(tookMs, 1) * 2 ** (conflicts - 2));
  return new Promise((resolve) => setTimeout(resolve, Math.random() * limit));
}

module.exports = { Turns, pause };
