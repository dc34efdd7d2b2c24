// A store whose answers depend on the id: each id is a way to misbehave.

const { writeSync } = require("fs");

module.exports = ({ options: { secret, big } }) => {
  const records = new Map();
  const session = { cookie: { path: "/" }, user: "ann" };
  const error = (code) => Object.assign(new TypeError(`${secret} is wrong`), { code });
  const ways = {
    never: () => {},
    twice(callback) {
      callback(null, session);
      callback(null, session);
    },
    "twice, later"(callback) {
      callback(null, session);
      setTimeout(callback, 20);
    },
    throws() {
      throw error("E_BROKEN");
    },
    "throws a text"() {
      throw secret;
    },
    rejects: () => Promise.reject(error("ECONNREFUSED")),
    "calls back with an error": (callback) => callback(error(secret)),
    "calls back with ENOENT": (callback) => callback(error("ENOENT")),
    "a string": (callback) => callback(null, secret),
    "a number": (callback) => callback(null, 42),
    "a function": (callback) => callback(null, () => {}),
    "an array": (callback) => callback(null, [secret]),
    "an empty string": (callback) => callback(null, ""),
    "a cycle"(callback) {
      const value = { secret };
      callback(null, Object.assign(value, { value }));
    },
    big: (callback) => callback(null, { cookie: {}, big: "x".repeat(big) }),
    "throws later": () => setTimeout(() => { throw error("E_LATER"); }, 5),
    "rejects later": () => setTimeout(() => Promise.reject(error("E_LATER")), 5),
    exits: () => process.exit(3),
    kills: () => process.kill(process.pid, "SIGKILL"),
    spins() {
      for (;;);
    },
    prints(callback) {
      console.log(secret.repeat(10_000));
      process.stderr.write(secret.repeat(10_000));
      writeSync(1, "to the file descriptor itself\n");
      process.stdin.on("data", () => {});
      callback(null, session);
    },
    pid: (callback) => callback(null, { pid: process.pid, cookie: {} }),
  };
  const store = {
    get: (sid, callback) => (ways[sid] ? ways[sid](callback) : callback(null, records.get(sid))),
    set(sid, value, callback) {
      if (ways[sid]) return ways[sid](callback);
      records.set(sid, value);
      callback();
    },
    destroy(sid, callback) {
      if (ways[sid]) return ways[sid](callback);
      records.delete(sid);
      callback();
    },
    length: (callback) => callback(null, [{ secret }]),
    all: (callback) => callback(null, [session]),
  };
  return store;
};
