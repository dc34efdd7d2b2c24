// The order of the writes of one process, and the pauses between those of several.

"use strict";

/**
 * For how many milliseconds a write waits for the one before it. The order only saves conflicts, so one that hangs, as
 * it may with a client that waits for its server, must not hold up the others.
 */
const PATIENCE_MS = 1000;

/** The longest pause in milliseconds. */
const LONGEST_MS = 100;

/** Lets the writes of one session run one after the other. */
class Turns {
  #lines = new Map();

  /**
   * Runs `work` when it has its turn. It gets an object that all who wait for this session share: `latest` is what the
   * last of them has stored.
   */
  async take(sid, work) {
    const line = this.#lines.get(sid) ?? { waiting: 0, last: undefined, shared: {} };
    this.#lines.set(sid, line);
    const before = line.last;
    let done;
    line.last = new Promise((resolve) => (done = resolve));
    line.waiting++;
    try {
      if (before) await within(before, PATIENCE_MS);
      return await work(line.shared);
    } finally {
      done();
      if (--line.waiting === 0) this.#lines.delete(sid);
    }
  }
}

function within(promise, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    promise.then(() => {
      clearTimeout(timer);
      resolve();
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
