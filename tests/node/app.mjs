// A real Express app whose sessions live in Redis: express-session and connect-redis, as they come.
//
//   node app.mjs --url redis://127.0.0.1:6379 --secret "keyboard cat" [--port 3000]
//                [--options '{"rolling":true,"cookie":{"maxAge":60000}}'] [--prefix sess:]
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1; without --port it takes a free one.
// --secret can be given more than once: the first one signs, all of them verify.
// --options are options of express-session, over { resave: false, saveUninitialized: false }.
//
//   GET  /                   {"id":"...","session":{...}}: what the session holds
//   GET  /login?user=ada     starts a new session (a new id) for that user
//   PUT  /keys/theme         stores the body, any JSON, under that key of the session
//   GET  /logout             destroys the session
//
// All answer with the same JSON as GET /; after a logout it is {"id":null,"session":null}.

import { parseArgs } from "node:util";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    secret: { type: "string", multiple: true },
    port: { type: "string", default: "0" },
    prefix: { type: "string", default: "sess:" },
    options: { type: "string", default: "{}" },
  },
});

// Without a listener for errors, an outage of the server would end this program.
const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

const app = express();
app.use(
  session({
    store: new RedisStore({ client, prefix: options.prefix }),
    secret: options.secret,
    resave: false,
    saveUninitialized: false,
    ...JSON.parse(options.options),
  }),
);
app.use(express.json({ strict: false }));

const show = (request, response) =>
  response.json({ id: request.session ? request.sessionID : null, session: request.session ?? null });

app.get("/", show);

app.get("/login", (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error);
    request.session.user = request.query.user;
    show(request, response);
  });
});

app.put("/keys/:key", (request, response) => {
  request.session[request.params.key] = request.body;
  show(request, response);
});

app.get("/logout", (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : show(request, response)));
});

const server = app.listen(Number(options.port), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(JSON.stringify({ port: server.address().port }));
});
