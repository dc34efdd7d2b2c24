// The members of a session as JavaScript values, for records that are not JSON texts: documents of MongoDB, and what a
// serializer of the application makes.

"use strict";

const { isBoxedPrimitive } = require("node:util").types;

/** The name of the class, or an empty text for a plain object. The object may have a member called `constructor`. */
function classOf(object) {
  if (Buffer.isBuffer(object)) return "Uint8Array"; // No store tells the two apart.
  const name = Object.getPrototypeOf(object)?.constructor?.name;
  return typeof name === "string" && name !== "Object" ? name : "";
}

/** Returns a text for a value within `outer` objects. JSON.stringify would hide differences, and fail on a cycle. */
function printOf(value, outer) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol" || typeof value === "function") return "undefined";
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (outer.includes(value)) return `outer ${outer.indexOf(value)}`;
  outer.push(value);
  const print = `${classOf(value)} ${printOfContent(value, outer)}`;
  outer.pop();
  return print;
}

function printOfContent(value, outer) {
  const list = (values) => `[${Array.from(values, (member) => printOf(member, outer))}]`;
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return list(value);
  if (value instanceof Date) return String(Number(value));
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }
  if (isBoxedPrimitive(value)) return printOf(value.valueOf(), outer);
  // An ObjectId of MongoDB and its text are two values, so the class stays in front.
  if (typeof value.toJSON === "function") return printOf(value.toJSON(), outer);
  const texts = value instanceof Error ? list([value.name, value.message]) : "";
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${printOf(member, outer)}`);
  return `${texts}{${members}}`;
}

/** Returns a text for each member of a value but the cookie. Equal texts mean that the member was not changed. */
function printsOf(value, ignored) {
  const prints = new Map();
  for (const name of Object.keys(value)) {
    if (name === "cookie" || name === ignored) continue;
    const print = printOf(value[name], []);
    // A member without a value has no text: Express does not store it either.
    if (print !== "undefined") prints.set(name, print);
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
