//! The app of a case: the layer with the case's options, and a handler that does what the case's handler does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, http::Request};
use cloakroom_core::{Clock, Error, MemoryStore, Secrets, SessionData};
use cloakroom_tower::{
    RequestHead, Secure, Session, SessionEngine, SessionLayer, SessionOptions, Unset,
};
use futures::{FutureExt, future::BoxFuture};

use super::{
    FileFacts, Observed,
    recorder::{Events, Holds, Recorder},
};
use crate::json::Json;

/// The app that handles a case's request, and its records.
pub(super) struct App {
    layer: SessionLayer,
    action: String,
    now_ms: i64,
    /// The `req.session` of an earlier middleware.
    other: Option<Session>,
    pub(super) traces: Traces,
}

#[derive(Clone, Default)]
pub(super) struct Traces {
    pub(super) events: Events,
    pub(super) seen: Arc<Mutex<Option<Json>>>,
    pub(super) errors: Arc<Mutex<Vec<String>>>,
}

impl Traces {
    /// The outcome of the request that this response answers.
    pub(super) fn observed(
        &self,
        status: u16,
        set_cookie: Vec<String>,
        body: String,
    ) -> Option<Observed> {
        let events = self.events.take();
        let seen = self.seen.lock().ok()?.take();
        let errors = std::mem::take(&mut *self.errors.lock().ok()?);
        Some(Observed { events, seen, errors, status, set_cookie, body })
    }
}

impl App {
    /// Returns the app of a case, or `None` if the case is malformed.
    pub(super) fn of(case: &Json, file: &FileFacts) -> Option<Self> {
        let state = case.get("state")?.text()?;
        let action = case.get("action")?.text()?;
        let given = case.get("options")?;
        let traces = Traces::default();
        let store = Recorder {
            events: traces.events.clone(),
            sid: file.sid.clone(),
            holds: holds(&state, case)?,
            has_touch: flag(given, "touch")?,
            fails: match case.get("fail") {
                Some(fail) => {
                    let (operation, error) = fail.members().first()?;
                    Some((operation.to_str()?, error.get("message")?.text()?))
                }
                None => None,
            },
        };
        let options = options(&state, given, file, &traces)?;
        let now_ms = file.now_ms;
        let secrets = Secrets::new([&file.secret]).ok()?;
        let layer = options.layer(store, secrets).ok()?;
        let other =
            if state == "session_exists" { Some(a_session_of_another_layer()?) } else { None };
        Some(Self { layer, action, now_ms, other, traces })
    }

    /// The app in axum.
    pub(super) fn router(&self) -> Router {
        let handler = self.handler();
        let router = Router::new().fallback(handler).layer(self.layer.clone());
        match &self.other {
            Some(other) => router.layer(Extension(other.clone())),
            None => router,
        }
    }

    /// The engine, for another framework. `None` if an earlier middleware has put a session into the request, as only
    /// the extensions of `http` can hold one.
    pub(super) fn engine(&self) -> Option<&SessionEngine> {
        self.other.is_none().then(|| self.layer.engine())
    }

    /// The handler, for any framework.
    pub(super) fn handler(
        &self,
    ) -> impl Fn(Option<Session>) -> BoxFuture<'static, &'static str> + Clone + Send + Sync + 'static
    {
        let (action, now_ms, traces) = (self.action.clone(), self.now_ms, self.traces.clone());
        move |session| handle(session, action.clone(), now_ms, traces.clone()).boxed()
    }
}

fn flag(object: &Json, name: &str) -> Option<bool> {
    match object.get(name)? {
        Json::Bool(value) => Some(*value),
        _ => None,
    }
}

