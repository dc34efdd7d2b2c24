// What a safe store does, on one variant: VARIANT and URL name it. EXPRESS is the package, of version 4 or 5.
//
//   VARIANT='connect-redis 10, node-redis 5' URL=redis://127.0.0.1:6379 EXPRESS=express node --test safe/cases.test.mjs

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { safe } from "../../../compat/express/index.mjs";
import { call, held, sessionsOn, siteOn } from "./site.mjs";
import { variants } from "./variants.mjs";

const { VARIANT, URL: url, EXPRESS: express } = process.env;
assert.ok(Object.hasOwn(variants, VARIANT), `VARIANT is one of ${Object.keys(variants).join("; ")}`);
const variant = await variants[VARIANT](url);
const closing = [() => variant.close()];
after(async () => {
  for (const close of closing.reverse()) await close();
});

async function siteWith(store, options) {
  const site = await siteOn(express, sessionsOn(store, options));
  closing.push(() => site.close());
  return site;
}

// Two safe processes, and one as it comes. Kruptein derives a key for each call and holds up the whole process, so they
// have time.
const patient = { deadline: 600_000 };
const [storeA, storeB, plainStore] = [await variant.safe(patient), await variant.safe(patient), await variant.store()];
const [a, b, plain] = [await siteWith(storeA), await siteWith(storeB), await siteWith(plainStore)];

/** Stores a session with these members, and returns its id. */
async function start(members) {
  const { sid, status } = await a.ask((request) => void Object.assign(request.session, members));
  assert.equal(status, 200);
  return sid;
}
const set = (members) => (request) => void Object.assign(request.session, members);
/** What the store as it comes finds. */
async function stored(sid) {
  const value = await call(plainStore, "get", sid);
  if (!value) return null;
  const { cookie, lastModified, ...members } = value;
  return members;
}
const cookieIn = async (sid) => (await call(plainStore, "get", sid)).cookie;

test("requests that meet keep each other's members", async () => {
  const sid = await start({ a: 1, b: 1, gone: 1, deep: { list: [1] } });
  const first = held(a, sid, ({ session }) => {
    session.a = 2;
    session.deep.list.push(2);
    delete session.gone;
  });
  await first.isInside;
  await b.ask(set({ b: 2, theirs: { n: 1 } }), sid);
  assert.equal((await first.end()).status, 200);
  assert.deepEqual(await stored(sid), { a: 2, b: 2, deep: { list: [1, 2] }, theirs: { n: 1 } });
});

test("within one member the last writer wins", async () => {
  const sid = await start({ n: 1 });
  const first = held(a, sid, set({ n: 2 }));
  await first.isInside;
  await b.ask(set({ n: 3 }), sid);
  await first.end();
  assert.deepEqual(await stored(sid), { n: 2 });
});

test("a member that was changed back, and one that was only read, is no change", async () => {
  const sid = await start({ n: 1, read: { deep: 1 } });
  const first = held(a, sid, ({ session }) => {
    session.n = 2;
    session.n = 1;
    session.mine = session.read.deep;
  });
  await first.isInside;
  await b.ask(set({ n: 5, read: 5 }), sid);
  await first.end();
  assert.deepEqual(await stored(sid), { n: 5, read: 5, mine: 1 });
});

test("a process without the package finds and keeps the same records", async () => {
  const sid = await start({ n: 1 });
  assert.equal((await plain.ask(({ session }) => session.n, sid)).text, "1");
  await plain.ask(set({ plain: 1 }), sid);
  await a.ask(set({ safe: 1 }), sid);
  const { text } = await plain.ask(({ session: { n, plain, safe } }) => JSON.stringify([n, plain, safe]), sid);
  assert.equal(text, "[1,1,1]");
  await plain.ask((request) => promisify(request.session.destroy.bind(request.session))(), sid);
  assert.equal(await stored(sid), null);
});

