// The published stores, a new one for each case of the suite, all in one process. What a case leaves behind, on the way
// or stored, is in the store of that case alone.

// `destroy` of this id makes the new store.
const FRESH = "a fresh store";

const MAKERS = {
  "express-session": async ({ session }) => () => new session.MemoryStore(),

  async "connect-redis"({ load, options: { url } }) {
    const { RedisStore } = await load("connect-redis");
    const { createClient } = await load("redis");
    const client = await createClient({ url }).on("error", () => {}).connect();
    return (name) => new RedisStore({ client, prefix: `${name}:` });
  },

  async "connect-mongo"({ load, options: { url } }) {
    const { default: MongoStore } = await load("connect-mongo");
    const { MongoClient } = await load("mongodb");
    const client = await new MongoClient(url).connect();
    return (name) => new MongoStore({ client, dbName: "npm", collectionName: name });
  },

  // It cuts fractions of a second off, takes zero for ever, and Memcached ends a session up to a second early: whether a
  // short session lives would be a matter of milliseconds.
  async "connect-memcached"({ load, session, options: { url } }) {
    const Store = (await load("connect-memcached")).default(session);
    return (name) => {
      const store = new Store({ hosts: [url], prefix: `${name}:` });
      const set = store.set.bind(store);
      store.set = store.touch = (sid, session, callback) => {
        const { cookie } = session;
        if (cookie.expires instanceof Date && !isNaN(cookie.expires)) {
          const seconds = Math.ceil(cookie.maxAge / 1000);
          Object.defineProperty(cookie, "maxAge", { value: (seconds > 0 ? seconds + 1 : -1) * 1000 });
        }
        set(sid, session, callback);
      };
      return store;
    };
  },

  // It adds a member of its own to each session, which would hide everything else.
  async "session-file-store"({ load, session, options: { url } }) {
    const Store = (await load("session-file-store")).default(session);
    return (name) => {
      const store = new Store({ path: `${url}/${name}`, retries: 0, reapInterval: -1, logFn() {} });
      const get = store.get.bind(store);
      store.get = (sid, callback) => get(sid, (error, found) => {
        if (found) delete found.__lastAccess;
        callback(error, found);
      });
      return store;
    };
  },
};

export default async (given) => {
  const { store: name, unique } = given.options;
  const make = await MAKERS[name](given);
  let count = 0;
  let store = make(unique);
  const destroy = (sid, callback) => {
    if (sid !== FRESH) return store.destroy(sid, callback);
    count += 1;
    store = make(`${unique}_${count}`);
    callback();
  };
  return new Proxy({}, {
    get(_, member) {
      if (member === "destroy") return destroy;
      // Bound, because a store may have private members; its length stays.
      return typeof store[member] === "function" ? store[member].bind(store) : store[member];
    },
  });
};
