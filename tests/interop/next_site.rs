//! A real Next.js site and an axum app on one origin, visited with a real browser: who logs in on one side is known on the
//! other, in the pages router and in the app router, and who logs out on one is out on the other.
//!
//! The site is `tests/next`: next-auth 4, Auth.js 5 and iron-session, each with a page in both routers. It is served
//! twice: with logins in tokens, and with logins in the tables of `@auth/pg-adapter`.

mod in_database;
mod rust_side;

use std::{fmt::Display, net::TcpListener};

use cloakroom_test_support::{NodeProgram, find_program, hushed, next_folder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The secrets of the site, as both sides have them.
struct Secrets {
    next_auth_4: String,
    auth_js_5: String,
    iron_session: String,
}

/// A browser before both sides. What it holds ends in this order.
struct Visit {
    browser: NodeProgram,
    _profile: TempDir,
    _rust: Runtime,
    next: NodeProgram,
}

fn build() {
    let mut build = NodeProgram::start_in(&next_folder(), "build.mjs", &[], &[]).unwrap();
    let mut line = build.ready().to_owned();
    while line == r#"{"building":true}"# {
        line = build.line().unwrap();
    }
    assert_eq!(line, r#"{"code":0}"#, "{}", build.log());
}

impl Visit {
    /// Starts both sides of the site, whose logins are in this database or in tokens.
    fn start(database: Option<&str>) -> Self {
        let secrets = Secrets {
            next_auth_4: hushed("next-auth"),
            auth_js_5: hushed("auth-js"),
            iron_session: hushed("iron-password-of-32-characters"),
        };
        // Next.js is told the origin of the site, which is Rust's, and Rust the port of Next.js.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Next.js takes 127.0.0.1 for localhost, and Auth.js leads there. To a browser these are two sites.
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let environment = [
            ("NEXTAUTH_URL", &*origin),
            ("NEXTAUTH_SECRET", &*secrets.next_auth_4),
            ("AUTH_SECRET", &*secrets.auth_js_5),
            ("IRON_PASSWORD", &*secrets.iron_session),
            ("DATABASE_URL", database.unwrap_or_default()),
        ];
        let next = NodeProgram::start_in(&next_folder(), "server.mjs", &[], &environment).unwrap();
        let ready: Value = next.ready().parse().unwrap();
        let rust = Runtime::new().unwrap();
        let app = {
            // The pool of the database needs it.
            let _runtime = rust.enter();
            rust_side::app(&secrets, database, &format!("127.0.0.1:{}", ready["port"]))
        };
        listener.set_nonblocking(true).unwrap();
        rust.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        });

        let chromium = find_program("chromium").expect("`cargo xtask test` installs chromium");
        let profile = tempfile::tempdir().unwrap();
        let browser = NodeProgram::start(
            "visitor.mjs",
            &["--chromium", chromium.to_str().unwrap(), "--url", &origin],
            &[("TMPDIR", profile.path().to_str().unwrap())],
        );
        Self { browser: browser.unwrap(), _profile: profile, _rust: rust, next }
    }

    fn tell(&mut self, request: &Value) -> Value {
        let answer: Value = self.browser.call(request).unwrap();
        assert_eq!(answer.get("error"), None, "{request}\n{}", self.next.log());
        answer
    }

    fn open(&mut self, path: impl Display) -> Value {
        self.tell(&json!({ "op": "open", "path": path.to_string() }))
    }

    fn press(&mut self, button: &str, fill: &Value) -> Value {
        self.tell(&json!({ "op": "press", "button": button, "fill": fill }))
    }

    /// The cookies whose names begin so. Their values are nobody's to print.
    fn cookies(&mut self, prefix: &str) -> Vec<(String, String)> {
        let Value::Object(cookies) = self.tell(&json!({ "op": "cookies" })) else {
            panic!("cookies are an object")
        };
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let cookies = cookies.into_iter().map(|(name, value)| (name, text(value)));
        cookies.filter(|(name, _)| name.starts_with(prefix)).collect()
    }
}

/// Names of a login: see [`Login`].
struct Names {
    name: &'static str,
    base: &'static str,
    cookie: &'static str,
}

const LOGINS: [Names; 2] = [
    Names { name: "next-auth-4", base: "/api/auth", cookie: "next-auth.session-token" },
    Names { name: "auth-js-5", base: "/api/auth-js-5", cookie: "authjs.session-token" },
];

impl Names {
    fn on(self, visit: &mut Visit) -> Login<'_> {
        let Self { name, base, cookie } = self;
        Login { visit, name, base, cookie }
    }
}

/// A login of NextAuth: its pages are below `/next-auth-4` or `/auth-js-5`.
struct Login<'a> {
    visit: &'a mut Visit,
    name: &'static str,
    /// Where the package has its own pages.
    base: &'static str,
    cookie: &'static str,
}

