//! The main job: a login made in a real Express app, read, changed, kept and ended from Rust, over HTTP.

use std::time::Duration;

use cloakroom::{ExpressSession, Secrets, SessionData, Touched, cookie::find_cookie, open};
use cloakroom_test_support::{NodeProgram, RedisServer};
use serde_json::{Value, json};

const SECRET: &str = "keyboard cat";

/// A browser with one cookie, before a real Express app, beside a Rust service on the same Redis.
struct Site {
    http: ureq::Agent,
    cookie: Option<String>,
    origin: String,
    rust: ExpressSession,
    secrets: Secrets,
    _node: NodeProgram,
    _server: RedisServer,
}

impl Site {
    fn start(options: Value) -> Self {
        let server = RedisServer::start().unwrap();
        let arguments =
            ["--url", &server.url(), "--secret", SECRET, "--options", &options.to_string()];
        let node = NodeProgram::start("app.mjs", &arguments, &[]).unwrap();
        let ready: Value = node.ready().parse().unwrap();
        Self {
            http: ureq::Agent::config_builder().http_status_as_error(false).build().into(),
            cookie: None,
            origin: format!("http://127.0.0.1:{}", ready["port"]),
            rust: open(&server.url()).unwrap(),
            secrets: Secrets::new([SECRET]).unwrap(),
            _node: node,
            _server: server,
        }
    }

    /// Express's answer; its cookie is kept as a browser would.
    fn get(&mut self, path: &str) -> Value {
        let mut request = self.http.get(format!("{}{path}", self.origin));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let mut response = request.call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        if let Some(cookie) = response.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        response.body_mut().read_to_string().unwrap().parse().unwrap()
    }

    /// The session id, from the cookie alone, as a Rust service finds it.
    fn sid(&self) -> String {
        let header = self.cookie.as_deref().expect("Express has set a cookie");
        let value = find_cookie(header.as_bytes(), "connect.sid").expect("under this name");
        self.secrets.read_cookie_value(&value).expect("signed with this secret").value.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_login_made_in_express_is_read_changed_and_kept_from_rust() {
    // The first life that is long enough on this machine for the work to do in it.
    for max_age_ms in [2_000, 8_000, 32_000, 128_000] {
        let site = Site::start(json!({ "cookie": { "maxAge": max_age_ms } }));
        if read_changed_and_kept(site).await {
            return;
        }
    }
    panic!("two minutes were too short");
}

/// Returns false where the session's first life was too short.
async fn read_changed_and_kept(mut site: Site) -> bool {
    let login = site.get("/login?user=ada");
    let sid = site.sid();
    assert_eq!(login["id"], json!(sid), "the cookie says what Express says");

    let now_ms = site.rust.options().clock.now_ms();
    let first_life_ms = login["session"]["cookie"]["originalMaxAge"].as_i64();
    let first_expiry_ms = now_ms + first_life_ms.expect("the login has a life");
    let session = site.rust.get(&sid).await.unwrap();
    let changed = site.rust.modify(&sid, |session| {
        session.insert("cart", ["tea"])?;
        session.cookie_mut().set_max_age(Some(Duration::from_secs(3_600)), now_ms)
    });
    let changed = changed.await.unwrap();
    let touched = match &changed {
        Some(changed) => site.rust.touch(&sid, changed).await.unwrap(),
        None => Touched::Missing,
    };
    let (Some(session), Touched::Extended) = (session, touched) else {
        assert!(site.rust.options().clock.now_ms() > first_expiry_ms, "it ended too early");
        return false;
    };
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ada"));
    let expires_ms = session.cookie().expires_ms().expect("soon after the login");
    assert!(expires_ms <= first_expiry_ms);

    while site.rust.options().clock.now_ms() <= first_expiry_ms {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seen = site.get("/");
    assert_eq!(seen["id"], json!(sid), "still logged in");
    assert_eq!(seen["session"]["user"], json!("ada"), "nothing was lost");
    assert_eq!(seen["session"]["cart"], json!(["tea"]), "the change is there");
    assert_eq!(seen["session"]["cookie"]["originalMaxAge"], json!(3_600_000));
    true
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_session_made_in_rust_is_a_login_in_express() {
    let mut site = Site::start(json!({}));
    let (sid, mut session) = site.rust.generate().unwrap();
    session.insert("user", "grace").unwrap();
    site.rust.set(&sid, &session).await.unwrap();
    site.cookie = Some(format!("connect.sid={}", site.secrets.cookie_value(&sid)));
    let seen = site.get("/");
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(sid), &json!("grace")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_logout_in_rust_is_a_logout_in_express_and_the_other_way_round() {
    let mut site = Site::start(json!({}));
    site.get("/login?user=ada");
    let sid = site.sid();
    site.rust.destroy(&sid).await.unwrap();
    let seen = site.get("/");
    assert_eq!(seen["session"].get("user"), None);
    assert_ne!(seen["id"], json!(sid), "Express has begun a new one");

    site.get("/login?user=ada");
    let sid = site.sid();
    let session: SessionData = site.rust.get(&sid).await.unwrap().expect("logged in again");
    site.get("/logout");
    assert_eq!(site.rust.get(&sid).await.unwrap(), None);
    assert!(matches!(site.rust.update(&sid, &session).await.unwrap(), cloakroom::Updated::Gone));
    assert_eq!(site.rust.get(&sid).await.unwrap(), None, "a late write brings nothing back");
}
