// Routes of the packages whose data cloakroom-express reads and writes, for tests/shop. Each package is as it comes.
//
//   GET  /private?x=1                      `ensureLoggedIn` of connect-ensure-login
//   POST /authenticate  {"username":"ann"} `passport.authenticate` with `successReturnToOrRedirect`, keepSessionInfo
//   GET  /flash/add?kind=info&message="hi" {"count":1}: `req.flash(kind, message)`; the message is JSON
//   GET  /flash/take?kind=info             {"taken":["hi"]}: `req.flash(kind)`, or `req.flash()` without a kind
//   GET  /express-flash                    {"info":["hi"]}: what `res.render` of express-flash gives to a page
//   GET  /slow                             {"taken":["hi"]}: `req.flash("info")`, and a change of the session, when two
//                                          others have met it: /slow/loaded, after which it has the session, and
//                                          /slow/go, after which it goes on
//   GET  /csurf, /csrf-sync, /lusca        {"token":"…"}
//   POST /csurf, /csrf-sync, /lusca        {"_csrf":"…"}: 200, or 403 when the token is wrong

import flash from "connect-flash";
import ensureLogin from "connect-ensure-login";
import { csrfSync } from "csrf-sync";
import csurf from "csurf";
import express from "express";
import expressFlash from "express-flash";
import lusca from "lusca";

// Where requests meet, two and two.
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

export const middlewares = (passport) => {
  const routes = express.Router();
  routes.get("/private", ensureLogin.ensureLoggedIn("/login"), (request, response) => response.json({}));
  routes.post(
    "/authenticate",
    passport.authenticate("local", { successReturnToOrRedirect: "/default", keepSessionInfo: true }),
  );

  routes.get("/flash/add", flash(), (request, response) => {
    const { kind, message } = request.query;
    response.json({ count: request.flash(kind, JSON.parse(message)) });
  });
  routes.get("/flash/take", flash(), (request, response) => {
    const { kind } = request.query;
    response.json({ taken: kind === undefined ? request.flash() : request.flash(kind) });
  });
  routes.get("/express-flash", expressFlash(), (request, response) => response.render("messages"));

  const [loaded, go] = [meeting(), meeting()];
  routes.get("/slow/loaded", async (request, response) => response.json(await loaded()));
  routes.get("/slow/go", async (request, response) => response.json(await go()));
  routes.get("/slow", flash(), async (request, response) => {
    await loaded();
    await go();
    request.session.seen = 1;
    response.json({ taken: request.flash("info") });
  });

  const sync = csrfSync({ getTokenFromRequest: (request) => request.body?._csrf });
  const token = (request, response) => response.json({ token: request.csrfToken() });
  const passed = (request, response) => response.json({});
  for (const [path, middleware] of [
    ["/csurf", csurf()],
    ["/csrf-sync", sync.csrfSynchronisedProtection],
    ["/lusca", lusca.csrf()],
  ]) {
    routes.get(path, middleware, token);
    routes.post(path, middleware, passed);
  }
  routes.use((error, request, response, next) => {
    if (!/csrf/i.test(error.message)) return next(error);
    response.status(403).json({});
  });
  return routes;
};

// The page that express-flash renders: its messages, as JSON.
export class Messages {
  constructor(name) {
    this.path = name;
  }
  render({ messages }, done) {
    done(null, JSON.stringify(messages));
  }
}
