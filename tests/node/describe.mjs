// Says what a piece of JavaScript in a fixture makes or does, so that Rust can make or do the same.
//
//   node describe.mjs
//
// Prints {"ready":true}. Then, for each line that it reads, in order, it prints one:
//
//   {"session":"(s) => ({ cookie: new s.Cookie(), n: 1 })","now_ms":0,"scope":{}}
//       {"value":VALUE}                  what the function returns; `s` is express-session
//   {"handler":"req.session.n = 1","stored":"{\"cookie\":{}}","now_ms":0}
//       {"steps":[["set","n",VALUE]]}    what the code does to a session that was loaded from this record
//
// A step is ["set", name, VALUE], with the message of JSON.stringify behind it where that throws over the value alone,
// ["delete", name], ["cookie", name, VALUE] for `req.session.cookie.name = …`, or ["call", method]. Beside a value or steps stands `throws`, the message of the error where there is one: in a session
// that of JSON.stringify. {"unbound":"ms"} is the answer where the code uses a name that nobody gave it.
//
// A VALUE is plain JSON for null, booleans, strings, arrays and numbers that JSON can say. Anything else is an object
// of one member, which is named after what it is: see `describe`.

import { createInterface } from "node:readline";
import session from "express-session";

/** The options that a cookie was made with. */
const optionsOf = new WeakMap();

class Cookie extends session.Cookie {
  constructor(options) {
    super(options);
    optionsOf.set(this, { ...options });
  }
}

const pairs = (object, open) => Object.keys(object).map((name) => [name, describe(object[name], open)]);

function describe(value, open = []) {
  switch (typeof value) {
    case "undefined":
    case "function":
    case "symbol":
      return { [typeof value]: true };
    case "bigint":
      return { bigint: String(value) };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { number: Object.is(value, -0) ? "-0" : String(value) };
    case "object":
      return value === null ? null : describeObject(value, open);
    default:
      return value;
  }
}

function describeObject(value, open) {
  if (open.includes(value)) return { circular: true };
  const inside = [...open, value];
  if (value instanceof session.Cookie) return { cookie: describeCookie(value) };
  if (Array.isArray(value)) return Array.from(value, (item) => describe(item, inside));
  if (value instanceof Date) return { date: Number.isNaN(value.getTime()) ? null : value.getTime() };
  if (value instanceof Uint8Array) {
    return { [Buffer.isBuffer(value) ? "buffer" : "bytes"]: Buffer.from(value).toString("hex") };
  }
  if (value instanceof RegExp) return { regex: [value.source, value.flags] };
  if (value instanceof Map) return { map: [...value].map(([name, item]) => [String(name), describe(item, inside)]) };
  if (value instanceof String || value instanceof Number || value instanceof Boolean) {
    return { boxed: describe(value.valueOf(), inside) };
  }
  if (typeof value.toJSON === "function") {
    return { toJSON: [printed(value, inside), pairs(value, inside)] };
  }
  return { object: pairs(value, inside) };
}

function printed(value, inside) {
  // The key is what a member's toJSON is told; `keyOf` finds it.
  try {
    return describe(value.toJSON(keyOf(value, inside)), inside);
  } catch (error) {
    return { throws: error.message };
  }
}

function keyOf(value, inside) {
  const parent = inside.at(-2);
  return parent ? (Object.keys(parent).find((name) => parent[name] === value) ?? "") : "";
}

/** The options, and the members that are another than these make them. */
function describeCookie(cookie) {
  const options = optionsOf.get(cookie) ?? {};
  const made = new session.Cookie(options);
  const names = ["expires", "originalMaxAge", ...Object.keys(cookie.data)];
  const later = [...new Set(names)].filter((name) => String(made[name]) !== String(cookie[name]));
  return [pairs(options, []), later.map((name) => [name, describe(cookie[name])])];
}

const messageOf = (run) => {
  try {
    return void run();
  } catch (error) {
    return error.message;
  }
};

const textOf = (value) => {
  try {
    return JSON.stringify(value);
  } catch (error) {
    return error.message;
  }
};

function describeSession({ session: code, scope = {}, now_ms }) {
  const make = new Function("NOW", "s", ...Object.keys(scope), `return (${code})(s)`);
  const value = make(now_ms, { ...session, Cookie, Store: session.Store }, ...Object.values(scope));
  return { value: describe(value), throws: messageOf(() => JSON.stringify(value)) };
}

function describeHandler({ handler: code, stored, now_ms }) {
  const steps = [];
  const made = new session.Store().createSession({ sessionID: "x", sessionStore: {} }, JSON.parse(stored));
  const cookie = new Proxy(made.cookie, {
    set(target, name, value) {
      steps.push(["cookie", name, describe(value)]);
      return Reflect.set(target, name, value, target);
    },
  });
  const held = { ...made, cookie };
  const known = new Map(Object.keys(held).map((name) => [name, textOf(held[name])]));
  const set = (name, value) => {
    const throws = messageOf(() => JSON.stringify(value));
    steps.push(["set", name, describe(value), ...(throws ? [throws] : [])]);
    known.set(name, textOf(value));
  };
  const methods = ["touch", "resetMaxAge"];
  const proxy = new Proxy(held, {
    get(target, name) {
      if (!methods.includes(name) || Object.hasOwn(target, name)) return target[name];
      return () => void steps.push(["call", name]);
    },
    set(target, name, value) {
      if (value === proxy) {
        steps.push(["set", name, { circular: true }]);
        return true;
      }
      set(name, value);
      if (name !== "__proto__") target[name] = value;
      return true;
    },
    deleteProperty(target, name) {
      steps.push(["delete", name]);
      known.delete(name);
      return delete target[name];
    },
  });
  const throws = messageOf(() => new Function("req", code)({ session: proxy }));
  // What changed inside of a member after it was loaded or set.
  for (const [name, text] of known) {
    if (name !== "cookie" && name !== "__proto__" && textOf(held[name]) !== text) set(name, held[name]);
  }
  return { steps, throws };
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  Date.now = () => request.now_ms;
  let answer;
  try {
    answer = "session" in request ? describeSession(request) : describeHandler(request);
  } catch (error) {
    const unbound = error instanceof ReferenceError && /^(\S+) is not defined$/.exec(error.message);
    answer = unbound ? { unbound: unbound[1] } : { fails: String(error) };
  }
  console.log(JSON.stringify(answer));
}