test("a safe request keeps what a process without the package writes meanwhile", async () => {
  const sid = await start({ n: 1 });
  const first = held(a, sid, set({ mine: 1 }));
  await first.isInside;
  await plain.ask(set({ plain: 1 }), sid);
  await first.end();
  assert.deepEqual(await stored(sid), { n: 1, plain: 1, mine: 1 });
});

test("a logout wins over requests that end after it", async () => {
  const sid = await start({ n: 1 });
  const discarded = [];
  storeA.on("discarded", (id) => discarded.push(id));
  const writer = held(a, sid, set({ n: 2 }));
  const saver = held(a, sid, async ({ session }) => {
    session.n = 3;
    await promisify(session.save.bind(session))();
    session.n = 4;
  });
  const reader = held(a, sid, () => "");
  await Promise.all([writer.isInside, saver.isInside, reader.isInside]);
  await b.ask((request) => promisify(request.session.destroy.bind(request.session))(), sid);
  for (const request of [writer, saver, reader]) {
    assert.equal((await request.end()).status, 200);
    assert.equal(await stored(sid), null);
    assert.equal(await variant.raw.get(sid), null);
  }
  assert.ok(discarded.length >= 2 && discarded.every((id) => id === sid));
});

test("a session that is saved twice, touched, reloaded and regenerated", async () => {
  const sid = await start({ n: 1 });
  const { sid: moved, status } = await a.ask(async (request) => {
    const call = (method) => promisify(request.session[method].bind(request.session))();
    request.session.n = 2;
    await call("save");
    await b.ask(set({ theirs: 1, n: 3 }), sid);
    // Not changed since the first time, so the other request's value stays.
    request.session.m = 1;
    await call("save");
    assert.deepEqual(await stored(sid), { n: 3, theirs: 1, m: 1 });
    assert.equal(request.session.theirs, undefined, "the session of the request does not change by itself");
    await call("reload");
    assert.deepEqual([request.session.n, request.session.theirs], [3, 1]);
    delete request.session.m;
    request.session.touch();
    await call("save");
    assert.deepEqual(await stored(sid), { n: 3, theirs: 1 });
    await call("regenerate");
    request.session.fresh = true;
  }, sid);
  assert.equal(status, 200);
  assert.equal(await stored(sid), null);
  assert.deepEqual(await stored(moved), { fresh: true });
});

test("two saves at once are stored one after the other", async () => {
  const sid = await start({ n: 0 });
  await a.ask(async (request) => {
    const save = () => promisify(request.session.save.bind(request.session))();
    const saves = [1, 2, 3].map((n) => {
      request.session.n = n;
      request.session[`m${n}`] = n;
      return save();
    });
    await Promise.all(saves);
  }, sid);
  assert.deepEqual(await stored(sid), { n: 3, m1: 1, m2: 2, m3: 3 });
});

for (const [how, save] of [
  ["it was saved", ({ session }) => void session.save(() => {})],
  ["it was saved twice", ({ session }) => {
    session.save(() => {});
    session.n = 2;
    session.save(() => {});
  }],
  ["the response was sent", (request, response) => void response.send("sent")],
]) {
  test(`a new session that is destroyed just after ${how} is gone`, async () => {
    for (const isRegenerated of [false, true]) {
      let sid;
      let destroyed;
      await a.ask(async (request, response) => {
        if (isRegenerated) await promisify(request.session.regenerate.bind(request.session))();
        const { session } = request;
        sid = session.id;
        session.n = 1;
        save(request, response);
        destroyed = promisify(session.destroy.bind(session))();
        await destroyed;
      });
      await destroyed;
      assert.equal(await stored(sid), null);
      assert.equal(await variant.raw.get(sid), null);
    }
  });
}

test("a call finds what was saved just before it", async () => {
  const { sid, status, text } = await a.ask(async (request) => {
    const call = (method) => promisify(request.session[method].bind(request.session))();
    request.session.n = 1;
    request.session.save(() => {});
    await call("reload");
    assert.equal(request.session.n, 1);
    request.session.n = 2;
    request.session.save(() => {});
    await call("reload");
    assert.equal(request.session.n, 2);
  });
  assert.equal(status, 200, text);
  // express-session waits for no save but its own, and then touches.
  const saved = await a.ask(({ session }) => {
    session.n = 3;
    session.save(() => {});
  }, sid);
  assert.equal(saved.status, 200);
  assert.deepEqual(await stored(sid), { n: 3 });
});

