// The Express side of tests/shop: a shop as many Express apps have it, from the packages that they use. Passport
// with passport-local and passport-remember-me, connect-flash and csurf.
//
//   node passport_shop.mjs --url redis://127.0.0.1:6379 --store redis-10 --secret "keyboard cat" --passport 0.7 [--keep]
//
// Prints {"port":3000} when it listens on that port of 127.0.0.1.
// --store is a store of the folder `stores`, --passport is 0.5, 0.6 or 0.7, and --keep is Passport's `keepSessionInfo`.
//
//   GET  /                  {"user":"ann","cart":["tea"],"csrf":"…","flash":{"info":["…"]}}: the page; messages are shown once
//   GET  /me                the same without the messages
//   GET  /account           401 unless somebody is logged in
//   POST /add               {"_csrf":"…","item":"tea"}
//   POST /login             {"_csrf":"…","username":"ann","password":"ann's password","remember":true}
//   POST /logout            {"_csrf":"…"}
//
// A POST is answered with a redirect, and with 403 when the token is wrong.
//
// What Passport can leave in a session, for the test of the guard; none of it asks for a token:
//
//   GET  /states/me                     {"authenticated":true,"user":"ann","cart":["tea"]}: what `req.isAuthenticated()`
//                                       says
//   GET  /states/visit                  stores a member of another kind
//   GET  /states/login?user="ann"       logs in a user that `serializeUser` gives this JSON for; "gone" is not found by
//                                       the next request, and "broken" makes it fail
//   GET  /states/login?…&session=no     as `session: false`
//   GET  /states/logout                 &callback=no: without the callback that Passport asks for since 0.6
//   PUT  /states/passport               stores the body, any JSON, as the member `passport`
//
// `keep` in the query is `keepSessionInfo` there. Below /middlewares are the routes of `middlewares.mjs`.

import { randomBytes } from "node:crypto";
import { parseArgs, promisify } from "node:util";
import flash from "connect-flash";
import cookieParser from "cookie-parser";
import csurf from "csurf";
import express from "express";
import session from "express-session";
import { Strategy as LocalStrategy } from "passport-local";
import rememberMe from "passport-remember-me";
import { Messages, middlewares } from "./middlewares.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    store: { type: "string" },
    secret: { type: "string" },
    passport: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const [family, version] = options.store.split("-");
const { open } = await import(`./stores/${family}.mjs`);
const store = await open[version]({ url: options.url, options: {} });
const { default: passport } = await import(
  { 0.5: "passport-5", 0.6: "passport-6", 0.7: "passport" }[options.passport]
);

// The tokens of those who are remembered are good for one login. They are records in the sessions' store, so that both
// sides have them.
const WEEK = 7 * 24 * 3_600_000;
const asked = (name, ...values) => promisify(store[name]).call(store, ...values);
const issue = async (user) => {
  const token = randomBytes(16).toString("hex");
  await asked("set", `remember-${token}`, { cookie: new session.Cookie({ maxAge: WEEK }), user });
  return token;
};
const consume = async (token) => {
  const record = await asked("get", `remember-${token}`);
  await asked("destroy", `remember-${token}`);
  return record?.user;
};
const answer = (promise, done) => promise.then((value) => done(null, value), done);

passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => {
  if (id === "broken") done(new Error("the users are away"));
  else done(null, id === "gone" ? false : { id });
});
passport.use(
  new LocalStrategy((username, password, done) =>
    done(null, password === `${username}'s password` && { id: username }),
  ),
);
passport.use(
  new rememberMe.Strategy(
    (token, done) => answer(consume(token).then((id) => id !== undefined && { id }), done),
    (user, done) => answer(issue(user.id), done),
  ),
);
const how = { keepSessionInfo: options.keep };
// Passport 0.5 takes no callback, and is done when it returns.
const logOut = async (request, how) =>
  options.passport === "0.5" ? request.logout() : promisify(request.logout).call(request, how);

const app = express();
app.use(cookieParser());
app.use(session({ store, secret: options.secret, resave: false, saveUninitialized: false }));
app.use(express.json({ strict: false }));
app.use(passport.initialize());
app.use(passport.session());

const states = express.Router();
states.get("/me", (request, response) =>
  response.json({
    authenticated: request.isAuthenticated(),
    user: request.user?.id ?? null,
    cart: request.session.cart ?? [],
  }),
);
states.get("/visit", (request, response) => {
  request.session.cart = ["tea"];
  response.json({});
});
states.get("/login", async (request, response) => {
  const { user = "undefined", keep, session } = request.query;
  const id = user === "undefined" ? undefined : JSON.parse(user);
  await promisify(request.logIn).call(request, { id }, {
    keepSessionInfo: keep !== undefined,
    session: session === undefined,
  });
  response.json({ authenticated: request.isAuthenticated() });
});
states.get("/logout", async (request, response) => {
  const { keep, callback } = request.query;
  if (callback === "no") request.logout();
  else await logOut(request, { keepSessionInfo: keep !== undefined });
  response.json({ authenticated: request.isAuthenticated() });
});
states.put("/passport", (request, response) => {
  request.session.passport = request.body;
  response.json({});
});
states.use((error, request, response, next) => response.status(500).json({ error: error.message }));
app.use("/states", states);
app.set("view", Messages);
app.use("/middlewares", middlewares(passport));

app.use(passport.authenticate("remember-me", how));
app.use(flash());
app.use(csurf());

const me = (request) => ({
  user: request.user?.id ?? null,
  cart: request.session.cart ?? [],
  csrf: request.csrfToken(),
});
app.get("/me", (request, response) => response.json(me(request)));
app.get("/", (request, response) => response.json({ ...me(request), flash: request.flash() }));

app.get("/account", (request, response) =>
  request.isAuthenticated() ? response.json({}) : response.status(401).json({}),
);

app.post("/add", (request, response) => {
  (request.session.cart ??= []).push(request.body.item);
  request.flash("info", `added ${request.body.item}`);
  response.redirect(303, "/");
});

app.post(
  "/login",
  passport.authenticate("local", { failureFlash: "wrong password", failureRedirect: "/", ...how }),
  async (request, response) => {
    request.flash("info", `hello ${request.user.id}`);
    if (request.body.remember)
      response.cookie("remember_me", await issue(request.user.id), { path: "/", httpOnly: true, maxAge: WEEK });
    response.redirect(303, "/");
  },
);

app.post("/logout", async (request, response) => {
  if (request.cookies.remember_me) await consume(request.cookies.remember_me);
  response.clearCookie("remember_me");
  await logOut(request, how);
  request.flash("info", "goodbye");
  response.redirect(303, "/");
});

app.use((error, request, response, next) => {
  if (error.code !== "EBADCSRFTOKEN") return next(error);
  response.status(403).json({});
});

const server = app.listen(0, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(JSON.stringify({ port: server.address().port }));
});
