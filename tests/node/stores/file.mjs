// session-file-store, with the folder of a URL such as file:///var/lib/app/sessions.

import { fileURLToPath } from "node:url";
import session from "express-session";

export const open = {
  async 1({ url, options }) {
    const { default: sessionFileStore } = await import("session-file-store");
    const path = fileURLToPath(url);
    // Its own output would be read as an answer. A missing file is tried five times more unless `retries` is 0.
    const store = new (sessionFileStore(session))({ path, logFn: () => {}, retries: 0, ...options });
    const get = store.get.bind(store);
    // What express-session makes of the error, and without the store's own member, so that the session can be compared.
    store.get = (sid, callback) =>
      get(sid, (error, value) => {
        if (value) delete value.__lastAccess;
        callback(error?.code === "ENOENT" ? null : error, value);
      });
    store.ids = (callback) => store.list(callback);
    return store;
  },
};