for (const options of [{ resave: true }, { rolling: true }, { resave: true, rolling: true, saveUninitialized: true }]) {
  test(`requests that only read lose nothing with ${JSON.stringify(options)}`, async () => {
    const site = await siteWith(await variant.safe(), options);
    const sid = await start({ n: 1 });
    const reader = held(site, sid, ({ session }) => session.n);
    await reader.isInside;
    await b.ask(set({ n: 2, theirs: 1 }), sid);
    assert.equal((await reader.end()).text, "1");
    assert.deepEqual(await stored(sid), { n: 2, theirs: 1 });
    const late = held(site, sid, () => "");
    await late.isInside;
    await b.ask((request) => promisify(request.session.destroy.bind(request.session))(), sid);
    await late.end();
    assert.equal(await variant.raw.get(sid), null);
  });
}

test("a new session is stored, with saveUninitialized also an empty one", async () => {
  const { sid } = await a.ask(() => "");
  assert.equal(sid, undefined);
  const site = await siteWith(await variant.safe(), { saveUninitialized: true });
  const { sid: empty } = await site.ask(() => "");
  assert.deepEqual(await stored(empty), {});
  await site.ask(set({ n: 1 }), empty);
  assert.deepEqual(await stored(empty), { n: 1 });
});

test("a new session does not replace one that has its id", async () => {
  const sid = await start({ n: 1 });
  const site = await siteWith(await variant.safe(), { genid: () => sid });
  const { status, text } = await site.ask(async (request) => {
    request.session.n = 2;
    await promisify(request.session.save.bind(request.session))();
  });
  assert.equal(status, 500);
  assert.match(text, /^ESESSIONEXISTS safe: the session was not stored, because its id is in use/);
  assert.ok(!text.includes(sid));
  assert.deepEqual(await stored(sid), { n: 1 });
});

/** Lets a store do what it is asked next, and lose the answer. */
async function loseNextAnswer(store) {
  const [client, method] = store.collectionP
    ? [await store.collectionP, "updateOne"]
    : [store.client, store.getKey ? "add" : "sendCommand"];
  const original = client[method];
  client[method] = (...values) => {
    client[method] = original;
    const lost = () => Promise.reject(new Error("the answer was lost"));
    if (typeof values.at(-1) !== "function") return original.apply(client, values).then(lost);
    const callback = values.pop();
    return original.call(client, ...values, () => lost().catch(callback));
  };
}

// connect-redis 7 does not keep its client.
const keepsNoClient = VARIANT.startsWith("connect-redis 7");
test("a new session is saved again when the answer to its first save was lost", { skip: keepsNoClient }, async () => {
  const store = await variant.safe(patient);
  const site = await siteWith(store);
  await loseNextAnswer(store);
  const { sid, status, text } = await site.ask(async ({ session }) => {
    session.user = { n: 1, at: new Date(7) };
    const save = () => promisify(session.save.bind(session))();
    await assert.rejects(save(), /the answer was lost/);
    session.n = 2;
    await save();
    session.m = 3;
  });
  assert.equal(status, 200, text);
  const { user, ...rest } = await stored(sid);
  assert.deepEqual([user.n, rest], [1, { n: 2, m: 3 }]);
});

test("a cookie that another request has changed stays", async () => {
  const sid = await start({ n: 1 });
  const month = 20 * 86_400_000;
  // express-session does not save a session of which only the cookie was changed.
  const remember = (maxAge) => ({ session }) => {
    session.cookie.maxAge = maxAge;
    session.remembered = maxAge;
  };
  const first = held(a, sid, set({ n: 2 }));
  const second = held(a, sid, remember(5_000_000));
  await Promise.all([first.isInside, second.isInside]);
  await b.ask(remember(month), sid);
  await first.end();
  const kept = await cookieIn(sid);
  assert.ok(Math.abs(kept.originalMaxAge - month) < 1_000, JSON.stringify(kept));
  assert.ok(new Date(kept.expires) - Date.now() > month - 600_000);
  if (variant.raw.secondsLeft) assert.ok((await variant.raw.secondsLeft(sid)) > month / 1000 - 600);
  await second.end();
  const own = await cookieIn(sid);
  assert.ok(Math.abs(own.originalMaxAge - 5_000_000) < 1_000, "one that this request has changed wins");
});

