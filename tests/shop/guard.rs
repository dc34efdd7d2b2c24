//! The guard and `req.isAuthenticated()` give one verdict on whatever Passport leaves in a session.

use axum::{Router, routing::get};
use cloakroom::{express::passport::RequireUser, tower::RequireSession};
use cloakroom_core::encode_uri_component;
use cloakroom_test_support::RedisServer;
use serde_json::{Value, json};

use crate::{
    browser::{Answer, Browser},
    visits::{Variant, layer, origin, serve, start_node},
};

use Do::{Login, LoginKeep, LoginOnce, Logout, LogoutKeep, LogoutWithoutCallback, Store, Visit};

/// A request to Express.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Stores a member that is not Passport's.
    Visit,
    /// `req.logIn` with a user that `serializeUser` gives this JSON for.
    Login(&'static str),
    /// With `keepSessionInfo`.
    LoginKeep(&'static str),
    /// With `session: false`.
    LoginOnce(&'static str),
    /// `req.logout`, as the version wants it.
    Logout,
    LogoutKeep,
    LogoutWithoutCallback,
    /// Stores this JSON as the member `passport`, which Passport itself does not.
    Store(&'static str),
}

impl Do {
    fn send(self, browser: &mut Browser, node: &str) -> Answer {
        let path = match self {
            Visit => "visit".to_owned(),
            Login(user) => format!("login?user={}", encode_uri_component(user)),
            LoginKeep(user) => format!("login?keep=1&user={}", encode_uri_component(user)),
            LoginOnce(user) => format!("login?session=no&user={}", encode_uri_component(user)),
            Logout => "logout".to_owned(),
            LogoutKeep => "logout?keep=1".to_owned(),
            LogoutWithoutCallback => "logout?callback=no".to_owned(),
            Store(json) => {
                let body = json.parse().unwrap();
                return browser.put(&format!("{node}/states/passport"), &body);
            }
        };
        browser.get(&format!("{node}/states/{path}"))
    }
}

/// What Passport says of whoever sends the next request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    In,
    Out,
    /// As the version says: 0.5 has logged out, the others threw.
    OutIn05,
}

/// What Passport leaves, and what it makes of it. Users whom `deserializeUser` does not find have a test of their own.
const LEFT_BY_PASSPORT: &[(&[Do], Verdict)] = &[
    (&[], Verdict::Out),
    (&[Visit], Verdict::Out),
    (&[Login("\"ann\"")], Verdict::In),
    (&[Visit, Login("\"ann\"")], Verdict::In),
    (&[Visit, LoginKeep("\"ann\"")], Verdict::In),
    (&[Login("\"ann\""), Login("\"bob\"")], Verdict::In),
    (&[Login("7")], Verdict::In),
    (&[Login("{\"id\":1}")], Verdict::In),
    (&[Visit, LoginOnce("\"ann\"")], Verdict::Out),
    (&[Visit, Logout], Verdict::Out),
    (&[Login("\"ann\""), Logout], Verdict::Out),
    (&[Visit, LoginKeep("\"ann\""), LogoutKeep], Verdict::Out),
    (&[Visit, Login("\"ann\""), LogoutKeep], Verdict::Out),
    (&[Visit, Login("\"ann\""), Logout, Login("\"bob\"")], Verdict::In),
    (&[Login("\"ann\""), LogoutWithoutCallback], Verdict::OutIn05),
    (&[Visit, Login("\"\"")], Verdict::Out),
    (&[Visit, Login("false")], Verdict::Out),
    (&[Visit, Login("null")], Verdict::Out),
    (&[Visit, Login("undefined")], Verdict::Out),
    (&[Login("\"ann\""), Login("null"), Logout], Verdict::Out),
];

/// What other programs can leave. Here `with_member("passport")` is too kind, since each is more than `{}`.
const LEFT_BY_OTHERS: &[(&str, Verdict)] = &[
    ("\"x\"", Verdict::Out),
    ("{\"user\":\"\"}", Verdict::Out),
    ("{\"user\":false}", Verdict::Out),
    ("{\"user\":null}", Verdict::Out),
    ("{\"id\":1}", Verdict::Out),
    ("{\"user\":1,\"extra\":1}", Verdict::In),
    ("{\"user\":[1]}", Verdict::In),
    ("{\"user\":{}}", Verdict::In),
    ("{\"user\":[]}", Verdict::In),
];

/// What lets the browser pass: the members `passport.user` and `passport`, and `RequireUser` as guard and extractor.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Guards {
    user: bool,
    passport: bool,
    guard: bool,
    extractor: bool,
}

impl Guards {
    const fn all(is_in: bool) -> Self {
        Self { user: is_in, passport: is_in, guard: is_in, extractor: is_in }
    }
}

/// Express with one Passport, and guarded routes in Rust.
pub(crate) struct Site {
    version: &'static str,
    pub(crate) node: String,
    rust: String,
    _program: cloakroom_test_support::NodeProgram,
    pub(crate) server: RedisServer,
}

impl Site {
    pub(crate) async fn start(version: &'static str) -> Self {
        let server = RedisServer::start().unwrap();
        let variant = Variant { passport: version, keep: false };
        let program = start_node("redis-10", &server.url(), variant);
        let guarded = |path: &str, guard: RequireSession| {
            Router::new().route(path, get(async || "inside")).route_layer(guard)
        };
        let app = guarded("/user", RequireSession::json().with_member("passport.user"))
            .merge(guarded("/passport", RequireSession::json().with_member("passport")))
            .merge(guarded("/guard", RequireUser::json()))
            .route(
                "/extractor",
                get(async |RequireUser(user): RequireUser<Value>| user.to_string()),
            )
            .layer(layer(&cloakroom::open(&server.url()).unwrap()));
        let (node, rust) = (origin(&program), serve(app).await);
        Self { version, node, rust, _program: program, server }
    }

    /// All versions, one after the other.
    async fn each(mut test: impl FnMut(&Self)) {
        for version in ["0.5", "0.6", "0.7"] {
            test(&Self::start(version).await);
        }
    }

    fn after(&self, requests: &[Do]) -> Browser {
        let mut browser = Browser::new();
        for request in requests {
            request.send(&mut browser, &self.node);
        }
        browser
    }

    fn guards(&self, browser: &mut Browser) -> Guards {
        let mut passes = |path| {
            let status = browser.get(&format!("{}/{path}", self.rust)).status;
            assert!(matches!(status, 200 | 401), "{path}: {status}");
            status == 200
        };
        Guards {
            user: passes("user"),
            passport: passes("passport"),
            guard: passes("guard"),
            extractor: passes("extractor"),
        }
    }

    /// What `req.isAuthenticated()` says in the next request. `None` when that fails.
    fn is_authenticated(&self, browser: &mut Browser) -> Option<bool> {
        browser.get(&format!("{}/states/me", self.node)).body["authenticated"].as_bool()
    }

    fn expected(&self, verdict: Verdict) -> bool {
        verdict == Verdict::In || (verdict == Verdict::OutIn05 && self.version != "0.5")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn the_guard_says_what_passport_says() {
    Site::each(|site| {
        for (requests, verdict) in LEFT_BY_PASSPORT {
            let context = format!("Passport {}: {requests:?}", site.version);
            let mut browser = site.after(requests);
            let before = site.guards(&mut browser);
            let passport = site.is_authenticated(&mut browser);
            assert_eq!(passport, Some(site.expected(*verdict)), "{context}");
            assert_eq!(before, Guards::all(site.expected(*verdict)), "{context}");
            assert_eq!(site.guards(&mut browser), before, "{context}: after that");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn where_a_member_is_not_enough_require_user_says_what_passport_says() {
    Site::each(|site| {
        // JavaScript calls 0 falsy, and Passport takes it for a user.
        let mut browser = site.after(&[Login("0")]);
        assert_eq!(site.is_authenticated(&mut browser), Some(true), "{}", site.version);
        let guards = Guards { user: false, passport: true, guard: true, extractor: true };
        assert_eq!(site.guards(&mut browser), guards, "{}", site.version);

        for (json, verdict) in LEFT_BY_OTHERS {
            let context = format!("Passport {}: {json}", site.version);
            let mut browser = site.after(&[Store(json)]);
            let is_in = site.is_authenticated(&mut browser);
            assert_eq!(is_in, Some(site.expected(*verdict)), "{context}");
            let guards = site.guards(&mut browser);
            assert_eq!(
                (guards.guard, guards.extractor),
                (is_in == Some(true), is_in == Some(true)),
                "{context}"
            );
            let is_empty = matches!(*json, "{\"user\":{}}" | "{\"user\":[]}");
            assert_eq!(Some(guards.user), is_in.map(|is_in| is_in && !is_empty), "{context}");
            assert!(guards.passport, "{context}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn whether_a_user_is_still_there_is_not_for_the_guard_to_know() {
    Site::each(|site| {
        let version = site.version;
        // `deserializeUser` finds nobody: Passport takes the user out of the session, and then both say no.
        let mut browser = site.after(&[Visit, LoginKeep("\"gone\"")]);
        assert_eq!(site.guards(&mut browser), Guards::all(true), "{version}");
        assert_eq!(site.is_authenticated(&mut browser), Some(false), "{version}");
        assert_eq!(site.guards(&mut browser), Guards::all(false), "{version}");

        // It fails: so does every request in Express, and the session stays as it is.
        let mut browser = site.after(&[Login("\"broken\"")]);
        for _ in 0..2 {
            assert_eq!(site.guards(&mut browser), Guards::all(true), "{version}");
            assert_eq!(site.is_authenticated(&mut browser), None, "{version}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn passport_leaves_what_the_table_says() {
    // Or else the guard was asked about something else.
    Site::each(|site| {
        let sessions = cloakroom::open(&site.server.url()).unwrap();
        let left = |requests: &[Do]| {
            let browser = site.after(requests);
            let cookie = browser.cookies["connect.sid"].clone();
            let sid = cookie.trim_start_matches("s%3A").split('.').next().unwrap().to_owned();
            let found = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(sessions.get(&sid))
            });
            found.unwrap().unwrap().get::<Value>("passport").unwrap()
        };
        let is_05 = site.version == "0.5";
        let empty = Some(json!({}));
        assert_eq!(left(&[Login("\"ann\"")]), Some(json!({ "user": "ann" })));
        assert_eq!(left(&[Login("\"ann\""), Logout]), empty.clone().filter(|_| is_05));
        assert_eq!(left(&[LoginKeep("\"ann\""), LogoutKeep]), empty);
        assert_eq!(left(&[Visit, Login("null")]), None);
    })
    .await;
}
