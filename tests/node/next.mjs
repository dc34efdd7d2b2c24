// A real next-session site whose sessions live in Redis: next-session and connect-redis, joined by next-session's own
// `promisifyStore`.
//
//   node next.mjs --url redis://127.0.0.1:6379 [--options '{"cookie":{"maxAge":60}}'] [--secret "keyboard cat"]
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1.
// With --secret, ids are encoded as next-session's README does it for sites that were Express sites before.
//
//   GET /                   {"id":"...","session":{...}}: what the session holds
//   PUT /keys/theme         stores the body, any JSON, under that key of the session
//   GET /logout             destroys the session
//
// All answer with the same JSON as GET /; after a logout it is {"id":null,"session":null}.

import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { RedisStore } from "connect-redis";
import signature from "cookie-signature";
import nextSession from "next-session";
import { promisifyStore } from "next-session/lib/compat";
import { createClient } from "redis";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    options: { type: "string", default: "{}" },
    secret: { type: "string" },
  },
});

const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

const { secret } = options;
const encoding = secret && {
  encode: (id) => `s:${signature.sign(id, secret)}`,
  decode: (raw) => signature.unsign(raw.slice(2), secret),
};
const getSession = nextSession({
  store: promisifyStore(new RedisStore({ client })),
  ...encoding,
  ...JSON.parse(options.options),
});

const server = createServer(async (request, response) => {
  const session = await getSession(request, response);
  const { id } = session;
  const [, route, key] = request.url.split("/");
  if (route === "keys") session[key] = JSON.parse(await text(request));
  if (route === "logout") await session.destroy();
  const body = route === "logout" ? { id: null, session: null } : { id, session };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
