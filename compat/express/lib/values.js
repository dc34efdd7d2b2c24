// The members of a session as JavaScript values, for records that are not JSON texts: documents of MongoDB, and what a
// serializer of the application makes.

"use strict";

/** Makes a difference visible that JSON.stringify hides. `this` is the object that has the value. */
function tell(name, value) {
  const original = this[name];
  if (original instanceof Date) return `date ${Number(original)}`;
  if (original instanceof RegExp) return `regexp ${original}`;
  if (original instanceof Map) return ["map", ...original];
  if (original instanceof Set) return ["set", ...original];
  if (ArrayBuffer.isView(original)) {
    const { buffer, byteOffset, byteLength } = original;
    return `bytes ${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
  }
  if (typeof value === "bigint") return `bigint ${value}`;
  if (typeof value === "string") return `string ${value}`;
  if (Object.is(value, -0)) return "number -0";
  if (typeof value === "number" && !Number.isFinite(value)) return `number ${value}`;
  return value;
}

/** Returns a text for each member of a value but the cookie. Equal texts mean that the member was not changed. */
function printsOf(value, ignored) {
  const prints = new Map();
  for (const name of Object.keys(value)) {
    // A member without a value has no text: Express does not store it either.
    const print = name === "cookie" || name === ignored ? undefined : JSON.stringify({ value: value[name] }, tell);
    if (print !== undefined && print !== "{}") prints.set(name, print);
  }
  return prints;
}

/** Returns what differs: the value of each member that was set, and undefined for one that was removed. */
function changesBetween(before, after, values, isHidden) {
  const changes = new Map();
  for (const [name, print] of after) {
    if (before.get(name) !== print) changes.set(name, values[name]);
  }
  for (const name of before.keys()) {
    if (!after.has(name) && !isHidden(name)) changes.set(name, undefined);
  }
  return changes;
}

/** Returns a copy of a value with the changes. */
function change(value, changes) {
  const changed = { ...value };
  for (const [name, member] of changes) {
    if (member === undefined) delete changed[name];
    else define(changed, name, member);
  }
  return changed;
}

/** Sets a member, also one that is called `__proto__`. */
function define(object, name, value) {
  Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
}

/** Copies arrays and plain objects, so that what the application changes later does not get into a write that waits. */
function copy(value) {
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Date) return new Date(value);
  if (typeof value !== "object" || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copied = {};
  for (const [name, member] of Object.entries(value)) define(copied, name, copy(member));
  return copied;
}

module.exports = { change, changesBetween, copy, printsOf };
