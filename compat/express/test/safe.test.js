// What a safe store remembers of a session from one of its calls to the next.

"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const { RedisStore, Server, lifeOf, load, put, safeStore, recordOf } = require("./store.js");

/** A new session that lives for an hour. */
function fresh(store, sid, members) {
  const cookie = { originalMaxAge: HOUR, expires: new Date(Date.now() + HOUR), path: "/" };
  return store.createSession({ sessionID: sid }, { cookie, ...members });
}

const HOUR = 3_600_000;
const MONTH = 30 * 24 * HOUR;

/** Two stores as in two processes, and a session of `a` that has met one of `b` with a cookie of a month. */
async function metAMonth() {
  const server = new Server();
  const [a, b] = [safeStore(server), safeStore(server)];
  put(server, "s", HOUR, { n: 1 });
  const [mine, theirs] = [await load(a, "s"), await load(b, "s")];
  theirs.cookie.maxAge = MONTH;
  theirs.remembered = true;
  await b.set("s", theirs);
  mine.x = 1;
  await a.set("s", mine);
  return { server, a, mine };
}

/** Whether the session lives for this time, as the server and the record say. */
function lives(server, maxAge) {
  const { originalMaxAge, expires } = recordOf(server, "s").cookie;
  const isLive = (ms) => Math.abs(ms - maxAge) < 60_000;
  return originalMaxAge === maxAge && isLive(new Date(expires) - Date.now()) && isLive(lifeOf(server, "s") * 1000);
}

test("another request's cookie stays through all later saves and touches of one request", async () => {
  const { server, a, mine } = await metAMonth();
  assert.ok(lives(server, MONTH));
  mine.y = 1;
  await a.set("s", mine);
  assert.ok(lives(server, MONTH), "a second save");
  mine.cookie.expires = new Date(Date.now() + HOUR); // As express-session does at the end of each request.
  await a.touch("s", mine);
  assert.ok(lives(server, MONTH), "a touch");
  mine.z = 1;
  await a.set("s", mine);
  assert.ok(lives(server, MONTH), "a save after the touch");
  const { x, y, z, remembered } = recordOf(server, "s");
  assert.deepEqual({ x, y, z, remembered }, { x: 1, y: 1, z: 1, remembered: true });
});

test("a request that changes its cookie after it has met another one wins", async () => {
  const { server, a, mine } = await metAMonth();
  mine.cookie.maxAge = 2 * HOUR;
  await a.touch("s", mine);
  assert.equal(lifeOf(server, "s"), (2 * HOUR) / 1000);
  mine.y = 1;
  await a.set("s", mine);
  assert.ok(lives(server, 2 * HOUR));
  mine.z = 1;
  await a.set("s", mine);
  assert.ok(lives(server, 2 * HOUR), "and stays");
});

test("createSession makes a new session of data that get has not found under its id", async () => {
  const server = new Server();
  const store = safeStore(server);
  const discarded = [];
  store.on("discarded", (sid) => discarded.push(sid));
  put(server, "s", HOUR, { n: 1 });
  await store.set("fresh", fresh(store, "fresh", { user: 7 }));
  assert.equal(recordOf(server, "fresh").user, 7);
  await store.set("moved", store.createSession({ sessionID: "moved" }, await store.get("s")));
  assert.equal(recordOf(server, "moved").n, 1);
  const copied = store.createSession({ sessionID: "s" }, { ...(await store.get("s")), n: 2 });
  await assert.rejects(store.set("s", copied), { code: "ESESSIONEXISTS" });
  assert.equal(recordOf(server, "s").n, 1);
  await new Promise(setImmediate);
  assert.deepEqual(discarded, []);
});

test("a session that is stored under other ids is known under each of them", async () => {
  const server = new Server();
  const store = safeStore(server);
  put(server, "s", HOUR, { n: 0 });
  const session = await load(store, "s");
  for (const sid of ["copy", "s", "copy", "s"]) {
    session.n++;
    const other = await load(store, "s");
    other[`m${session.n}`] = 1;
    await store.set(sid, session);
    await store.set("s", other);
  }
  const [{ cookie: own, ...members }, { cookie: copied, ...copy }] = [recordOf(server, "s"), recordOf(server, "copy")];
  assert.deepEqual(members, { n: 4, m1: 1, m2: 1, m3: 1, m4: 1 });
  assert.deepEqual(copy, { n: 3 });
});

test("a new session is saved again when the answer to its first save was lost", async () => {
  for (const answer of [() => Promise.reject(new Error("closed")), () => new Promise(() => {})]) {
    const server = new Server();
    let commands = 0;
    const store = safeStore(server, { around: async (run) => (++commands === 1 ? run().then(answer) : run()) });
    const session = fresh(store, "s", { n: 1, m: 1 });
    const first = store.set("s", session);
    await Promise.race([first.catch(() => {}), new Promise(setImmediate)]);
    assert.equal(recordOf(server, "s").n, 1);
    session.n = 2;
    await store.set("s", session);
    const { n, m } = recordOf(server, "s");
    assert.deepEqual({ n, m }, { n: 2, m: 1 });
    const other = await load(store, "s");
    other.m = 2;
    await store.set("s", other);
    session.k = 1;
    await store.set("s", session);
    const { cookie, ...members } = recordOf(server, "s");
    assert.deepEqual(members, { n: 2, m: 2, k: 1 });
  }
});

