//! A site behind the layer, and a browser that keeps its cookie.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom_core::{Clock, Error, Secrets, SessionData, Store};
use cloakroom_tower::{IdFormat, Session, SessionLayer, SessionOptions};
use http::{HeaderMap, Request, StatusCode, header::SET_COOKIE};

use crate::{log::Log, serve::serve};

pub(crate) const NOW: i64 = 1_700_000_000_000;
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    pub(crate) store: Log,
    pub(crate) clock: Clock,
    pub(crate) layer: SessionLayer,
    /// What the layer has told of.
    pub(crate) errors: Arc<Mutex<Vec<String>>>,
    /// The cookie that the browser has, as it stands in the `Cookie` header.
    pub(crate) cookie: Mutex<Option<String>>,
}

/// A response.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The `Set-Cookie` lines.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With sessions that live a minute.
    pub(crate) fn for_a_minute() -> Self {
        Self::with(|options| options.cookie.max_age = Some(MINUTE))
    }

    pub(crate) fn with(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        Self::with_all(SessionOptions::new(), secrets, |store| store, change)
    }

    pub(crate) fn with_all(
        mut options: SessionOptions,
        ids: impl Into<IdFormat>,
        store: impl FnOnce(Log) -> Log,
        change: impl FnOnce(&mut SessionOptions),
    ) -> Self {
        let clock = Clock::fixed(NOW);
        let store = store(Log::new(&clock));
        options.expiry.clock = clock.clone();
        let errors = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&errors);
        options.failure.on_error =
            Some(Arc::new(move |error: &Error| told.lock().unwrap().push(error.to_string())));
        change(&mut options);
        let layer = options.layer(store.clone(), ids).unwrap();
        Self { store, clock, layer, errors, cookie: Mutex::default() }
    }

    /// The same store and browser, behind a layer of other options and secrets.
    pub(crate) fn rebuilt(
        self,
        ids: impl Into<IdFormat>,
        change: impl FnOnce(&mut SessionOptions),
    ) -> Self {
        let mut options = self.layer.engine().options().clone();
        change(&mut options);
        let layer = options.layer(self.store.clone(), ids).unwrap();
        Self { layer, ..self }
    }

    /// A visit by a browser that takes the cookie it gets. The handler does not fail.
    pub(crate) async fn visit<F>(
        &self,
        handler: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let cookie = self.cookie.lock().unwrap().clone();
        let mut request = Request::get("/");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let reply = self.send(request.body(()).unwrap(), handler).await;
        assert!(reply.status != StatusCode::OK || reply.body == "ok", "{}", reply.body);
        self.take_cookie(&reply);
        reply
    }

    /// A visit that only looks at the session.
    pub(crate) async fn read(&self) -> Reply {
        self.visit(async |_| Ok(())).await
    }

    /// A visit that sets a member.
    pub(crate) async fn write(&self, name: &'static str, value: i32) -> Reply {
        self.visit(async move |session: Session| session.insert(name, value)).await
    }

    fn take_cookie(&self, reply: &Reply) {
        if let Some(line) = reply.lines().last() {
            let pair = line.split(';').next().unwrap().to_owned();
            let is_dropped = line.contains("Expires=Thu, 01 Jan 1970");
            *self.cookie.lock().unwrap() = (!is_dropped).then_some(pair);
        }
    }

    /// Sends a request; the response of a handler that fails has the error's text.
    pub(crate) async fn send<F>(
        &self,
        request: Request<()>,
        handler: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.respond(request, async move |session: Option<Session>| {
            let Some(session) = session else {
                return (StatusCode::OK, "no session".to_owned());
            };
            let text = match handler(session).await {
                Ok(()) => "ok".to_owned(),
                Err(error) => error.to_string(),
            };
            (StatusCode::OK, text)
        })
        .await
    }

    /// Sends a request to a handler that gives the response its status and text.
    pub(crate) async fn respond<F>(
        &self,
        request: Request<()>,
        handler: impl FnOnce(Option<Session>) -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = (StatusCode, String)> + Send + 'static,
    {
        serve(&self.layer, request, handler).await
    }

    /// The session id in the browser's cookie.
    pub(crate) fn sid(&self) -> String {
        let cookie = self.cookie.lock().unwrap().clone().unwrap();
        let value = cloakroom_core::find_cookie(cookie.as_bytes(), "connect.sid").unwrap();
        value.strip_prefix("s:").unwrap().rsplit_once('.').unwrap().0.to_owned()
    }

    /// The record under an id.
    pub(crate) async fn record(&self, sid: &str) -> Option<SessionData> {
        self.store.memory().get(sid).await.unwrap()
    }

    /// A member of the record of the browser's session.
    pub(crate) async fn member(&self, name: &str) -> Option<i32> {
        self.record(&self.sid()).await?.get(name).unwrap()
    }

    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }
}
