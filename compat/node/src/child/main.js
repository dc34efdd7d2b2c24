"use strict";
// The Node.js side of NodeStore: runs one Connect store, and is told what to call by frames on its standard input,
// which is a socket. The answers go back on the same socket, so whatever the store prints does not matter.
//
// A frame is a length of 32 bits, little-endian as all numbers are, a byte that says what it is, and its content.
// See `frame.rs` for the other side.

const { EventEmitter } = require("events");
const { Socket } = require("net");
const { Readable } = require("stream");
const { isAbsolute } = require("path");
const { pathToFileURL } = require("url");
const { isMap } = require("util").types;
const { Worker } = require("worker_threads");

const OLDEST_NODE = 20;
// What the parent sends.
const START = 1, CALL = 2, PING = 3;
// What it gets.
const READY = 1, FAILED = 2, ANSWER = 3, ITEM = 4, EVENT = 5, FAULT = 6, FATAL = 7, PONG = 8;
// How an answer went.
const DONE = 0, NOTHING = 1, SESSION = 2, NUMBER = 3, ERROR = 4, THREW = 5, REJECTED = 6, RUBBISH = 7, TWICE = 8,
  ABSENT = 9, TOO_LARGE = 10, NO_IDS = 11;
// Why there is no store.
const OLD_NODE = 0, NO_PACKAGE = 1, NO_EXPORT = 2, BAD_FACTORY = 3, NO_STORE = 4, NO_METHOD = 5, FACTORY_FAILED = 6;
const OPERATIONS = ["get", "set", "destroy", "touch", "all", "length", "clear"];
// With this much waiting to be read by the parent, nothing is read.
const MOST_BYTES = 64 * 1024 * 1024;

const socket = new Socket({ fd: 0, readable: true, writable: true, allowHalfOpen: true });
// The store must not read what is meant for this program.
Object.defineProperty(process, "stdin", { configurable: true, value: Readable.from([]) });

let store, settings;
let ending = false;
let calls = 0;
let answered = [];
let chunks = [], received = 0, needed = 4;

function number(value) {
  const buffer = Buffer.allocUnsafe(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer;
}

function text(value) {
  const content = Buffer.from(value);
  return Buffer.concat([number(content.length), content]);
}

function send(kind, ...parts) {
  if (ending) return;
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32LE(length);
  head[4] = kind;
  socket.cork();
  socket.write(head);
  for (const part of parts) socket.write(part);
  process.nextTick(() => socket.uncork());
}

socket.on("data", (chunk) => {
  chunks.push(chunk);
  received += chunk.length;
  if (chunks.length > 1 && received < needed) return;
  let buffer = chunks.length === 1 ? chunk : Buffer.concat(chunks, received);
  needed = 4;
  while (buffer.length >= 4) {
    needed = 4 + buffer.readUInt32LE();
    if (buffer.length < needed) break;
    take(buffer.subarray(4, needed));
    buffer = buffer.subarray(needed);
    needed = 4;
  }
  chunks = buffer.length ? [buffer] : [];
  received = buffer.length;
  slowDown();
});

function take(frame) {
  const content = frame.subarray(1);
  if (frame[0] === START) start(content.readUInt32LE(0), JSON.parse(content.toString("utf8", 4)));
  else if (frame[0] === PING) send(PONG);
  else if (frame[0] === CALL) {
    const length = content.readUInt32LE(5);
    const sid = content.toString("utf8", 9, 9 + length);
    call(content.readUInt32LE(0), OPERATIONS[content[4]], sid, content.toString("utf8", 9 + length));
  }
}

function slowDown() {
  const full = socket.writableLength >= MOST_BYTES;
  if (full && !socket.isPaused()) socket.pause();
  else if (!full && socket.isPaused()) socket.resume();
}
socket.on("drain", slowDown);

function end(kind, ...parts) {
  socket.pause();
  send(kind, ...parts);
  ending = true;
  socket.end(() => process.exit(1));
  // Nobody may read any more.
  setTimeout(() => process.exit(1), 1000);
}

// What no call can be blamed for ends the process, as it does in an Express application.
process.on("uncaughtException", (error, origin) => {
  report(origin, error);
  end(FATAL, Buffer.from([origin === "unhandledRejection" ? 1 : 0]), ...about(error));
});

// Asked to end together with the application, this process goes on: the application needs its store while it drains.
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => {});

// The parent has ended, or does not need the store any more: what has begun may finish.
socket.on("end", () => {
  setTimeout(() => process.exit(), 1000);
  setInterval(() => calls === 0 && process.exit(), 10);
});
socket.on("error", () => process.exit());
socket.on("close", () => process.exit());