for (const [how, end] of [["saves again", set({ last: 1 })], ["only touches then", () => ""]]) {
  test(`a cookie that another request has changed stays when a request that has saved ${how}`, async () => {
    const sid = await start({ n: 1 });
    const month = 20 * 86_400_000;
    const request = held(a, sid, async (request) => {
      request.session.n = 2;
      await promisify(request.session.save.bind(request.session))();
      return end(request);
    });
    await request.isInside;
    await b.ask(({ session }) => {
      session.remembered = 1;
      session.cookie.maxAge = month;
    }, sid);
    assert.equal((await request.end()).status, 200);
    const kept = await cookieIn(sid);
    assert.ok(Math.abs(kept.originalMaxAge - month) < 1_000, JSON.stringify(kept));
    if (variant.raw.secondsLeft) assert.ok((await variant.raw.secondsLeft(sid)) > month / 1000 - 600);
  });
}

test("application code that gets and sets without a request loses nothing", async () => {
  const sid = await start({ n: 1, m: 1 });
  const value = await call(storeA, "get", sid);
  assert.deepEqual(Object.keys(value).filter((name) => name !== "lastModified").sort(), ["cookie", "m", "n"]);
  assert.equal(Object.getOwnPropertySymbols(value).length, 0);
  await b.ask(set({ n: 2 }), sid);
  value.m = 2;
  await call(storeA, "set", sid, value);
  assert.deepEqual(await stored(sid), { n: 2, m: 2 });
  const session = await call(storeA, "load", sid);
  session.loaded = true;
  await promisify(session.save.bind(session))();
  assert.deepEqual(await stored(sid), { n: 2, m: 2, loaded: true });
  // A copy was never loaded.
  await assert.rejects(call(storeA, "set", sid, { ...value, m: 3 }), { code: "ESESSIONEXISTS" });
  const other = randomUUID();
  await call(storeA, "set", other, { cookie: { originalMaxAge: null, expires: null, path: "/" }, n: 1 });
  assert.deepEqual(await stored(other), { n: 1 });
  assert.ok(!(await call(storeA, "get", randomUUID())));
});

test("a session that is stored under a second id keeps its own writes", async () => {
  for (const isNew of [false, true]) {
    const other = randomUUID();
    const known = isNew ? undefined : await start({ n: 0 });
    const { sid = known, status, text } = await a.ask(async ({ session, sessionStore }) => {
      session.n = 1;
      await call(sessionStore, "set", other, session);
      session.n = 2;
      await promisify(session.save.bind(session))();
      session.n = 3;
      await call(sessionStore, "set", other, session);
      session.n = 4;
    }, known);
    assert.equal(status, 200, text);
    assert.deepEqual([await stored(sid), await stored(other)], [{ n: 4 }, { n: 3 }]);
  }
});

test("createSession makes a new session of data that get has not found under its id", async () => {
  const sid = await start({ n: 1 });
  const sessionOf = (sessionID, data) => storeA.createSession({ sessionID, sessionStore: storeA }, data);
  const save = (session) => promisify(session.save.bind(session))();
  const cookie = { originalMaxAge: 600_000, expires: new Date(Date.now() + 600_000), path: "/" };
  const [fresh, moved, known] = [randomUUID(), randomUUID(), await call(storeA, "get", sid)];
  await save(sessionOf(fresh, { cookie, user: 7 }));
  assert.deepEqual(await stored(fresh), { user: 7 });
  await save(sessionOf(moved, known));
  assert.deepEqual([await stored(moved), await stored(sid)], [{ n: 1 }, { n: 1 }]);
  // A session that is there is not replaced.
  await assert.rejects(save(sessionOf(sid, { cookie, user: 7 })), { code: "ESESSIONEXISTS" });
  const request = { sessionID: sid, sessionStore: storeA };
  const session = storeA.createSession(request, await call(storeA, "get", sid));
  assert.equal(request.session, session);
  await b.ask(set({ m: 2 }), sid);
  session.n = 2;
  await save(session);
  assert.deepEqual(await stored(sid), { n: 2, m: 2 });
});

