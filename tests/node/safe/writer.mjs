// An Express app on a real npm store, safe or as it comes: one of the processes of tests/express that write at once.
//
//   node safe/writer.mjs --store redis-10 --url redis://127.0.0.1:6379 --express express-4 [--safe]
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1. `tests/src/bin/serve.rs` has the same routes.
//
//   GET /add/x     adds the member `x` to the session
//   GET /hold/x    the same, but first waits, with its session loaded, until it is let go
//   GET /held      how many requests wait
//   GET /release   lets them go
//   GET /logout    destroys the session

import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import session from "express-session";
import { safe } from "../../../compat/express/index.mjs";

const { values } = parseArgs({
  options: {
    store: { type: "string" },
    url: { type: "string" },
    express: { type: "string" },
    safe: { type: "boolean", default: false },
  },
});

const [family, version] = values.store.split("-");
const { open } = await import(`../stores/${family}.mjs`);
const opened = await open[version]({ url: values.url, options: {} });
// No machine is too slow for it.
const store = values.safe ? safe(opened, { deadline: 600_000 }) : opened;

let waiting = [];
const app = createRequire(import.meta.url)(values.express)();
app.get("/held", (request, response) => response.end(String(waiting.length)));
app.get("/release", (request, response) => {
  const released = waiting;
  waiting = [];
  released.forEach((go) => go());
  response.end();
});
const options = { resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 } };
app.use(session({ store, secret: "keyboard cat", ...options }));
app.get("/add/:name", (request, response) => {
  request.session[request.params.name] = 1;
  response.end();
});
app.get("/hold/:name", (request, response) => {
  waiting.push(() => {
    request.session[request.params.name] = 1;
    response.end();
  });
});
app.get("/logout", (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.end()));
});

const server = app.listen(0, "127.0.0.1", 512, () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on("end", () => process.exit()).resume();
