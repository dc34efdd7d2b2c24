// The Express side of the example `side_by_side`: express-session and connect-redis, as they come.
//
//   node shop.mjs --url redis://127.0.0.1:6379 --secret "keyboard cat"
//
// Prints {"port":3000} when it listens on that free port of 127.0.0.1. The Rust side is examples/side_by_side/shop.rs,
// which serves the same page.

import { readFileSync } from "node:fs";
import { parseArgs, promisify } from "node:util";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const { values: options } = parseArgs({ options: { url: { type: "string" }, secret: { type: "string" } } });
const template = readFileSync(new URL("../../examples/side_by_side/page.html", import.meta.url), "utf8");
const client = createClient({ url: options.url }).on("error", (error) => console.error(String(error)));
await client.connect();

const app = express();
app.use(express.urlencoded());

// Where requests meet, two and two: one that has read the session, and one that may write it.
const meeting = () => {
  let other;
  return () =>
    new Promise((resolve) => {
      if (!other) return (other = resolve);
      other();
      other = undefined;
      resolve();
    });
};
const [hasRead, mayWrite] = [meeting(), meeting()];
app.post("/express/has-read", async (_, response) => response.end(await hasRead()));
app.post("/express/may-write", async (_, response) => response.end(await mayWrite()));

app.use(
  session({
    store: new RedisStore({ client }),
    secret: options.secret,
    resave: false,
    saveUninitialized: false,
  }),
);

// express-session sends the head of a response before it has written the session, and a browser follows a redirect at
// once; so it is written here.
const saved = async (request, response) => {
  await promisify(request.session.save).call(request.session);
  response.redirect(303, "/express");
};

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

app.get("/express", ({ session }, response) => {
  const items = (items, by) => items.map((item) => `<li data-by="${by}">${escape(item)}</li>`).join("");
  const rust = Object.keys(session).filter((name) => name.startsWith("rust:")).map((name) => name.slice(5));
  const values = {
    side: "Express",
    path: "/express",
    with: "express-session and connect-redis",
    who: session.user === undefined ? "guest" : "member",
    user: escape(session.user ?? ""),
    cart: items(session.express ?? [], "Express") + items(rust, "Rust"),
  };
  response.send(template.replace(/{{(\w+)}}/g, (_, name) => values[name]));
});

app.post("/express/login", async (request, response) => {
  await promisify(request.session.regenerate).call(request.session);
  request.session.user = request.body.user;
  await saved(request, response);
});

app.post("/express/add", async (request, response) => {
  if (request.session.user === undefined) return response.redirect(303, "/express");
  if (request.body.meet) {
    await hasRead();
    await mayWrite();
  }
  const cart = (request.session.express ??= []);
  if (!cart.includes(request.body.item)) cart.push(request.body.item);
  await saved(request, response);
});

app.post("/express/logout", async (request, response) => {
  await promisify(request.session.destroy).call(request.session);
  response.redirect(303, "/express");
});

const server = app.listen(0, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(JSON.stringify({ port: server.address().port }));
});
