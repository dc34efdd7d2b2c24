// Stores whose methods return promises, and may take a callback that their `length` does not count.

const ignore = () => {};

module.exports = (given) => {
  const records = new Map();
  // The promise is fulfilled first, without a value.
  const soon = (callback, value) => void setTimeout(callback, 5, null, value);
  if (given === "rest") {
    return {
      async get(sid, ...rest) {
        soon(rest[0], records.get(sid));
      },
      async set(sid, ...rest) {
        records.set(sid, rest[0]);
        soon(rest[1]);
      },
      async destroy(...all) {
        records.delete(all[0]);
        soon(all[1]);
      },
    };
  }
  if (given === "none") {
    return {
      // A comment, a text and an object with commas.
      async get(sid = ")," /* , callback = ignore */) {
        return records.get(sid);
      },
      set: async (sid, value = { cookie: {}, list: [1, 2] }) => {
        records.set(sid, value);
      },
      destroy: async sid => void records.delete(sid),
    };
  }
  return {
    async get(sid, callback = ignore) {
      soon(callback, records.get(sid));
    },
    async set(sid, value, callback = (error, _) => ignore(error)) {
      records.set(sid, value);
      soon(callback);
    },
    async destroy(sid, callback = ignore) {
      records.delete(sid);
      soon(callback);
    },
    async all(callback = ignore) {
      const all = Object.fromEntries(Array.from({ length: given.options }, (_, at) => [`id ${at}`, { cookie: {} }]));
      callback(null, all);
      return all;
    },
  };
};
