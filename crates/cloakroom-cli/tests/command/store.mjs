// A session store without an npm package, for `node:store.mjs`. The sessions are in a file beside this one.

import { existsSync, readFileSync, writeFileSync } from "node:fs";

const file = new URL("./sessions.json", import.meta.url);
const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});
const write = (sessions) => writeFileSync(file, JSON.stringify(sessions));

export default () => ({
  get(sid, callback) {
    callback(null, read()[sid]);
  },
  set(sid, session, callback) {
    write({ ...read(), [sid]: session });
    callback(null);
  },
  destroy(sid, callback) {
    const sessions = read();
    // As if such a user logged in again at once.
    if (!sessions[sid]?.returns) delete sessions[sid];
    write(sessions);
    callback(null);
  },
  touch(sid, session, callback) {
    const sessions = read();
    if (sessions[sid]) sessions[sid].cookie = session.cookie;
    write(sessions);
    callback(null);
  },
  all(callback) {
    callback(null, read());
  },
  length(callback) {
    callback(null, Object.keys(read()).length);
  },
  clear(callback) {
    write({});
    callback(null);
  },
});
