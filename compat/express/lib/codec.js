// What the adapters of the stores have in common: how a record is compared with a session, and changed.
//
// A codec has these functions. `now` is a snapshot of a session, and a member has the form that the record has it in.
//
//   snapshot(session)                    { record } as the wrapped store would write it, and what else is compared
//   isRecordOf(record, now)              whether a record is what the snapshot was stored as; false if in doubt
//   baseOf(now)                          what a later snapshot of the same session is compared with
//   changesBetween(base, now, isHidden)  a Map of the members but the cookie that were set, or removed: undefined
//   ownCookie(now)                       the session's own cookie, as a member
//   toMember(cookie)                     a cookie as a member
//   cookieOf(record)                     the cookie of a record, as an object
//   holdsSession(record)                 false if the record means that there is no session; an error if it is damaged
//   change(record, changes)              the record with members changed

"use strict";

const texts = require("./text.js");
const values = require("./values.js");

/** Whether a value is a session. The error has nothing of the value in it. */
function isSession(value) {
  if (!value) return false; // As connect-redis and express-session read it.
  if (typeof value === "object" && !Array.isArray(value)) return true;
  throw new Error("safe: the record in the store is not a session");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    // The message of JSON.parse quotes the text.
    throw new Error("safe: the record in the store is not JSON");
  }
}

/** Records that are the JSON text of the session. */
const jsonText = {
  snapshot: (session) => ({ record: JSON.stringify(session) }),
  isRecordOf: (record, now) => record === now.record,
  baseOf: (now) => now.record,
  changesBetween: (base, now, isHidden) => texts.changesBetween(base, now.record, isHidden),
  ownCookie: (now) => texts.membersOf(now.record).get("cookie"),
  toMember: (cookie) => JSON.stringify(cookie),
  cookieOf(record) {
    const cookie = texts.membersOf(record).get("cookie");
    return cookie === undefined ? undefined : JSON.parse(cookie);
  },
  holdsSession: (record) => isSession(parsed(record)),
  change: texts.change,
};

/** Records that functions of the application make of the session, as texts, or as buffers if the client answers so. */
const serialized = ({ parse, stringify }) => ({
  snapshot: (session) => ({ record: stringify(session) }),
  isRecordOf: (record, now) => Buffer.from(record).equals(Buffer.from(now.record)),
  baseOf: (now) => now.record,
  async changesBetween(base, now, isHidden) {
    const [before, after] = [await parse(base), await parse(now.record)];
    return values.changesBetween(values.printsOf(before), values.printsOf(after), after, isHidden);
  },
  ownCookie: async (now) => (await parse(now.record)).cookie,
  toMember: (cookie) => cookie,
  cookieOf: async (record) => (await parse(record)).cookie,
  holdsSession: async (record) => isSession(await parse(record)),
  change: async (record, changes) => stringify(values.change(await parse(record), changes)),
});

/** A session as a text, in which BSON's numbers are like JavaScript's, and `null` is like what is not there. */
const textOf = (session) => JSON.stringify(session, (name, value) => value ?? undefined);

/** Records that are objects, which `serialize` makes of the session, and `unserialize` reads. */
const asObject = ({ serialize, unserialize }) => ({
  snapshot(session) {
    const members = values.copy({ ...session });
    if (typeof members.cookie?.toJSON === "function") members.cookie = members.cookie.toJSON();
    // The prints now, because a member of a class of the application's own is no copy.
    return { record: serialize(members), members, prints: values.printsOf(members) };
  },
  isRecordOf: (record, now) => textOf(unserialize(record)) === textOf(unserialize(now.record)),
  baseOf: (now) => now.prints,
  changesBetween: (base, now, isHidden) => values.changesBetween(base, now.prints, now.members, isHidden),
  ownCookie: (now) => now.members.cookie,
  toMember: (cookie) => cookie,
  cookieOf: (record) => unserialize(record).cookie,
  holdsSession: (record) => isSession(unserialize(record)),
  change: (record, changes) => serialize(values.change(unserialize(record), changes)),
});

module.exports = { asObject, jsonText, serialized };
