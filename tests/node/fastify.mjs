// A real Fastify site whose sessions live in Redis: @fastify/session with the store of connect-redis.
//
//   node fastify.mjs --url redis://127.0.0.1:6379 --secret "thirty-two characters or more ..."
//                    [--options '{"cookie":{"maxAge":60000}}']
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1.
// --secret can be given more than once: the first one signs, all of them verify.
//
//   GET /                   {"id":"...","session":{...}}: what the session holds
//   PUT /keys/theme         stores the body, any JSON, under that key of the session
//   GET /logout             destroys the session
//
// All answer with the same JSON as GET /; after a logout it is {"id":null,"session":null}.

import { parseArgs } from "node:util";
import cookie from "@fastify/cookie";
import session from "@fastify/session";
import { RedisStore } from "connect-redis";
import fastify from "fastify";
import { createClient } from "redis";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    options: { type: "string", default: "{}" },
    secret: { type: "string", multiple: true },
  },
});

const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

const { cookie: attributes, ...others } = JSON.parse(options.options);
const app = fastify();
await app.register(cookie);
await app.register(session, {
  store: new RedisStore({ client }),
  secret: options.secret,
  saveUninitialized: false,
  cookie: { secure: false, ...attributes },
  ...others,
});
// The body is JSON whatever its type says, as in the other programs here.
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", { parseAs: "string" }, (request, body, done) => done(null, JSON.parse(body)));

const show = (request) => ({ id: request.session.sessionId, session: request.session });

app.get("/", async (request) => show(request));
app.put("/keys/:key", async (request) => {
  request.session.set(request.params.key, request.body);
  return show(request);
});
app.get("/logout", async (request) => {
  await request.session.destroy();
  return { id: null, session: null };
});

await app.listen({ port: 0, host: "127.0.0.1" });
console.log(JSON.stringify({ port: app.server.address().port }));
