// A real NestJS site on Express whose sessions live in Redis: express-session and connect-redis, as Nest's documentation
// has it. This is plain JavaScript, so decorators are called as functions.
//
//   node nest.mjs --url redis://127.0.0.1:6379 --secret "keyboard cat"
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1.
//
//   GET  /                   {"id":"...","session":{...}}: what the session holds
//   GET  /login?user=ada     starts a new session (a new id) for that user
//   PUT  /keys/theme         stores the body, any JSON, under that key of the session
//   GET  /logout             destroys the session
//
// All answer with the same JSON as GET /; after a logout it is {"id":null,"session":null}.

import "reflect-metadata";
import { parseArgs, promisify } from "node:util";
import { Body, Controller, Get, Module, Param, Put, Query, Req, Session } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { RedisStore } from "connect-redis";
import session from "express-session";
import { createClient } from "redis";

const { values: options } = parseArgs({ options: { url: { type: "string" }, secret: { type: "string" } } });

const show = (request) => ({ id: request.session ? request.sessionID : null, session: request.session ?? null });

class Sessions {
  show(request) {
    return show(request);
  }

  async login(request, user) {
    await promisify(request.session.regenerate).call(request.session);
    request.session.user = user;
    return show(request);
  }

  set(request, session, key, value) {
    session[key] = value;
    return show(request);
  }

  async logout(request) {
    await promisify(request.session.destroy).call(request.session);
    return show(request);
  }
}

/** What `@route method(@parameter …)` says in TypeScript. */
function decorate(method, route, ...parameters) {
  route(Sessions.prototype, method, Object.getOwnPropertyDescriptor(Sessions.prototype, method));
  parameters.forEach((parameter, index) => parameter(Sessions.prototype, method, index));
}
decorate("show", Get("/"), Req());
decorate("login", Get("/login"), Req(), Query("user"));
decorate("set", Put("/keys/:key"), Req(), Session(), Param("key"), Body());
decorate("logout", Get("/logout"), Req());
Controller()(Sessions);

class App {}
Module({ controllers: [Sessions] })(App);

const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

const app = await NestFactory.create(App, { logger: ["error"] });
app.use(
  session({
    store: new RedisStore({ client }),
    secret: options.secret,
    resave: false,
    saveUninitialized: false,
  }),
);
// The body is JSON whatever its type says, as in the other programs here.
app.useBodyParser("json", { strict: false, type: () => true });
await app.listen(0, "127.0.0.1");
console.log(JSON.stringify({ port: app.getHttpServer().address().port }));
