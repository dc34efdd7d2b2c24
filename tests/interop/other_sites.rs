//! Sites of next-session, of @fastify/session and of NestJS beside the layer, on one Redis, with one cookie.

use std::{sync::Arc, time::Duration};

use cloakroom::{
    Secrets,
    redis::RedisStore,
    tower::{IdFormat, RequestHead, Session, SessionEngine, SessionOptions, TouchAfter},
};
use cloakroom_test_support::{NodeProgram, RedisServer};
use serde_json::{Value, json};

const SECRET: &str = "keyboard cat";

/// @fastify/session takes no shorter one.
const LONG_SECRET: &str = "keyboard cat keyboard cat keyboard cat";

/// A browser with one cookie, before a site in Node.js and a Rust service.
struct Site {
    http: ureq::Agent,
    cookie: Option<String>,
    origin: String,
    rust: SessionEngine,
    _node: NodeProgram,
    _server: RedisServer,
}

fn encoded() -> IdFormat {
    let secrets = Secrets::new([SECRET]).unwrap();
    let signer = secrets.clone();
    IdFormat::Custom {
        encode: Arc::new(move |id| format!("s:{}", signer.sign(id))),
        decode: Arc::new(move |value| Some(secrets.read_cookie_value(value)?.value.to_owned())),
    }
}

impl Site {
    fn next_session(is_encoded: bool) -> Self {
        let options = json!({ "cookie": { "maxAge": 100 }, "touchAfter": 0 }).to_string();
        let mut arguments = vec!["--options", &options];
        if is_encoded {
            arguments.extend(["--secret", SECRET]);
        }
        let mut options = SessionOptions::next_session();
        options.cookie.max_age = Some(Duration::from_secs(100));
        options.expiry.touch_after = TouchAfter::Elapsed(Duration::ZERO);
        Self::start(
            "next.mjs",
            &arguments,
            if is_encoded { encoded() } else { IdFormat::Plain },
            options,
        )
    }

    /// With a secret that has been replaced on both sides, and one that both have.
    fn fastify(node: &[&str], rust: &[&str]) -> Self {
        let options = json!({ "cookie": { "maxAge": 100_000 } }).to_string();
        let mut arguments = vec!["--options", &options];
        arguments.extend(node.iter().flat_map(|secret| ["--secret", secret]));
        let mut options = SessionOptions::new();
        options.ids.cookie_name = "sessionId".to_owned();
        options.cookie.max_age = Some(Duration::from_secs(100));
        Self::start(
            "fastify.mjs",
            &arguments,
            IdFormat::Fastify(Secrets::new(rust).unwrap()),
            options,
        )
    }

    /// Nest on Express has express-session, so it is an Express site.
    fn nest() -> Self {
        let ids = IdFormat::from(Secrets::new([SECRET]).unwrap());
        Self::start("nest.mjs", &["--secret", SECRET], ids, SessionOptions::new())
    }

    fn start(program: &str, arguments: &[&str], ids: IdFormat, options: SessionOptions) -> Self {
        let server = RedisServer::start().unwrap();
        let url = server.url();
        let node =
            NodeProgram::start(program, &[&["--url", &url], arguments].concat(), &[]).unwrap();
        let ready: Value = node.ready().parse().unwrap();
        let store = RedisStore::open(&url).unwrap();
        Self {
            http: ureq::Agent::config_builder().http_status_as_error(false).build().into(),
            cookie: None,
            origin: format!("http://127.0.0.1:{}", ready["port"]),
            rust: options.engine(store, ids).unwrap(),
            _node: node,
            _server: server,
        }
    }

    fn take(&mut self, line: Option<&http::HeaderValue>) {
        if let Some(line) = line {
            let line = line.to_str().unwrap();
            let is_dropped = line.contains("Expires=Thu, 01 Jan 1970");
            self.cookie = line.split(';').next().map(str::to_owned).filter(|_| !is_dropped);
        }
    }

    /// The answer of Node.js to a GET, or to a PUT of a value.
    fn node(&mut self, path: &str, value: Option<Value>) -> Value {
        let url = format!("{}{path}", self.origin);
        let cookie = self.cookie.clone().unwrap_or_default();
        let mut response = match value {
            Some(value) => self.http.put(url).header("cookie", cookie).send(value.to_string()),
            None => self.http.get(url).header("cookie", cookie).call(),
        }
        .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        self.take(response.headers().get("set-cookie"));
        response.body_mut().read_to_string().unwrap().parse().unwrap()
    }

    /// A request to the Rust service.
    async fn rust(&mut self, handler: impl AsyncFnOnce(&Session)) -> String {
        let mut request = http::Request::new(());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        let session = self.rust.load(RequestHead::from(&request)).await.unwrap().unwrap();
        handler(&session).await;
        let id = session.id();
        let line = self.rust.commit(&session).await.unwrap();
        self.take(line.as_ref());
        id
    }
}

