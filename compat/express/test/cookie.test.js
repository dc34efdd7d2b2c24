// Which cookie is stored when several requests have changed it.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { likeCookie, theirs } = require("../lib/cookie.js");

const at = (ms) => new Date(Date.now() + ms).toJSON();
const cookie = (age, expires, rest) => ({ originalMaxAge: age, expires, httpOnly: true, path: "/", ...rest });

test("a request whose own cookie is stored", () => {
  const loaded = cookie(60_000, at(1_000));
  const extended = cookie(60_000, at(60_000));
  for (const [now, stored, why] of [
    [extended, loaded, "nobody else has changed it"],
    [extended, cookie(60_000, at(2_000)), "another request has only extended it, but less far"],
    [cookie(59_998, at(60_000)), loaded, "express-session lets the max age drift"],
    [cookie(5_000, at(5_000)), cookie(9e9, at(9e9)), "this request has changed it too"],
    [extended, { ...loaded, secure: null, domain: null }, "connect-mongo stores null for what is not there"],
    [extended, undefined, "the record has no cookie"],
  ]) {
    assert.equal(theirs(loaded, now, stored), undefined, why);
  }
  assert.equal(theirs(undefined, undefined, loaded), undefined, "a session without a cookie");
});

test("a cookie that another request has changed stays, and lives for its own max age", () => {
  const loaded = cookie(60_000, at(1_000));
  const month = 30 * 86_400_000;
  for (const stored of [
    cookie(month, at(1_000)),
    cookie(60_000, at(1_000), { secure: true }),
    cookie(60_000, at(90_000)),
  ]) {
    const kept = theirs(loaded, cookie(60_000, at(60_000)), stored);
    assert.deepEqual({ ...kept, expires: stored.expires }, stored);
    assert.ok(Math.abs(kept.expires - Date.now() - stored.originalMaxAge) < 10_000);
  }
  const browser = cookie(null, null);
  assert.deepEqual(theirs(loaded, cookie(60_000, at(60_000)), browser), browser);
});

test("the store sees a cookie of the session's own class", () => {
  class Cookie {
    constructor(data) {
      Object.assign(this, data);
    }
  }
  const made = likeCookie(new Cookie({}), { originalMaxAge: 7, expires: "2100-01-01T00:00:00.000Z", path: "/" });
  assert.ok(made instanceof Cookie && made.expires instanceof Date);
  assert.deepEqual([made.originalMaxAge, Number(made.expires), made.path], [7, 4_102_444_800_000, "/"]);
});