impl Login<'_> {
    fn path(&self, by: &str) -> String {
        format!("/{}/{by}", self.name)
    }

    /// All pages show this user: Rust's, and those of both routers to the server and to the browser. Each of them renews
    /// the cookies, so that the next one reads what this one has written.
    fn is_known(&mut self, user: &Value, cookies: &[String]) {
        for by in ["app", "rust", "pages"] {
            let before = self.visit.cookies(self.cookie);
            let page = self.visit.open(self.path(by));
            assert_eq!(&page["session"]["user"], user, "{page}");
            if by != "rust" {
                assert_eq!(&page["browser"]["user"], user, "{page}");
            }
            let after = self.visit.cookies(self.cookie);
            assert!(after != before, "{} by {by} is not renewed", self.name);
            assert!(after.iter().map(|(name, _)| name).eq(cookies), "{} by {by}", self.name);
        }
    }

    /// No page shows a user, Rust leads to the login, and the browser has no session cookie.
    fn is_out(&mut self) {
        for by in ["app", "pages"] {
            let path = self.path(by);
            let page = self.visit.open(&path);
            assert_eq!(page, json!({ "path": path, "session": null, "browser": null }));
        }
        assert_eq!(self.visit.open(self.path("rust"))["path"], self.login_page());
        assert!(self.visit.cookies(self.cookie).is_empty());
    }

    /// Where the guard of the Rust page leads.
    fn login_page(&self) -> String {
        format!("{}/signin?callbackUrl=%2F{}%2Frust", self.base, self.name)
    }

    /// Logs in on the page of Next.js, to which a guest of the Rust page comes.
    fn log_in_on_next(&mut self, user: &Value) {
        let page = self.visit.open(self.path("rust"));
        assert_eq!(page["path"], self.login_page());
        let fill = json!({ "Name": user["name"], "Image": user["image"] });
        let page = self.visit.press("Sign in with Credentials", &fill);
        assert_eq!(page["path"], self.path("rust"), "the login leads back");
        assert_eq!(&page["session"]["user"], user);
    }

    fn log_in_on_rust(&mut self, user: &Value) {
        self.visit.open(self.path("rust/login"));
        let fill = json!({ "Name": user["name"], "Image": user["image"] });
        let page = self.visit.press("Log in", &fill);
        assert_eq!(page["path"], self.path("app"));
        assert_eq!(&page["session"]["user"], user);
    }

    /// Logs out on the page of Next.js, which then leads to the Rust page, and that to the login.
    fn log_out_on_next(&mut self) {
        self.visit.open(format!("{}/signout", self.base));
        let page = self.visit.press("Sign out", &json!({}));
        assert_eq!(page["path"], self.login_page());
    }

    fn log_out_on_rust(&mut self) {
        self.visit.open(self.path("rust"));
        let page = self.visit.press("Log out", &json!({}));
        let path = self.path("pages");
        assert_eq!(page, json!({ "path": path, "session": null, "browser": null }));
    }
}

fn logins_are_shared(mut login: Login<'_>) {
    let user =
        |image: String| json!({ "name": "ada", "email": "ada@shop.example", "image": image });
    let (short, long) = (user(String::new()), user("x".repeat(4_000)));
    let whole = [login.cookie.to_owned()];
    // The token of so long an image is cut.
    let chunks = [0, 1].map(|number| format!("{}.{number}", login.cookie));
    login.is_out();

    login.log_in_on_next(&short);
    login.is_known(&short, &whole);
    login.log_out_on_rust();
    login.is_out();

    login.log_in_on_rust(&long);
    login.is_known(&long, &chunks);
    login.log_out_on_next();
    login.is_out();

    login.log_in_on_next(&long);
    login.log_out_on_rust();
    login.is_out();
}

fn iron_sessions_are_shared(visit: &mut Visit) {
    let path = |by: &str| format!("/iron-session/{by}");
    for (login, logout) in [("app", "rust"), ("rust", "pages")] {
        visit.open(path(login));
        let page = visit.press("Log in", &json!({ "Name": "ada" }));
        assert_eq!(page, json!({ "path": path(login), "session": { "name": "ada" } }));
        for (by, items) in [("pages", 1), ("rust", 2), ("app", 3), ("rust", 4)] {
            visit.open(path(by));
            let page = visit.press("Add", &json!({}));
            let session = json!({ "name": "ada", "items": items });
            assert_eq!(page, json!({ "path": path(by), "session": session }));
        }
        visit.open(path(logout));
        visit.press("Log out", &json!({}));
        assert!(visit.cookies("iron").is_empty());
        for by in ["app", "rust", "pages"] {
            assert_eq!(visit.open(path(by)), json!({ "path": path(by), "session": {} }));
        }
    }
}

/// One test, because the site is built and a browser started for it.
#[test]
#[ignore = "needs chromium, postgresql, Node.js and the npm packages"]
fn a_next_js_site_and_rust_are_one_site() {
    build();
    let mut visit = Visit::start(None);
    for login in LOGINS {
        logins_are_shared(login.on(&mut visit));
    }
    iron_sessions_are_shared(&mut visit);
    visit.tell(&json!({ "op": "close" }));
    drop(visit);
    in_database::logins_are_shared();
}
