// A session store without an npm package, for `node:store.mjs`. Each session is a file in a folder beside this one.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const folder = new URL("./sessions/", import.meta.url);
mkdirSync(folder, { recursive: true });

const file = (sid) => new URL(createHash("sha256").update(sid).digest("hex"), folder);
const records = () =>
  readdirSync(folder)
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")))
    .sort((one, other) => (one.sid < other.sid ? -1 : 1));

function read(sid) {
  try {
    return JSON.parse(readFileSync(file(sid), "utf8")).session;
  } catch {
    return undefined;
  }
}

export default () => ({
  get(sid, callback) {
    callback(null, read(sid));
  },
  set(sid, session, callback) {
    writeFileSync(file(sid), JSON.stringify({ sid, session }));
    callback(null);
  },
  destroy(sid, callback) {
    // As if such a user logged in again at once.
    if (!read(sid)?.returns) rmSync(file(sid), { force: true });
    callback(null);
  },
  touch(sid, { cookie }, callback) {
    const session = read(sid);
    if (session) writeFileSync(file(sid), JSON.stringify({ sid, session: { ...session, cookie } }));
    callback(null);
  },
  all(callback) {
    callback(null, Object.fromEntries(records().map(({ sid, session }) => [sid, session])));
  },
  length(callback) {
    callback(null, records().length);
  },
  clear(callback) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    callback(null);
  },
});
