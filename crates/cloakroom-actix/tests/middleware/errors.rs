//! Errors of handlers, middlewares and stores, and what the operator hears of them.

use std::sync::{Arc, Mutex};

use actix_web::{
    App, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorForbidden, ErrorInternalServerError},
    http::StatusCode,
    middleware::{Next, from_fn},
    web,
};
use async_trait::async_trait;
use cloakroom_actix::{Session, SessionError, SessionMiddleware, SessionRequest};
use cloakroom_core::{
    Atomic, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched,
};
use cloakroom_tower::{Loading, SessionOptions};

use crate::site::{answer, get, get_with, on};

/// A middleware whose errors are kept.
fn told(
    store: impl Store + 'static,
    change: impl FnOnce(&mut SessionOptions),
) -> (SessionMiddleware, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let errors = Arc::clone(&told);
    let sessions = on(store, |options| {
        options.failure.on_error =
            Some(Arc::new(move |error: &Error| errors.lock().unwrap().push(error.to_string())));
        change(options);
    });
    (sessions, told)
}

fn taken(told: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut told.lock().unwrap())
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "redis", "get", "at 10.0.0.1")
}

/// An application's own error, which passes on what it was made of.
#[derive(Debug)]
struct OwnError;

impl std::fmt::Display for OwnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("own")
    }
}

impl ResponseError for OwnError {
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(StatusCode::BAD_GATEWAY);
        response.extensions_mut().insert(Arc::new(unavailable()));
        response
    }
}

async fn fails_itself<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.path() == "/middleware" {
        return Err(SessionError::from(unavailable()).into());
    }
    next.call(request).await
}