test("two middlewares share a safe store", async () => {
  const store = await variant.safe();
  const site = await siteOn(express, sessionsOn(store, { name: "other" }), sessionsOn(store));
  closing.push(() => site.close());
  const own = await siteWith(store);
  const sid = await start({ n: 1 });
  const first = held(own, sid, set({ mine: 1 }));
  await first.isInside;
  // The first of the two makes a session, and the second one leaves it.
  assert.equal((await site.ask(set({ n: 9 }), sid)).status, 200);
  await own.ask(set({ theirs: 1 }), sid);
  await first.end();
  assert.deepEqual(await stored(sid), { n: 1, mine: 1, theirs: 1 });
});

test("many requests at once lose nothing", async () => {
  const sid = await start({ n: 1 });
  const requests = Array.from({ length: 60 }, (_, n) => [a, b][n % 2].ask(set({ [`w${n}`]: n }), sid));
  for (const { status, text } of await Promise.all(requests)) assert.equal(status, 200, text);
  assert.equal(Object.keys(await stored(sid)).length, 61);
});

test("values of 2 MB and of any characters", { skip: VARIANT.startsWith("connect-memcached") }, async () => {
  const big = "ä\u2028\ud83d\ude00\"\\".repeat(200_000);
  const sid = await start({ n: 1 });
  const first = held(a, sid, set({ big }));
  await first.isInside;
  await b.ask(set({ n: 2 }), sid);
  await first.end();
  assert.deepEqual(await stored(sid), { n: 2, big });
});

test("a session that cannot be written is an error, once", async () => {
  const sid = await start({ n: 1 });
  const value = await call(storeA, "get", sid);
  value.circle = value;
  await assert.rejects(call(storeA, "set", sid, value));
  await assert.rejects(storeA.set(sid, value));
  assert.deepEqual(await stored(sid), { n: 1 });
});

test("calls without a callback are promises", async () => {
  const sid = await start({ n: 1 });
  const value = await storeA.get(sid);
  assert.equal(value.n, 1);
  await storeA.touch(sid, value);
  await storeA.destroy(sid);
  assert.equal(await stored(sid), null);
});

test("records that only texts can hold stay as they are", { skip: !variant.isText }, async () => {
  const sid = randomUUID();
  const cookie = '"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}';
  const odd = '"big":12345678901234567890,"one":1.0, "save":[1],"half":"\\ud83d","n":1';
  await variant.raw.set(sid, `{${cookie},${odd}}`);
  const first = held(a, sid, set({ mine: 1 }));
  await first.isInside;
  await b.ask(({ session }) => void delete session.n, sid);
  await first.end();
  assert.equal(await variant.raw.get(sid), `{${cookie},${odd.replace(',"n":1', "")},"mine":1}`);
});

const hasIds = /^connect-mongo.*stringify: false$/.test(VARIANT) && !VARIANT.includes("crypto");
test("a value of MongoDB that becomes its text, or the other way round, is a change", { skip: !hasIds }, async () => {
  const { ObjectId } = createRequire(import.meta.url)(VARIANT.includes("mongo 5") ? "mongodb-6" : "mongodb");
  const [id, text] = [new ObjectId(), String(new ObjectId())];
  const sid = await start({ user: id, text, deep: { id }, same: id, n: 1 });
  const first = held(a, sid, ({ session }) => {
    session.mine = 1; // Otherwise express-session sees no change, since it compares what JSON.stringify shows.
    session.user = String(session.user);
    session.text = new ObjectId(session.text);
    session.deep.id = String(session.deep.id);
  });
  await first.isInside;
  await b.ask(set({ n: 2, same: "theirs" }), sid);
  await first.end();
  const hex = String(id);
  const members = { user: hex, text: new ObjectId(text), deep: { id: hex }, same: "theirs", n: 2, mine: 1 };
  assert.deepEqual(await stored(sid), members);
});

