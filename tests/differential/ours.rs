//! Our side: the layer with the express preset in axum. It does what `tests/node/differential.mjs` does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::Request,
    http::{StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Response},
};
use cloakroom_core::{Clock, Error, ErrorKind, SameSite, Secrets};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_tower::{
    CookieOptions, Priority, Proxy, SameSitePolicy, Secure, Session, SessionOptions, Unset,
};
use serde_json::Value;
use tower::ServiceExt;

use crate::sequence::{Action, Script};

pub(crate) struct Ours {
    pub(crate) origin: String,
    clock: Clock,
    ids: Arc<AtomicU64>,
    store: RedisStore,
    app: Arc<Mutex<Router>>,
    /// A test's change to the options, to cause a difference.
    twist: fn(&mut SessionOptions),
}

impl Ours {
    pub(crate) async fn start(redis: &str, twist: fn(&mut SessionOptions)) -> Self {
        let clock = Clock::fixed(0);
        let mut options = RedisOptions::default();
        options.clock = clock.clone();
        let store = RedisStore::open_with(&format!("{redis}/1"), options).unwrap();
        let app = Arc::new(Mutex::new(Router::new()));
        let current = Arc::clone(&app);
        let server = Router::new().fallback(move |request: Request| {
            let app = current.lock().unwrap().clone();
            async move { app.oneshot(request).await }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, server).await });
        Self { origin, clock, ids: Arc::default(), store, app, twist }
    }

    pub(crate) fn set_now(&self, now_ms: i64) {
        self.clock.set(now_ms);
    }

    pub(crate) fn restart_ids(&self) {
        self.ids.store(1, Ordering::Relaxed);
    }

    pub(crate) fn set_options(&self, options: &Value) {
        let secrets = options["secret"].as_array().unwrap().iter().map(|s| s.as_str().unwrap());
        let secrets = Secrets::new(secrets).unwrap();
        let mut options = session_options(options);
        options.expiry.clock = self.clock.clone();
        let ids = Arc::clone(&self.ids);
        options.ids.genid =
            Some(Arc::new(move |_| Ok(format!("NEW-{}", ids.fetch_add(1, Ordering::Relaxed)))));
        options.failure.error_response = Arc::new(|_| {
            let mut response = axum::http::Response::new("refused".into());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        (self.twist)(&mut options);
        let layer = options.layer(self.store.clone(), secrets).unwrap();
        let clock = self.clock.clone();
        let handle = move |session: Option<Session>, script| handle(session, script, clock.clone());
        *self.app.lock().unwrap() = Router::new().fallback(handle).layer(layer);
    }
}

/// Converts Express's options to ours.
fn session_options(options: &Value) -> SessionOptions {
    let mut made = SessionOptions::express();
    let flag = |name: &str, default| options[name].as_bool().unwrap_or(default);
    made.ids.cookie_name = options["name"].as_str().unwrap_or("connect.sid").to_owned();
    made.resave = flag("resave", true);
    made.save_uninitialized = flag("saveUninitialized", true);
    made.expiry.rolling = flag("rolling", false);
    made.unset = if options["unset"] == "destroy" { Unset::Destroy } else { Unset::Keep };
    made.proxy = if flag("proxy", false) { Proxy::Trusted } else { Proxy::Untrusted };
    made.cookie = cookie_options(&options["cookie"]);
    made
}

fn cookie_options(options: &Value) -> CookieOptions {
    let mut made = CookieOptions::default();
    let text = |name: &str| options[name].as_str();
    if let Some(path) = options.get("path") {
        made.path = path.as_str().map(str::to_owned);
    }
    made.domain = text("domain").map(str::to_owned);
    made.max_age = options["maxAge"].as_u64().map(Duration::from_millis);
    made.http_only = options["httpOnly"].as_bool().unwrap_or(true);
    made.partitioned = options["partitioned"].as_bool();
    made.secure = match &options["secure"] {
        Value::Bool(true) => Some(Secure::Always),
        Value::Bool(false) => Some(Secure::Never),
        Value::String(_) => Some(Secure::Auto),
        _ => None,
    };
    made.same_site = text("sameSite").map(|word| match word {
        "strict" => SameSitePolicy::Strict,
        "lax" => SameSitePolicy::Lax,
        "none" => SameSitePolicy::None,
        _ => SameSitePolicy::Auto,
    });
    made.priority = text("priority").map(|word| match word {
        "low" => Priority::Low,
        "medium" => Priority::Medium,
        _ => Priority::High,
    });
    made
}

async fn handle(session: Option<Session>, Json(script): Json<Script>, clock: Clock) -> Response {
    let mut lines = Vec::new();
    match session {
        None => lines.push("no session".to_owned()),
        Some(session) => {
            lines.push(describe(&session));
            for action in &script.actions {
                let outcome = match act(&session, action, clock.now_ms()).await {
                    Ok(true) => "ok",
                    Ok(false) => "missing",
                    Err(error) if error.kind() == ErrorKind::Unsupported => "gone",
                    Err(_) => "error",
                };
                lines.push(format!("{outcome} {}", describe(&session)));
            }
        }
    }
    let status = StatusCode::from_u16(script.status).unwrap();
    (status, [(SET_COOKIE, "theme=dark")], lines.join("\n")).into_response()
}

/// Performs an action. Returns true if the member that it concerns existed.
async fn act(session: &Session, action: &Action, now_ms: i64) -> Result<bool, Error> {
    match action {
        Action::Set(name, value) => session.insert(name, value)?,
        Action::Remove(name) => drop(session.remove::<serde::de::IgnoredAny>(name)?),
        Action::Push(name, value) => {
            let mut items = match session.get(name)? {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            items.push(value.clone());
            session.insert(name, items)?;
        }
        Action::SetAndBack(name, value) => {
            let before = session.get::<Value>(name)?;
            session.insert(name, value)?;
            match before {
                Some(before) => session.insert(name, before)?,
                None => drop(session.remove::<serde::de::IgnoredAny>(name)?),
            }
        }
        Action::Again(name) => {
            if let Some(value) = session.get::<Value>(name)? {
                session.remove::<serde::de::IgnoredAny>(name)?;
                session.insert(name, value)?;
            }
        }
        Action::Cookie(name, value) => {
            let mut cookie = session.cookie();
            match (&**name, value) {
                ("maxAge", value) => cookie.set_max_age_ms(value.as_i64(), now_ms)?,
                ("expires", value) => cookie.set_expires_ms(value.as_i64(), now_ms)?,
                ("httpOnly", value) => cookie.set_http_only(value == true),
                ("secure", value) => cookie.set_secure(value.as_bool()),
                ("partitioned", value) => cookie.set_partitioned(value.as_bool()),
                ("sameSite", value) => cookie.set_same_site(match value.as_str() {
                    Some("strict") => Some(SameSite::Strict),
                    Some("lax") => Some(SameSite::Lax),
                    _ => Some(SameSite::None),
                }),
                ("path", value) => cookie.set_path(value.as_str()),
                ("domain", value) => cookie.set_domain(value.as_str()),
                ("priority", value) => cookie.set_priority(value.as_str()),
                (other, _) => panic!("no member {other:?} in a cookie"),
            }
            session.set_cookie(cookie)?;
        }
        Action::Touch => session.touch()?,
        Action::Save => return session.save().await,
        Action::Reload => return session.reload().await,
        Action::Regenerate => session.regenerate().await?,
        Action::Destroy => session.destroy().await?,
        Action::Unset => session.unset()?,
    }
    Ok(true)
}

/// Returns the id, the cookie and the members, as `JSON.stringify` prints them.
fn describe(session: &Session) -> String {
    let id = session.id();
    let members = session.with(|record| {
        let members = record
            .iter()
            .map(|member| format!("{}:{}", Value::from(member.name()), member.json()))
            .collect::<Vec<_>>();
        members.join(",")
    });
    match members {
        Ok(members) => format!("{id} {} {{{members}}}", session.cookie().to_json()),
        Err(_) => format!("{id} -"),
    }
}
