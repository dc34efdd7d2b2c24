// Calls of the store, and what becomes an answer.

// What a method is given before its callback.
const ARGUMENTS = {
  get: (sid) => [sid],
  set: (sid, record) => [sid, toSession(record)],
  destroy: (sid) => [sid],
  touch: (sid, record) => [sid, toSession(record)],
  all: () => [],
  length: () => [],
  clear: () => [],
};

function call(id, operation, sid, record) {
  const pending = { id, operation, sid, record, answers: 0, isVoid: false, answer: undefined };
  calls += 1;
  const method = store[operation];
  if (typeof method !== "function") return settle(pending, [ABSENT]);
  const called = (error, value) => {
    pending.answers += 1;
    if (pending.answers === (pending.isVoid ? 1 : 2)) again(pending);
    else if (!pending.answer) settle(pending, error ? failure(pending, ERROR, error) : result(pending, value));
  };
  try {
    const given = ARGUMENTS[operation](sid, record);
    const promises = settings.style === "promises" || (settings.style === "auto" && method.length <= given.length);
    const returned = settings.style === "promises" ? method.apply(store, given) : method.call(store, ...given, called);
    const fulfilled = (value) => {
      if (!promises || pending.answer) return;
      const isVoid = value === undefined && settings.style === "auto";
      // `async get(sid, callback = noop)` has a length of 1. Its callback has the answer.
      if (isVoid && mayTake(method, given.length + 1)) return;
      pending.isVoid = isVoid;
      settle(pending, result(pending, value));
    };
    if (returned && typeof returned.then === "function") {
      returned.then(fulfilled, (error) => settle(pending, failure(pending, REJECTED, error)));
    } else if (settings.style === "promises") settle(pending, result(pending, returned));
  } catch (error) {
    settle(pending, failure(pending, THREW, error));
  }
}

// The first answer counts. It is sent at the end of this turn of the event loop, with all others of the turn.
function settle(pending, answer) {
  if (pending.answer) return;
  pending.answer = answer;
  if (answered.push(pending) === 1) setImmediate(flush);
}

function again(pending) {
  if (answered.includes(pending)) pending.answer = [TWICE];
  else send(FAULT, Buffer.from([OPERATIONS.indexOf(pending.operation)]));
}

function flush() {
  const all = answered;
  answered = [];
  for (const { id, answer } of all) {
    calls -= 1;
    const [status, ...parts] = answer;
    send(ANSWER, number(id), Buffer.from([status]), ...parts);
  }
  slowDown();
}

function result(pending, value) {
  const { id, operation } = pending;
  try {
    if (operation === "get") return session(value);
    if (operation === "length") {
      return Number.isSafeInteger(value) && value >= 0 ? [NUMBER, text(String(value))] : rubbish(value);
    }
    if (operation === "all") return everything(id, value);
  } catch (error) {
    // A cycle, a BigInt, a `toJSON` that throws.
    return failure(pending, RUBBISH, error);
  }
  return [DONE];
}

function session(value) {
  // express-session takes every falsy answer for no session.
  if (!value) return [NOTHING];
  if (typeof value !== "object" || Array.isArray(value)) return rubbish(value);
  const record = Buffer.from(JSON.stringify(value));
  return record.length > settings.maxRecord ? [TOO_LARGE, text(String(record.length))] : [SESSION, record];
}

// Some stores answer with an object or a Map by id, some with an array whose sessions have their id, some with rows.
function everything(id, value) {
  if (!value || typeof value !== "object") return value == null ? [DONE] : rubbish(value);
  // Without this it would look like an object without sessions.
  if (Symbol.asyncIterator in value) return rubbish(value);
  const isList = Symbol.iterator in value && !isMap(value);
  const items = isList ? [] : isMap(value) ? [...value] : Object.entries(value);
  if (isList) {
    for (const item of value) {
      if (item && typeof item.sid === "string" && "sess" in item) items.push([item.sid, item.sess]);
      else if (item && typeof item.id === "string") {
        const { id: sid, ...members } = item;
        items.push([sid, members]);
      } else return [NO_IDS];
    }
  }
  for (const [sid, item] of items) {
    const [status, record] = session(typeof item === "string" ? JSON.parse(item) : item);
    if (status === SESSION) send(ITEM, number(id), text(sid), record);
    else if (status !== NOTHING) return [status, record];
  }
  return [DONE];
}

function rubbish(value) {
  return [RUBBISH, text(Array.isArray(value) ? "an array" : `a value of type ${typeof value}`), text("")];
}

// The name and the code of an error, never its message, which can quote an id, a session or a password.
function failure({ operation, sid, record }, status, error) {
  if (error && error.code === "ENOENT" && operation === "get") return [NOTHING];
  report(operation, error);
  return [status, ...about(error, sid + record)];
}

function about(error, secret = "") {
  const word = (value, pattern) => {
    const is = typeof value === "string" && pattern.test(value) && !secret.includes(value);
    return text(is ? value : "");
  };
  let name, code;
  try {
    name = error instanceof Error ? error.name : `a value of type ${typeof error}`;
    code = error && typeof error === "object" ? error.code : undefined;
  } catch (_) {
    name = "an error that cannot be read";
  }
  return [word(name, /^[A-Za-z][A-Za-z0-9 ]{0,59}$/), word(code, /^[A-Z][A-Z_0-9]{1,39}$/)];
}

function report(what, error) {
  if (settings && settings.shows) {
    console.error("%s: %s: %s", settings.name, what, (error && error.stack) || error);
  }
}