test("a session is stored as the store without the package stores it", async () => {
  const options = { cookie: { maxAge: null } };
  const ours = await siteWith(await variant.safe(), options);
  const theirs = await siteWith(await variant.store(), options);
  const steps = [
    set({ user: { id: 7, tags: ["a", "ä"] }, 1: "one", n: 1.5 }),
    set({ n: 2, "new": null, later: [] }),
    ({ session }) => void delete session.user,
  ];
  const records = [];
  for (const site of [ours, theirs]) {
    let sid;
    for (const step of steps) sid = (await site.ask(step, sid)).sid ?? sid;
    const record = await variant.raw.get(sid);
    // What is encrypted differs each time.
    records.push(/crypto|secret/.test(VARIANT) ? await stored(sid) : record);
  }
  assert.deepEqual(records[0], records[1]);
});

const skip = !variant.withSecret;
test("what cannot be encrypted or decrypted is an error, once, and not stored", { skip }, async () => {
  const sid = randomUUID();
  const session = { cookie: { originalMaxAge: null, expires: null }, n: 1 };
  // connect-memcached calls back with the error, and then stores the session in plain text.
  await assert.rejects(call(safe(variant.withSecret("aaBB11!x")), "set", sid, session), /complexity/);
  assert.equal(await variant.raw.get(sid), null);
  await call(variant.withSecret(undefined), "set", sid, session);
  await assert.rejects(call(storeA, "get", sid), Error);
});

test("touch extends a session, and brings none back", async () => {
  const sid = await start({ n: 1 });
  const value = await call(storeA, "load", sid);
  value.cookie.maxAge = 9_000_000;
  delete value.lastModified; // With touchAfter, connect-mongo leaves a fresh session alone.
  value.ignored = 1;
  await call(storeA, "touch", sid, value);
  assert.deepEqual(await stored(sid), { n: 1 });
  if (variant.raw.secondsLeft) assert.ok((await variant.raw.secondsLeft(sid)) > 8_000);
  await call(storeA, "destroy", sid);
  await call(storeA, "touch", sid, value);
  assert.equal(await variant.raw.get(sid), null);
});

test("an expired document is gone, and can be replaced", { skip: !variant.raw.sessions }, async () => {
  const sid = await start({ n: 1 });
  const [value, late] = [await call(storeA, "load", sid), await call(storeA, "load", sid)];
  const past = { $set: { expires: new Date(Date.now() - 1_000) } };
  const id = VARIANT.includes("transformId") ? `id-${sid}` : sid;
  assert.equal((await variant.raw.sessions.updateOne({ _id: id }, past)).matchedCount, 1);
  late.n = 2;
  await promisify(late.save.bind(late))();
  delete value.lastModified;
  await call(storeA, "touch", sid, value);
  assert.equal(await stored(sid), null);
  const fresh = { cookie: { originalMaxAge: null, expires: null, path: "/" }, fresh: 1 };
  await call(storeA, "set", sid, fresh);
  assert.deepEqual(await stored(sid), { fresh: 1 });
});

test("a session of less than a second expires, and one whose time is over is gone at once", async () => {
  const live = (maxAge) => ({ session }) => {
    session.n = 2;
    session.cookie.maxAge = maxAge;
  };
  for (const maxAge of [400, -1_000]) {
    const sid = await start({ n: 1 });
    assert.equal((await a.ask(live(maxAge), sid)).status, 200);
    if (maxAge < 0) assert.equal(await stored(sid), null);
    const ends = Date.now() + 30_000;
    while ((await stored(sid)) && Date.now() < ends) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await stored(sid), null, String(maxAge));
  }
});
