// Which cookie a record gets when several requests have changed it.
//
// Express moves `expires` with every request, so that alone is no change. A request that has changed another attribute
// wins; otherwise the stored cookie stays, and is extended by its own life, as Express does before it saves.

"use strict";

/**
 * `resetMaxAge` of express-session sets `originalMaxAge` to the difference of two times, so it can shrink with each
 * request by the milliseconds between two statements.
 */
const DRIFT_MS = 1000;

function differs(one, other) {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  names.delete("expires");
  for (const name of names) {
    // connect-mongo stores `null` for an attribute that is not there.
    const [left, right] = [one[name] ?? null, other[name] ?? null];
    if (String(left) === String(right)) continue;
    if (name !== "originalMaxAge" || left === null || right === null) return true;
    if (!(Math.abs(Number(left) - Number(right)) <= DRIFT_MS)) return true;
  }
  return false;
}

const timeOf = (expires) => (expires == null ? 0 : Number(new Date(expires)) || 0);

/**
 * Returns the stored cookie, extended, or undefined if the request's own cookie has to be stored. `loaded` and `now`
 * are the request's cookie when it was loaded and now, and `stored` is the one in the record.
 */
function theirs(loaded, now, stored) {
  if (!loaded || !now || typeof stored !== "object" || stored === null || differs(loaded, now)) return undefined;
  const isOurs = !differs(loaded, stored) && timeOf(stored.expires) <= timeOf(now.expires);
  if (isOurs) return undefined;
  const maxAge = stored.originalMaxAge == null ? NaN : Number(stored.originalMaxAge);
  return maxAge > 0 ? { ...stored, expires: new Date(Date.now() + maxAge) } : stored;
}

/** Makes a cookie of the class that the session's has, as `createSession` of express-session does. */
function likeCookie(cookie, data) {
  const made = new cookie.constructor(data);
  if (data.expires != null) made.expires = new Date(data.expires);
  made.originalMaxAge = data.originalMaxAge == null ? data.originalMaxAge : Number(data.originalMaxAge);
  return made;
}

module.exports = { likeCookie, theirs };