/// Returns the store's content in a state. The record of a session is what Express's handler saw.
fn holds(state: &str, case: &Json) -> Option<Holds> {
    Some(match state {
        "valid" | "expired_returned" | "reconnected" | "secure_http_valid" => {
            Holds::Record(case.get("seen")?.get("session")?.stringify())
        }
        "no_cookie_member" => Holds::Record(r#"{"user":"bob"}"#.to_owned()),
        "get_error" => Holds::Error,
        _ => Holds::Nothing,
    })
}

fn options(state: &str, given: &Json, file: &FileFacts, traces: &Traces) -> Option<SessionOptions> {
    let mut options = SessionOptions::express();
    options.resave = flag(given, "resave")?;
    options.save_uninitialized = flag(given, "saveUninitialized")?;
    options.expiry.rolling = flag(given, "rolling")?;
    options.unset = match &*given.get("unset")?.text()? {
        "destroy" => Unset::Destroy,
        "keep" => Unset::Keep,
        _ => return None,
    };
    options.cookie.max_age =
        given.get("maxAge")?.number().map(|ms| Duration::from_millis(ms as u64));
    options.cookie.secure = state.starts_with("secure_http").then_some(Secure::Always);
    if state == "path_mismatch" {
        options.cookie.path = Some("/admin".to_owned());
    }
    options.expiry.clock = Clock::fixed(file.now_ms);
    let made = AtomicUsize::new(0);
    options.ids.genid =
        Some(Arc::new(move |_| Ok(format!("NEW{}", made.fetch_add(1, Ordering::Relaxed) + 1))));
    let errors = Arc::clone(&traces.errors);
    options.failure.on_error = Some(Arc::new(move |error: &Error| {
        if let Ok(mut errors) = errors.lock() {
            errors.push(error.to_string());
        }
    }));
    if matches!(state, "disconnected" | "reconnected") {
        let is_connected = AtomicBool::new(false);
        is_connected.store(state == "reconnected", Ordering::Relaxed);
        options.failure.is_connected = Some(Arc::new(move || is_connected.load(Ordering::Relaxed)));
    }
    Some(options)
}

/// Returns a session that stands for the `req.session` of an earlier middleware, `{"mine":true}`.
fn a_session_of_another_layer() -> Option<Session> {
    let mut options = SessionOptions::new();
    options.ids.genid = Some(Arc::new(|_| Ok("mine".to_owned())));
    let secrets = Secrets::new(["another secret"]).ok()?;
    let engine = options.engine(MemoryStore::new(), secrets).ok()?;
    let request = Request::new(());
    let load = async { engine.load(RequestHead::from(&request)).await };
    let session = futures::executor::block_on(load).ok()??;
    session.insert("mine", true).ok()?;
    Some(session)
}

async fn handle(
    session: Option<Session>,
    action: String,
    now_ms: i64,
    traces: Traces,
) -> &'static str {
    traces.events.add("handler".into());
    if let Ok(mut seen) = traces.seen.lock() {
        *seen = Some(what_is_seen(session.as_ref()));
    }
    // Like the handlers of the recording, it continues whatever the outcome.
    let _ = match session {
        Some(session) => act(&session, &action, now_ms).await,
        None => Ok(()),
    };
    traces.events.add("end".into());
    "ok"
}

fn what_is_seen(session: Option<&Session>) -> Json {
    let record = session.map(|session| session.with(|record| record.to_json().into_owned()));
    let record = record.and_then(Result::ok).and_then(|text| Json::parse(&text).ok());
    // The session of another layer has an id, whereas the stand-in in Express has none.
    let is_mine = record.as_ref().is_some_and(|record| record.get("mine").is_some());
    let id = session.filter(|_| !is_mine).map(|session| Json::from(&*session.id()));
    let record = if is_mine { Json::parse(r#"{"mine":true}"#).ok() } else { record };
    Json::object(vec![
        ("sessionID".into(), id.unwrap_or(Json::Null)),
        ("session".into(), record.unwrap_or(Json::Null)),
    ])
}

async fn act(session: &Session, action: &str, now_ms: i64) -> Result<(), Error> {
    match action {
        "noop" => {}
        "modify" => session.insert("n", 1)?,
        "null" => session.unset()?,
        "destroy" => session.destroy().await?,
        "regenerate" => session.regenerate().await?,
        "regenerate_modify" | "regenerate_save" => {
            let _ = session.regenerate().await;
            session.insert("n", 1)?;
            if action == "regenerate_save" {
                session.save().await?;
            }
        }
        "save" => drop(session.save().await?),
        "modify_save" => {
            session.insert("n", 1)?;
            session.save().await?;
        }
        "save_modify" => {
            let _ = session.save().await;
            session.insert("n", 1)?;
        }
        "reload" => drop(session.reload().await?),
        "touch" => session.touch()?,
        "cookie_maxage" => {
            let mut cookie = session.cookie();
            cookie.set_max_age_ms(Some(5_000), now_ms)?;
            session.set_cookie(cookie)?;
        }
        _ => session.with(|_: &SessionData| ())?,
    }
    Ok(())
}
