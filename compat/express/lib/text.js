// The members of a session's JSON text, as they stand in it.
//
// A record is changed in its text and not in a parsed object, so that a member that nobody changed stays byte for byte:
// JSON.parse rounds a number with 20 digits, and Express drops a member that is called `save`.
//
// Each text here has been accepted by JSON.parse, and is an object.

"use strict";

const MARK = /["{}[\],]/g;
const SPACE = " \t\n\r";

/** Returns the index after the string that begins at `start`. */
function endOfString(text, start) {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1);
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
}

/** Returns the index of the comma or the brace that ends the member whose value begins at `start`. */
function endOfMember(text, start) {
  let depth = 0;
  MARK.lastIndex = start;
  for (;;) {
    const { 0: mark, index } = MARK.exec(text);
    if (mark === '"') MARK.lastIndex = endOfString(text, index);
    else if (mark === "{" || mark === "[") depth++;
    else if (depth === 0) return index;
    else if (mark !== ",") depth--;
  }
}

function afterSpace(text, at) {
  while (SPACE.includes(text[at])) at++;
  return at;
}

/** Cuts a text into its members, and what is before and after them. All parts together are the text. */
function split(text) {
  const start = text.indexOf("{") + 1;
  const members = [];
  let end = afterSpace(text, start);
  if (text[end] === "}") return { before: text.slice(0, end), members, after: text.slice(end) };
  for (let from = start; text[from - 1] !== "}"; from = end + 1) {
    const key = afterSpace(text, from);
    const keyEnd = endOfString(text, key);
    const value = afterSpace(text, text.indexOf(":", keyEnd) + 1);
    end = endOfMember(text, value);
    const trimmed = text.slice(value, end).trimEnd();
    const name = JSON.parse(text.slice(key, keyEnd));
    const tail = text.slice(value + trimmed.length, end);
    members.push({ name, head: text.slice(from, value), value: trimmed, tail });
  }
  return { before: text.slice(0, start), members, after: text.slice(end) };
}

/** Returns the texts of the members by their names. Of a repeated name the last one counts, as in JavaScript. */
function membersOf(text) {
  return new Map(split(text).members.map(({ name, value }) => [name, value]));
}

/** Whether a member is the same to Express. `1.0` that was loaded is the `1` that JSON.stringify writes. */
function isSame(loaded, now) {
  return loaded === now || (loaded !== undefined && JSON.stringify(JSON.parse(loaded)) === now);
}

/**
 * Returns what differs between a text that was loaded and what the session says now: the text of each member that was
 * set, and undefined for one that was removed. The cookie is left out.
 */
function changesBetween(loaded, now, isHidden) {
  const changes = new Map();
  if (loaded === now) return changes;
  const [before, after] = [membersOf(loaded), membersOf(now)];
  for (const [name, value] of after) {
    if (name !== "cookie" && !isSame(before.get(name), value)) changes.set(name, value);
  }
  for (const name of before.keys()) {
    if (name !== "cookie" && !after.has(name) && !isHidden(name)) changes.set(name, undefined);
  }
  return changes;
}

/** Returns the text with the changes: a member that was there keeps its place, and a new one is the last. */
function change(text, changes) {
  if (changes.size === 0) return text;
  const { before, members, after } = split(text);
  const left = new Map(changes);
  const parts = [];
  for (const { name, head, value, tail } of members) {
    if (!changes.has(name)) parts.push(head + value + tail);
    else if (left.get(name) !== undefined) parts.push(head + left.get(name) + tail);
    left.delete(name);
  }
  for (const [name, value] of left) {
    if (value !== undefined) parts.push(`${JSON.stringify(name)}:${value}`);
  }
  return before + parts.join(",") + after;
}

module.exports = { change, changesBetween, membersOf };
