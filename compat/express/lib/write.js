// Writes a session without losing what others have written, and without bringing back what they have destroyed.

"use strict";

const { likeCookie, theirs } = require("./cookie.js");
const { pause } = require("./turns.js");

function failure(code, message) {
  return Object.assign(new Error(`safe: ${message}`), { code });
}

/**
 * Stores a session that was not loaded. Returns what is stored, or null if an earlier save has stored the session and
 * it is gone. Returns undefined if the session has expired, or if a later save of it was stored first, as `isLate` says
 * once that save has its answer. `tried` lists the saves of the session so far, this one among them.
 */
async function create(adapter, given, tried, isLate) {
  const { sid, now, session } = given;
  const created = await adapter.create(sid, now.record, session);
  if (created !== null) return created;
  const found = await adapter.read(sid);
  // The answer to an earlier save may be late, or lost. Clients also send a command again when its answer was lost, and
  // the second one finds what the first one has stored.
  const own = tried.findIndex((other) => other.now === now);
  const stored = found ? tried.findLastIndex((other) => adapter.isRecordOf(found.record, other.now)) : -1;
  if (isLate() || stored > own) return undefined;
  if (stored === own) return found;
  // The id was in use just now. It was destroyed in between, as after an earlier save that hangs.
  if (!found && own > 0) return null;
  if (stored >= 0) {
    const load = { base: adapter.baseOf(tried[stored].now), cookie: tried[stored].cookie, found };
    return update(adapter, { ...given, load, latest: undefined });
  }
  throw failure(
    "ESESSIONEXISTS",
    "the session was not stored, because its id is in use: change the object that `get` or `load` gave, " +
      "or destroy the session first",
  );
}

/**
 * Stores what a session has changed since it was loaded. Returns what is stored, or null if the session is gone. `kept`
 * is the cookie of another request if that was stored in place of the session's own.
 */
async function update(adapter, { sid, session, now, cookie, load, latest, deadlineMs }) {
  // Express does not load a member whose name it uses itself, such as `save`. That does not mean that it was removed.
  const isHidden = (name) => name in session && !Object.prototype.propertyIsEnumerable.call(session, name);
  const changes = await adapter.changesBetween(load.base, now, isHidden);
  const ends = performance.now() + deadlineMs;
  let current = latest ?? load.found;
  for (let conflicts = 0; ; ) {
    if (current?.token === undefined) current = await adapter.read(sid);
    if (!current) return null;
    const began = performance.now();
    // What was loaded has been read by the store already. A cookie that was kept is not the one of the session.
    const isAsLoaded = current.token === load.found?.token && load.kept === undefined;
    if (!isAsLoaded && !(await adapter.holdsSession(current.record))) return null;
    const kept = isAsLoaded ? undefined : keptCookie(load, cookie, await adapter.cookieOf(current.record));
    const member = kept ? adapter.toMember(kept) : await adapter.ownCookie(now);
    const all = member === undefined ? changes : new Map([...changes, ["cookie", member]]);
    const record = await adapter.change(current.record, all);
    const found = await adapter.swap(sid, current, record, kept ? withCookie(session, kept) : session);
    if (!found || found.record === record) return found && { ...found, kept };
    conflicts++;
    if (performance.now() > ends) {
      const message = `the session was not stored: it was changed again before each of ${conflicts} tries`;
      throw failure("ESESSIONCONFLICT", message);
    }
    const pausing = pause(conflicts, performance.now() - began);
    await pausing;
    current = pausing ? undefined : found;
  }
}

/** Returns the session that `touch` is given: with the cookie of another request if the last write has kept that. */
function sessionToTouch(session, cookie, load) {
  const kept = load?.kept === undefined ? undefined : keptCookie(load, cookie, load.kept);
  return kept === undefined ? session : withCookie(session, kept);
}

/** The stored cookie, extended, or undefined if the session's own one is to be stored. The other two are texts. */
const keptCookie = (load, cookie, stored) => theirs(dataOf(load.cookie), dataOf(cookie), stored);

const dataOf = (text) => (text === undefined ? undefined : JSON.parse(text));

/** The session as the store has to see it to count its time to live. */
function withCookie(session, cookie) {
  return Object.create(session, { cookie: { value: likeCookie(session.cookie, cookie), enumerable: true } });
}

module.exports = { create, sessionToTouch, update };
