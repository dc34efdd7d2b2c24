// A small Express site for one test: requests with a cookie, whose handlers a test passes in.

import http from "node:http";
import { createRequire } from "node:module";
import session from "express-session";

const require = createRequire(import.meta.url);
const { sign } = createRequire(require.resolve("express-session"))("cookie-signature");
const SECRET = "keyboard cat";

/** express-session with the options that a careful application has, over which others can be given. */
export const sessionsOn = (store, options) =>
  session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie: { maxAge: 600_000 }, ...options });

export const cookieOf = (sid, name = "connect.sid") => `${name}=${encodeURIComponent(`s:${sign(sid, SECRET)}`)}`;

/**
 * Serves requests through middlewares. `ask(handler, sid)` sends one with the cookie of a session, and resolves to its
 * status, its text and the id of the cookie that it sets.
 */
export async function siteOn(express, ...middlewares) {
  const app = require(express)();
  const handlers = [];
  app.use(...middlewares);
  app.use((request, response, next) => {
    const handler = handlers[request.headers["x-handler"]];
    Promise.resolve(handler(request, response)).then((value) => response.end(String(value ?? "")), next);
  });
  app.use((error, request, response, next) => {
    if (response.headersSent) return next(error);
    response.status(500).end(`${error.code ?? ""} ${error.message}`);
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));

  function ask(handler, sid) {
    const headers = { "x-handler": handlers.push(handler) - 1 };
    if (sid) headers.cookie = cookieOf(sid);
    return new Promise((resolve, reject) => {
      const request = http.get({ port: server.address().port, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => (text += part));
        response.on("end", () => {
          const line = response.headers["set-cookie"]?.[0];
          const set = line && decodeURIComponent(line).match(/=s:([^.]+)\./)?.[1];
          resolve({ status: response.statusCode, text, sid: set });
        });
      });
      request.on("error", reject);
    });
  }
  async function close() {
    // A test that has failed can leave requests behind.
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  return { ask, close };
}

/** A request that waits in its handler, between the load of its session and its end. */
export function held(site, sid, change) {
  let inside;
  let release;
  const isInside = new Promise((resolve) => (inside = resolve));
  const mayGo = new Promise((resolve) => (release = resolve));
  const answer = site.ask(async (request) => {
    inside();
    await mayGo;
    return change(request);
  }, sid);
  return {
    isInside,
    end() {
      release();
      return answer;
    },
  };
}

/** Calls a method of a store, and fails if it calls back more than once. */
export function call(store, method, ...values) {
  return new Promise((resolve, reject) => {
    let calls = 0;
    store[method](...values, (error, value) => {
      if (++calls > 1) throw new Error(`${method} called back twice`);
      if (error) reject(error);
      else resolve(value);
    });
  });
}