async fn one_site(is_encoded: bool) {
    let mut site = Site::next_session(is_encoded);
    // Made in next-session, read and changed in Rust.
    let made = site.node("/keys/user", Some(json!("ann")));
    let id = site
        .rust(async |session| {
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ann"));
            session.insert("cart", ["tea"]).unwrap();
        })
        .await;
    assert_eq!(made["id"], json!(id));
    let seen = site.node("/", None);
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("ann")));
    assert_eq!(seen["session"]["cart"], json!(["tea"]));
    assert_eq!(seen["session"]["cookie"]["maxAge"], json!(100), "still counted in seconds");

    // A logout in Rust is one in next-session.
    site.rust(async |session| session.destroy().await.unwrap()).await;
    assert_eq!(site.cookie, None, "the browser forgets it");
    site.cookie = None;
    let seen = site.node("/", None);
    assert_eq!(seen["session"].get("user"), None);

    // Made in Rust, read, changed and extended in next-session.
    let id = site.rust(async |session| session.insert("user", "bob").unwrap()).await;
    let seen = site.node("/keys/views", Some(json!(7)));
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("bob")));
    site.rust(async |session| {
        assert_eq!(session.get::<u32>("views").unwrap(), Some(7));
        assert!(session.cookie().is_next_session());
    })
    .await;

    // A logout in next-session is one in Rust.
    site.node("/logout", None);
    site.cookie = Some(format!("sid={id}"));
    site.rust(async |session| assert!(session.is_new())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_next_session_site_and_rust_are_one_site() {
    one_site(false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn with_encoded_ids_too() {
    one_site(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_fastify_site_and_rust_are_one_site() {
    let old = "an old secret, an old secret, an old secret";
    // Node.js still signs with the secret that Rust has replaced.
    let mut site = Site::fastify(&[old, LONG_SECRET], &[LONG_SECRET, old]);
    let made = site.node("/keys/user", Some(json!("ann")));
    let signed_by_node = site.cookie.clone();
    let id = site
        .rust(async |session| {
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ann"));
            session.insert("cart", ["tea"]).unwrap();
        })
        .await;
    assert_eq!(made["id"], json!(id));
    assert_ne!(site.cookie, signed_by_node, "signed anew with the secret in use");
    let seen = site.node("/", None);
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("ann")));
    assert_eq!(seen["session"]["cart"], json!(["tea"]));

    // A logout in Rust is one in Fastify.
    site.rust(async |session| session.destroy().await.unwrap()).await;
    let seen = site.node("/", None);
    assert_eq!(seen["session"].get("user"), None);

    // Made in Rust, read and changed in Fastify, which destroys a record whose expiry is stale.
    site.cookie = None;
    let id = site.rust(async |session| session.insert("user", "bob").unwrap()).await;
    let seen = site.node("/keys/views", Some(json!(7)));
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("bob")));
    site.rust(async |session| assert_eq!(session.get::<u32>("views").unwrap(), Some(7))).await;

    // A logout in Fastify is one in Rust.
    let cookie = site.cookie.clone();
    site.node("/logout", None);
    site.cookie = cookie;
    site.rust(async |session| assert!(session.is_new())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn a_nest_site_and_rust_are_one_site() {
    let mut site = Site::nest();
    // A login in Nest is one in Rust.
    let login = site.node("/login?user=ann", None);
    let id = site
        .rust(async |session| {
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ann"));
            session.insert("cart", ["tea"]).unwrap();
        })
        .await;
    assert_eq!(login["id"], json!(id));
    let seen = site.node("/", None);
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("ann")));
    assert_eq!(seen["session"]["cart"], json!(["tea"]));

    // A logout in Rust is one in Nest.
    let cookie = site.cookie.clone();
    site.rust(async |session| session.destroy().await.unwrap()).await;
    site.cookie = cookie;
    let seen = site.node("/", None);
    assert_eq!(seen["session"].get("user"), None);

    // A login in Rust is one in Nest.
    site.cookie = None;
    let id = site.rust(async |session| session.insert("user", "bob").unwrap()).await;
    let seen = site.node("/keys/views", Some(json!(7)));
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(id), &json!("bob")));
    site.rust(async |session| assert_eq!(session.get::<u32>("views").unwrap(), Some(7))).await;

    // A logout in Nest is one in Rust.
    site.node("/logout", None);
    let id_after = site.rust(async |session| assert!(session.is_new())).await;
    assert_ne!(id_after, id);
}

/// The snippet of the guide is the code of the site that the test above has visited.
#[test]
fn the_guide_shows_the_nest_site_that_is_tested() {
    let folder = cloakroom_test_support::node_folder();
    let site = std::fs::read_to_string(folder.join("nest.mjs")).unwrap();
    let guide = std::fs::read_to_string(folder.join("../../docs/move-one-route.md")).unwrap();
    let snippet = guide.split("```ts\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(snippet.contains("app.use("), "{snippet}");
    assert!(site.contains(snippet), "nest.mjs does not have the snippet of the guide:\n{snippet}");
}