test("a first save that is stored after the second one changes nothing", async () => {
  for (const isAnsweredEarly of [true, false]) {
    const server = new Server();
    const late = {};
    let commands = 0;
    const around = async (run) => {
      if (++commands > 1) return run();
      if (isAnsweredEarly) late.answer = await run();
      await new Promise((resolve) => (late.go = resolve));
      return late.answer ?? run();
    };
    const store = safeStore(server, { around });
    const session = fresh(store, "s", { n: 1 });
    const first = store.set("s", session);
    session.n = 2;
    await store.set("s", session);
    const other = await load(store, "s");
    other.n = 3;
    await store.set("s", other);
    late.go();
    await first;
    session.k = 1;
    await store.set("s", session);
    const { cookie, ...members } = recordOf(server, "s");
    assert.deepEqual(members, { n: 3, k: 1 }, `answered early: ${isAnsweredEarly}`);
  }
});

test("a first save that comes late to a record that only later ones of it have made is no error", async () => {
  const server = new Server();
  let go;
  let commands = 0;
  const around = async (run) => {
    if (++commands === 1) await new Promise((resolve) => (go = resolve));
    return commands === 2 ? run().then(() => Promise.reject(new Error("closed"))) : run();
  };
  const store = safeStore(server, { around });
  const session = fresh(store, "s", { n: 1 });
  const first = store.set("s", session);
  session.n = 2;
  await assert.rejects(store.set("s", session), /closed/);
  commands = 3;
  go();
  await first;
  assert.equal(recordOf(server, "s").n, 2);
});

test("calls come after the writes before them, however long these take", async () => {
  const server = new Server();
  const around = async (run) => (await new Promise(setImmediate), run());
  const store = safeStore(server, { around });
  const discarded = [];
  store.on("discarded", (sid) => discarded.push(sid));

  store.set("new", fresh(store, "new", { n: 1 }));
  assert.equal((await store.get("new")).n, 1);

  const session = fresh(store, "gone", { n: 1 });
  store.set("gone", session);
  session.n = 2;
  store.set("gone", session);
  await store.destroy("gone");
  assert.equal(recordOf(server, "gone"), null);
  await store.set("gone", session);
  assert.equal(recordOf(server, "gone"), null, "a save after that does not bring it back");

  put(server, "known", HOUR, { n: 1 });
  const known = await load(store, "known");
  known.n = 2;
  store.set("known", known);
  await store.touch("known", known);
  assert.equal(recordOf(server, "known").n, 2);
  known.n = 3;
  store.set("known", known);
  assert.equal((await store.get("known")).n, 3);
  known.n = 4;
  store.set("known", known);
  await store.destroy("known");
  assert.equal(recordOf(server, "known"), null);
  await new Promise(setImmediate);
  assert.deepEqual(discarded, ["gone"]);
});

test("a touch keeps the cookie that a save just before it has kept", async () => {
  const server = new Server();
  const [a, b] = [safeStore(server), safeStore(server)];
  put(server, "s", HOUR, { n: 1 });
  const [mine, theirs] = [await load(a, "s"), await load(b, "s")];
  theirs.cookie.maxAge = MONTH;
  await b.set("s", theirs);
  mine.n = 2;
  a.set("s", mine);
  await a.touch("s", mine);
  assert.ok(lives(server, MONTH));
});

test("destroy goes on after a second if the write before it hangs", async () => {
  const server = new Server();
  put(server, "s", HOUR, { n: 1 });
  const store = safeStore(server, { around: () => new Promise(() => {}) });
  const session = await load(store, "s");
  session.n = 2;
  store.set("s", session);
  await store.destroy("s");
  assert.equal(recordOf(server, "s"), null);
});

test("a session that is destroyed between two saves of it that hang is discarded", async () => {
  const server = new Server();
  let commands = 0;
  const around = async (run) => {
    const answer = await run();
    // The first save is stored, but the second one goes on without its answer.
    if (++commands === 1) await new Promise(() => {});
    if (commands === 2) await new Promise((resolve) => new RedisStore(server).destroy("s", resolve));
    return answer;
  };
  const store = safeStore(server, { around });
  const discarded = [];
  store.on("discarded", (sid) => discarded.push(sid));
  const session = fresh(store, "s", { n: 1 });
  store.set("s", session);
  session.n = 2;
  await store.set("s", session);
  await new Promise(setImmediate);
  assert.deepEqual([recordOf(server, "s"), discarded], [null, ["s"]]);
});

test("an id in use is told without scripts, whether they are forbidden or renamed", async () => {
  for (const message of [
    "NOPERM User app has no permissions to run the 'eval' command",
    "ERR unknown command 'EVAL', with args beginning with: 'return redis.call('GET', KEYS[1])' '1' 'test:s' ",
  ]) {
    const server = new Server();
    put(server, "s", HOUR, { n: 1 });
    const around = async (run, [name]) => {
      if (name === "EVAL") throw new Error(message);
      return run();
    };
    const store = safeStore(server, { around });
    await assert.rejects(store.set("s", fresh(store, "s", { n: 2 })), { code: "ESESSIONEXISTS" });
  }
});
