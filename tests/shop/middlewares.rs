//! What passport, connect-ensure-login, connect-flash, express-flash, csurf, csrf-sync and lusca keep in a session, on
//! both sides: what Express writes Rust takes, and the other way round, also when requests meet.
//!
//! The packages run in `tests/node/middlewares.mjs`. Rust's requests are made by the layer's engine, so that a test says
//! which of two requests has loaded the session first.

use std::collections::BTreeMap;

use cloakroom::{
    express::{csrf::Csrf, flash, passport},
    tower::{RequestHead, Session, SessionEngine},
};
use cloakroom_core::encode_uri_component;
use serde_json::{Value, json};

use crate::{
    browser::{Answer, Browser, SESSION},
    guard::Site,
    visits::layer,
};

/// Where Express serves, and Rust's sessions in the same Redis.
struct Both {
    node: String,
    engine: SessionEngine,
}

impl Both {
    fn of(site: &Site) -> Self {
        let engine = layer(&cloakroom::open(&site.server.url()).unwrap()).engine().clone();
        Self { node: site.node.clone(), engine }
    }
}

/// A browser that goes to Express and to Rust.
struct Visitor<'a> {
    site: &'a Both,
    browser: Browser,
}

impl<'a> Visitor<'a> {
    fn new(site: &'a Both) -> Self {
        Self { site, browser: Browser::new() }
    }

    /// Begins a request to Rust.
    async fn rust(&self) -> Session {
        let request = http::Request::builder().header("cookie", self.browser.header());
        let request = request.body(()).unwrap();
        self.site.engine.load(RequestHead::from(&request)).await.unwrap().unwrap()
    }

    /// Ends a request to Rust.
    async fn end(&mut self, session: Session) {
        if let Some(line) = self.site.engine.commit(&session).await.unwrap() {
            self.browser.keep(line.to_str().unwrap());
        }
    }

    fn node(&mut self, path: &str) -> Answer {
        let answer = self.browser.get(&format!("{}{path}", self.site.node));
        assert!(answer.status < 400, "{path}: {answer:?}");
        answer
    }

    fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.browser.post(&format!("{}{path}", self.site.node), body)
    }

    /// What Passport says of the next request to Express.
    fn me(&mut self) -> (bool, Value, Value) {
        let body = self.node("/states/me").body;
        (body["authenticated"] == json!(true), body["user"].clone(), body["cart"].clone())
    }

    /// The user whom the next request to Rust finds.
    async fn user(&self) -> Option<Value> {
        passport::user(&self.rust().await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn logins_are_shared_with_every_passport() {
    for version in ["0.5", "0.6", "0.7"] {
        let running = Site::start(version).await;
        let site = Both::of(&running);
        // Whom one side logs in the other one knows, and the cart is kept or dropped as asked.
        for (user, keeps) in [(json!("ann"), false), (json!(0), false), (json!({"id": 7}), true)] {
            let mut visitor = Visitor::new(&site);
            visitor.node("/states/visit");
            let session = visitor.rust().await;
            let before = visitor.browser.cookies[SESSION].clone();
            if keeps {
                passport::login_keeping_data(&session, &user).await.unwrap();
            } else {
                passport::login(&session, &user).await.unwrap();
            }
            visitor.end(session).await;
            let cart = if keeps { json!(["tea"]) } else { json!([]) };
            assert_eq!(visitor.me(), (true, user.clone(), cart), "{version} {user}");
            assert_ne!(visitor.browser.cookies[SESSION], before);
            let mut old =
                Visitor { browser: visitor.browser.with_only(SESSION, &before), ..visitor };
            assert!(!old.me().0, "{version}: the old id is still good");

            let mut visitor = Visitor::new(&site);
            let user_in_query = encode_uri_component(&user.to_string()).to_string();
            visitor.node(&format!("/states/login?user={user_in_query}"));
            assert_eq!(visitor.user().await, Some(user), "{version}");
        }
        logouts_are_shared(&site, version).await;
        what_a_slower_request_of_express_undoes(&site, version).await;
        the_way_back_is_shared(&site, version).await;
    }
}

async fn logouts_are_shared(site: &Both, version: &str) {
    for keeps in [false, true] {
        let logged_in = || {
            let mut visitor = Visitor::new(site);
            visitor.node("/states/visit");
            visitor.node("/states/login?user=%22ann%22&keep=1");
            visitor
        };
        // Rust logs out.
        let mut visitor = logged_in();
        let before = visitor.browser.clone();
        let session = visitor.rust().await;
        if keeps {
            passport::logout_keeping_data(&session).await.unwrap();
        } else {
            passport::logout(&session).await.unwrap();
        }
        visitor.end(session).await;
        let cart = if keeps { json!(["tea"]) } else { json!([]) };
        assert_eq!(visitor.me(), (false, Value::Null, cart), "{version} {keeps}");
        let mut old = Visitor { browser: before, ..visitor };
        assert_eq!(old.me(), (false, Value::Null, json!([])), "{version} {keeps}: the old cookie");

        // Express logs out, while a slower request of Rust has the session and changes it.
        let mut visitor = logged_in();
        let before = visitor.browser.clone();
        let slow = visitor.rust().await;
        visitor.node(if keeps { "/states/logout?keep=1" } else { "/states/logout" });
        slow.insert("seen", 1).unwrap();
        visitor.site.engine.commit(&slow).await.unwrap();
        assert_eq!(visitor.user().await, None, "{version} {keeps}");
        let mut old = Visitor { browser: before, ..visitor };
        assert_eq!(old.user().await, None, "{version} {keeps}: a slower request undid the logout");
        assert!(!old.me().0, "{version} {keeps}: a slower request undid the logout");
    }
    // A user who no longer exists: either side forgets it and keeps the cart.
    let mut visitor = Visitor::new(site);
    visitor.node("/states/visit");
    visitor.node("/states/login?user=%22gone%22&keep=1");
    let session = visitor.rust().await;
    passport::forget_user(&session).unwrap();
    visitor.end(session).await;
    assert_eq!(visitor.me(), (false, Value::Null, json!(["tea"])), "{version}");
}

/// Rust cannot keep a request of Express, which has loaded the session before, from writing all of it again.
async fn what_a_slower_request_of_express_undoes(site: &Both, version: &str) {
    let mut visitor = Visitor::new(site);
    visitor.node("/states/login?user=%22ann%22");
    visitor.node("/middlewares/flash/add?kind=info&message=%22hi%22");
    let (mut slow, url) = (visitor.browser.clone(), format!("{}/middlewares/slow", site.node));
    let (loaded, go) = (format!("{url}/loaded"), format!("{url}/go"));
    let slow = std::thread::spawn(move || slow.get(&url).body);
    let before = visitor.browser.clone();
    Browser::new().get(&loaded);
    let session = visitor.rust().await;
    assert_eq!(flash::take_kind::<String>(&session, "info").await.unwrap(), ["hi"]);
    passport::logout(&session).await.unwrap();
    visitor.end(session).await;
    let mut old = Visitor { browser: before, ..visitor };
    assert!(!old.me().0, "{version}");
    Browser::new().get(&go);
    assert_eq!(slow.join().unwrap()["taken"], json!(["hi"]), "{version}: Express shows it, too");
    assert!(old.me().0, "{version}: Express brings the login back");
}

async fn the_way_back_is_shared(site: &Both, version: &str) {
    let mut visitor = Visitor::new(site);
    let answer = visitor.node("/middlewares/private?x=1&y=%20");
    assert_eq!(answer.location.as_deref(), Some("/login"));
    let session = visitor.rust().await;
    let wanted = passport::take_return_to(&session).unwrap();
    assert_eq!(wanted.as_deref(), Some("/middlewares/private?x=1&y=%20"), "{version}");
    passport::set_return_to(&session, "/a?b=c").unwrap();
    visitor.end(session).await;
    let login = json!({ "username": "ann", "password": "ann's password" });
    let answer = visitor.post("/middlewares/authenticate", &login);
    assert_eq!(answer.location.as_deref(), Some("/a?b=c"), "{version}");
    let answer = visitor.post("/middlewares/authenticate", &login);
    assert_eq!(answer.location.as_deref(), Some("/default"), "{version}: it is good once");
}

type Messages = BTreeMap<String, Vec<Value>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn messages_and_tokens_are_shared_with_the_packages() {
    let running = Site::start("0.7").await;
    let site = Both::of(&running);
    messages_are_shared(&site).await;
    messages_are_shown_once(&site).await;
    for (path, csrf) in
        [("csurf", Csrf::csurf()), ("csrf-sync", Csrf::csrf_sync()), ("lusca", Csrf::lusca())]
    {
        tokens_are_shared(&site, &format!("/middlewares/{path}"), &csrf).await;
    }
}

async fn messages_are_shared(site: &Both) {
    let all = json!({ "info": ["one", "two", { "text": "\u{2028}\"" }], "error": [""] });
    let mut visitor = Visitor::new(site);
    for message in ["\"one\"", "\"two\"", r#"{"text":"\u2028\""}"#] {
        let message = encode_uri_component(message).to_string();
        visitor.node(&format!("/middlewares/flash/add?kind=info&message={message}"));
    }
    let session = visitor.rust().await;
    assert_eq!(flash::add(&session, "error", "").unwrap(), 1);
    assert_eq!(flash::add(&session, "info", ["three", "four"]).unwrap(), 5);
    let taken: Messages = flash::take(&session).await.unwrap();
    assert_eq!(taken["info"][..3], *all["info"].as_array().unwrap());
    assert_eq!((taken["info"].len(), &taken["error"]), (5, &vec![json!("")]));
    visitor.end(session).await;
    assert_eq!(visitor.node("/middlewares/flash/take").body["taken"], json!({}));

    for page in ["/middlewares/flash/take", "/middlewares/express-flash"] {
        let session = visitor.rust().await;
        for message in all["info"].as_array().unwrap() {
            flash::add(&session, "info", message).unwrap();
        }
        flash::add(&session, "error", "").unwrap();
        visitor.end(session).await;
        let body = visitor.node(page).body;
        assert_eq!(if page.ends_with("take") { &body["taken"] } else { &body }, &all, "{page}");
        let taken: Messages = flash::take(&visitor.rust().await).await.unwrap();
        assert_eq!(taken, Messages::new());
    }
}

async fn messages_are_shown_once(site: &Both) {
    let mut visitor = Visitor::new(site);
    for _ in 0..8 {
        visitor.node("/middlewares/flash/add?kind=info&message=%22hi%22");
        let (first, second) = (visitor.rust().await, visitor.rust().await);
        let take = |session: Session| {
            tokio::spawn(async move {
                let taken = flash::take::<String>(&session).await;
                (taken, session)
            })
        };
        let (first, second) = (take(first), take(second));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert_eq!(first.0.unwrap().len() + second.0.unwrap().len(), 1);
        visitor.end(first.1).await;
        visitor.end(second.1).await;
    }
    // Express shows it, after Rust has loaded the session.
    visitor.node("/middlewares/flash/add?kind=info&message=%22hi%22");
    let session = visitor.rust().await;
    let body = visitor.node("/middlewares/flash/take?kind=info").body;
    assert_eq!(body["taken"], json!(["hi"]));
    assert!(flash::take::<String>(&session).await.unwrap().is_empty());
}

async fn tokens_are_shared(site: &Both, path: &str, csrf: &Csrf) {
    for node_is_first in [true, false] {
        let mut visitor = Visitor::new(site);
        let mut token_of_node = String::new();
        if node_is_first {
            token_of_node = visitor.node(path).body["token"].as_str().unwrap().to_owned();
        }
        let session = visitor.rust().await;
        let token = csrf.token(&session).await.unwrap();
        visitor.end(session).await;
        if !node_is_first {
            token_of_node = visitor.node(path).body["token"].as_str().unwrap().to_owned();
        }
        assert!(csrf.verify(&visitor.rust().await, &token_of_node).unwrap(), "{path}");
        let mut form = |token: &str| visitor.post(path, &json!({ "_csrf": token })).status;
        assert_eq!(form(&token), 200, "{path}");
        let wrong = format!("{}x", &token[..token.len() - 1]);
        assert_eq!((form(&wrong), form("")), (403, 403), "{path}");
        assert!(!csrf.verify(&visitor.rust().await, &wrong).unwrap());

        // A login drops the secret, and a form from before it is refused by both.
        let session = visitor.rust().await;
        passport::login(&session, "ann").await.unwrap();
        assert!(!csrf.verify(&session, &token).unwrap(), "{path}");
        visitor.end(session).await;
        let mut form = |token: &str| visitor.post(path, &json!({ "_csrf": token })).status;
        assert_eq!(form(&token), 403, "{path}");

        // Two pages of Rust at once, in a session without a secret. csurf and lusca have just made one.
        let session = visitor.rust().await;
        csrf.revoke(&session).unwrap();
        visitor.end(session).await;
        let (first, second) = (visitor.rust().await, visitor.rust().await);
        let (one, two) = tokio::join!(csrf.token(&first), csrf.token(&second));
        visitor.end(first).await;
        visitor.end(second).await;
        for token in [one.unwrap(), two.unwrap()] {
            let status = visitor.post(path, &json!({ "_csrf": token })).status;
            assert_eq!(status, 200, "{path}: one of two pages is refused");
        }
    }
}
