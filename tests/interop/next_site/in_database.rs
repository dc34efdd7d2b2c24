//! Logins whose sessions are rows of `@auth/pg-adapter`: a login by mail on Next.js, known on both sides by its row, until
//! one of them deletes it. Rust reads, extends and deletes such a session, and does not begin one.

use cloakroom_test_support::Postgres;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;

use super::{LOGINS, Login, Visit};

/// The tables of the adapter's documentation, and a user who has logged in before.
const TABLES: &str = r#"
    CREATE TABLE verification_token (identifier text, expires timestamptz NOT NULL, token text, PRIMARY KEY (identifier, token));
    CREATE TABLE accounts (id serial PRIMARY KEY, "userId" integer NOT NULL);
    CREATE TABLE sessions (id serial PRIMARY KEY, "userId" integer NOT NULL, expires timestamptz NOT NULL, "sessionToken" varchar(255) NOT NULL);
    CREATE TABLE users (id serial PRIMARY KEY, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text);
    INSERT INTO users (name, email, image) VALUES ('Ada', 'ada@shop.example', '/ada.png');
"#;

/// The database as the test looks at it.
struct Rows {
    runtime: Runtime,
    connection: PgConnection,
}

impl Rows {
    fn new(url: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut connection = runtime.block_on(PgConnection::connect(url)).unwrap();
        runtime.block_on(sqlx::raw_sql(TABLES).execute(&mut connection)).unwrap();
        Self { runtime, connection }
    }

    /// The sessions that end later than in this time.
    fn later_than(&mut self, time: &str) -> i64 {
        let count = format!("SELECT COUNT(*) FROM sessions WHERE expires > now() + '{time}'");
        self.runtime.block_on(sqlx::query_scalar(&count).fetch_one(&mut self.connection)).unwrap()
    }

    /// Makes all sessions end after this time. With less than 29 days left (`maxAge` minus `updateAge`), the next visit
    /// extends them.
    fn end_in(&mut self, time: &str) {
        let update = format!("UPDATE sessions SET expires = now() + '{time}'");
        self.runtime.block_on(sqlx::raw_sql(&update).execute(&mut self.connection)).unwrap();
    }
}

impl Login<'_> {
    /// Logs in by mail on the page of Next.js to which Rust sends a guest.
    fn log_in_by_mail(&mut self, user: &Value) {
        let page = self.visit.open(self.path("rust"));
        assert_eq!(page["path"], self.login_page());
        self.visit.press("Sign in with Email", &json!({ "Email": user["email"] }));
        let mail = self.visit.open("/mail");
        let link = mail["session"].as_str().unwrap();
        let (_, path) = link.split_once("/api/").unwrap();
        let page = self.visit.open(format!("/api/{path}"));
        assert_eq!(page["path"], self.path("rust"), "the login leads back");
        assert_eq!(&page["session"]["user"], user);
    }

    /// All pages show this user, by one row, which each of them extends.
    fn is_known_by_its_row(&mut self, user: &Value, rows: &mut Rows) {
        for by in ["app", "rust", "pages"] {
            rows.end_in("20 days");
            let page = self.visit.open(self.path(by));
            // `auth()` of Auth.js 5 shows the server all columns of the two rows.
            let shown = &page["session"]["user"];
            let of_user = ["name", "email", "image"].map(|member| &shown[member]);
            assert_eq!(of_user, ["name", "email", "image"].map(|member| &user[member]), "{page}");
            if by != "rust" {
                assert_eq!(&page["browser"]["user"], user, "{page}");
            }
            assert_eq!(rows.later_than("29 days"), 1, "{} by {by}", self.name);
        }
    }
}

pub(super) fn logins_are_shared() {
    let server = Postgres::start().unwrap();
    let mut rows = Rows::new(&server.url());
    let mut visit = Visit::start(Some(&server.url()));
    let user = json!({ "name": "Ada", "email": "ada@shop.example", "image": "/ada.png" });
    for login in LOGINS {
        let mut login = login.on(&mut visit);
        login.is_out();
        for log_out in [Login::log_out_on_rust, Login::log_out_on_next] {
            login.log_in_by_mail(&user);
            login.is_known_by_its_row(&user, &mut rows);
            log_out(&mut login);
            assert_eq!(rows.later_than("-1 year"), 0, "{}: the row is gone", login.name);
            login.is_out();
        }
    }
    visit.tell(&json!({ "op": "close" }));
}
