// What is known of each session: how it was loaded or stored, or, of a new one, which saves have tried to store it.

"use strict";

/** Of how many ids one object can be known at a time. */
const MOST_IDS = 100;

/** Keeps that by the object and the id, because an application may store one object under several ids. */
class Loads {
  /** Sessions have no member for it. */
  #ofSessions = new WeakMap();

  /** Returns undefined if nothing is known. The session may be any value. */
  get(session, sid) {
    return this.#ofSessions.get(session)?.get(sid);
  }

  /** Returns what it was given. */
  set(session, sid, load) {
    const ofIds = this.#ofSessions.get(session) ?? new Map();
    this.#ofSessions.set(session, ofIds);
    ofIds.set(sid, load);
    if (ofIds.size > MOST_IDS) {
      // An object that is stored under ever new ids must not grow for ever. The first id is that of a loaded session.
      const [, second] = ofIds.keys();
      ofIds.delete(second);
    }
    return load;
  }
}

module.exports = { Loads };
