// A promise-based store as an ES module, as next-session has them: no callbacks, no `touch`.

const records = new Map();

export default {
  async get(sid) {
    return JSON.parse(records.get(sid) ?? "null");
  },
  async set(sid, session) {
    records.set(sid, JSON.stringify(session));
  },
  async destroy(sid) {
    records.delete(sid);
  },
};