#[actix_web::test]
async fn an_error_of_a_handler_is_told_once_and_shows_no_details() {
    let (sessions, told) = told(MemoryStore::new(), |_| {});
    let (outer, told_outside) = self::told(MemoryStore::new(), |options| {
        options.ids.cookie_name = "outer".to_owned();
    });
    let fails = async || Err::<&str, _>(SessionError::from(unavailable()));
    for (path, status) in [
        ("/handler", StatusCode::SERVICE_UNAVAILABLE),
        ("/own", StatusCode::BAD_GATEWAY),
        ("/middleware", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let app = App::new()
            .wrap(from_fn(fails_itself))
            .wrap(sessions.clone())
            .wrap(outer.clone())
            .route("/handler", web::get().to(fails))
            .route("/own", web::get().to(async || Err::<&str, _>(OwnError)));
        let reply = answer(app, get(path)).await;
        assert_eq!((reply.status, reply.body.contains("10.0.0.1")), (status, false), "{path}");
        assert_eq!(taken(&told), ["redis: get: at 10.0.0.1"], "{path}");
        assert!(taken(&told_outside).is_empty(), "{path}");
    }
}

/// A store that fails where it is told to.
#[derive(Clone)]
struct Failing {
    memory: MemoryStore,
    fails: Arc<Mutex<&'static str>>,
}

impl Failing {
    fn new() -> Self {
        Self { memory: MemoryStore::new(), fails: Arc::default() }
    }

    fn check(&self, operation: &'static str) -> Result<(), Error> {
        if *self.fails.lock().unwrap() == operation {
            return Err(Error::new(ErrorKind::Unavailable, "failing", operation, "told to fail"));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.check("get")?;
        self.memory.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.check("set")?;
        self.memory.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.memory.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.memory.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

async fn write(session: Session) -> Result<&'static str, SessionError> {
    session.insert("n", 1)?;
    Ok("written")
}

#[actix_web::test]
async fn a_session_that_cannot_be_loaded_is_the_error_response() {
    for loading in [Loading::Eager, Loading::OnDemand] {
        let store = Failing::new();
        let (sessions, told) = told(store.clone(), |options| options.loading = loading);
        let app = || {
            App::new()
                .wrap(sessions.clone())
                .route("/", web::get().to(write))
                .route("/static", web::get().to(async || "a file"))
        };
        let cookies = answer(app(), get("/")).await.cookies;
        *store.fails.lock().unwrap() = "get";
        let reply = answer(app(), get_with("/", &cookies)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.body, "The session store is unavailable.\n");
        assert_eq!(taken(&told), ["failing: get: told to fail"]);
        let file = answer(app(), get_with("/static", &cookies)).await;
        assert_eq!(file.status == StatusCode::OK, loading == Loading::OnDemand);
    }
}

#[actix_web::test]
async fn a_change_that_cannot_be_stored_is_the_error_response() {
    let store = Failing::new();
    let (sessions, told) = told(store.clone(), |_| {});
    *store.fails.lock().unwrap() = "set";
    for path in ["/", "/forbidden"] {
        let app = App::new()
            .wrap(from_fn(counted))
            .wrap(sessions.clone())
            .route("/", web::get().to(write));
        let reply = answer(app, get(path)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(reply.cookies.is_empty());
        assert_eq!(reply.body, "The session store is unavailable.\n");
        assert_eq!(taken(&told), ["failing: set: told to fail"]);
    }
}

async fn count(request: &ServiceRequest) -> Result<(), SessionError> {
    let session = request.lazy_session().unwrap().get().await?.unwrap();
    session.modify("n", |n: Option<u32>| n.unwrap_or_default() + 1)?;
    Ok(())
}

/// Counts, and then refuses the request with this status.
async fn counted<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    count(&request).await?;
    match request.path() {
        "/forbidden" => Err(ErrorForbidden("no")),
        "/broken" => Err(ErrorInternalServerError("oh")),
        "/own" => Err(OwnError.into()),
        _ => next.call(request).await,
    }
}

#[actix_web::test]
async fn an_error_of_a_middleware_is_answered_with_the_cookie() {
    let (sessions, _) = told(MemoryStore::new(), |_| {});
    let app = || {
        App::new().wrap(from_fn(counted)).wrap(sessions.clone()).route(
            "/",
            web::get().to(async |session: Session| -> Result<String, SessionError> {
                Ok(session.get::<u32>("n")?.unwrap_or_default().to_string())
            }),
        )
    };
    let refused = answer(app(), get("/forbidden")).await;
    assert_eq!((refused.status, &*refused.body), (StatusCode::FORBIDDEN, "no"));
    assert_eq!(refused.cookies.len(), 1);
    let broken = answer(app(), get_with("/broken", &refused.cookies)).await;
    assert_eq!((broken.status, &*broken.body), (StatusCode::INTERNAL_SERVER_ERROR, "oh"));
    assert_eq!(
        answer(app(), get_with("/", &refused.cookies)).await.body,
        "2",
        "not the broken one"
    );
    // A failed request sends no cookie, and a middleware further out sees the error as it was.
    let service = actix_web::test::init_service(app()).await;
    let error = actix_web::test::try_call_service(&service, get("/own").to_request()).await;
    assert!(error.unwrap_err().as_error::<OwnError>().is_some());
}

/// The session of the inner middleware has moved by then, and only its cookie leads to the new id.
#[actix_web::test]
async fn the_error_response_of_an_outer_middleware_keeps_the_cookies_of_the_inner_one() {
    let store = Failing::new();
    let (outer, _) = told(store.clone(), |options| options.ids.cookie_name = "outer".to_owned());
    let (inner, _) = told(MemoryStore::new(), |_| {});
    *store.fails.lock().unwrap() = "set";
    let app = || {
        App::new()
            .wrap(from_fn(counted))
            .wrap(inner.clone())
            // Counts in the session of the outer one.
            .wrap(from_fn(async |request: ServiceRequest, next: Next<_>| {
                count(&request).await?;
                next.call(request).await
            }))
            .wrap(outer.clone())
            .route("/", web::get().to(write))
    };
    for path in ["/", "/forbidden"] {
        let reply = answer(app(), get(path)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(reply.body, "The session store is unavailable.\n");
        assert_eq!(reply.cookies.len(), 1, "{path}");
        assert!(reply.cookies[0].starts_with("connect.sid=s"), "{path}");
    }
}

/// Loggers such as tracing-actix-web print errors, and a cookie is a secret.
#[actix_web::test]
async fn no_error_prints_a_cookie() {
    let store = Failing::new();
    let (outer, _) = told(store.clone(), |options| options.ids.cookie_name = "outer".to_owned());
    let (inner, _) = told(MemoryStore::new(), |_| {});
    for (fails, status) in [("", StatusCode::FORBIDDEN), ("set", StatusCode::SERVICE_UNAVAILABLE)] {
        *store.fails.lock().unwrap() = fails;
        let app = App::new()
            .wrap(from_fn(counted))
            .wrap(inner.clone())
            .wrap(from_fn(async |request: ServiceRequest, next: Next<_>| {
                count(&request).await?;
                next.call(request).await
            }))
            .wrap(outer.clone())
            .route("/", web::get().to(write));
        let service = actix_web::test::init_service(app).await;
        let error = actix_web::test::try_call_service(&service, get("/forbidden").to_request());
        let error = error.await.unwrap_err();
        let response = error.error_response();
        assert_eq!(response.status(), status);
        assert!(response.headers().get_all("set-cookie").count() > 0);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s%3A"), "{text}");
    }
}
