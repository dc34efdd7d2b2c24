//! Sessions that are loaded when they are asked for.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom_core::ErrorKind;
use cloakroom_tower::{
    LazySession, Loading, RequireSession, Session, SessionError, SessionOptions,
};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use crate::site::{Reply, Site};

fn site() -> Site {
    Site::with(|options| {
        options.loading = Loading::OnDemand;
        options.failure.deadline = Some(Duration::from_millis(20));
    })
}

/// A visit whose handler asks for the session or not.
async fn visit(site: &Site, asks: bool) -> Reply {
    let cookie = site.cookie.lock().unwrap().clone();
    let mut request = Request::get("/");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let service = site.layer.layer(service_fn(move |request: Request<()>| async move {
        assert!(request.extensions().get::<Session>().is_none());
        if asks {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let Ok(session) = lazy.get().await else {
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok(response);
            };
            let again = lazy.get().await.unwrap().unwrap();
            assert_eq!(session.unwrap().id(), again.id());
            again.modify("n", |n: Option<i32>| n.unwrap_or_default() + 1).unwrap();
        }
        Ok::<_, std::io::Error>(Response::new(()))
    }));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, _) = response.into_parts();
    let reply = Reply { status: parts.status, headers: parts.headers, body: String::new() };
    if let Some(line) = reply.lines().last() {
        *site.cookie.lock().unwrap() = line.split(';').next().map(str::to_owned);
    }
    reply
}

#[tokio::test]
async fn a_request_that_never_asks_sends_nothing_and_needs_no_store() {
    let site = site();
    visit(&site, true).await;
    assert_eq!(site.store.calls(), ["create"]);
    for _ in 0..20 {
        assert!(visit(&site, false).await.lines().is_empty());
    }
    assert!(site.store.calls().is_empty());
    visit(&site, true).await;
    assert_eq!(site.store.calls(), ["get_and_touch", "update"]);
    assert_eq!(site.member("n").await, Some(2));
    site.store.hang();
    assert_eq!(visit(&site, false).await.status, StatusCode::OK);
    assert!(site.store.calls().is_empty());
    assert_eq!(visit(&site, true).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.told(), ["session: load: no answer within 20ms"]);
}

#[tokio::test]
async fn a_guard_counts_as_asking_and_answers_for_a_store_that_is_unavailable() {
    let site = site();
    visit(&site, true).await;
    site.store.calls();
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let guard = RequireSession::json().with_member("n").with_paths(["/in"]);
    let page = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(())));
    let service = site.layer.layer(guard.layer(page));
    let get = |path: &str, cookie: &str| {
        let request = Request::get(path).header("cookie", cookie).body(()).unwrap();
        service.clone().oneshot(request)
    };
    assert_eq!(get("/out", &cookie).await.unwrap().status(), StatusCode::OK);
    assert!(site.store.calls().is_empty());
    assert_eq!(get("/in", &cookie).await.unwrap().status(), StatusCode::OK);
    assert_eq!(get("/in", "x=y").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(site.store.calls(), ["get_and_touch"]);
    site.store.fail(&["get_and_touch", "get"], ErrorKind::Unavailable);
    assert_eq!(get("/in", &cookie).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get("/out", &cookie).await.unwrap().status(), StatusCode::OK);
}

/// Loading fails twice in different ways, and the handler answers with the second error.
#[tokio::test]
async fn each_failure_to_load_is_told_once() {
    let site = site();
    visit(&site, true).await;
    let told = answered(&site, async |lazy, store| {
        store.fail(&["get_and_touch", "get"], ErrorKind::Unavailable);
        lazy.get().await.unwrap_err();
        store.fail(&[], ErrorKind::Unavailable);
        store.hang();
        let error = lazy.get().await.unwrap_err();
        store.go_on();
        error
    })
    .await;
    let expected = ["log: get_and_touch: told to fail", "session: load: no answer within 20ms"];
    assert_eq!(told, expected);
}

/// The session was loaded in the end, and then something else failed with the same words.
#[tokio::test]
async fn an_error_that_reads_like_an_earlier_failure_to_load_is_told() {
    let site = Site::with(|options| {
        options.loading = Loading::OnDemand;
        options.expiry.touch_after = cloakroom_tower::TouchAfter::Never;
    });
    visit(&site, true).await;
    let told = answered(&site, async |lazy, store| {
        store.fail(&["get"], ErrorKind::Unavailable);
        lazy.get().await.unwrap_err();
        store.fail(&[], ErrorKind::Unavailable);
        let session = lazy.get().await.unwrap().unwrap();
        store.fail(&["get"], ErrorKind::Unavailable);
        let error = session.reload().await.unwrap_err();
        store.fail(&[], ErrorKind::Unavailable);
        error
    })
    .await;
    assert_eq!(told, ["log: get: told to fail", "log: get: told to fail"]);
}

/// What `on_error` hears of a visit whose handler answers with an error.
async fn answered<F>(
    site: &Site,
    handler: impl FnOnce(LazySession, crate::log::Log) -> F + Send + 'static,
) -> Vec<String>
where
    F: Future<Output = cloakroom_core::Error> + Send + 'static,
{
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let (store, handler) = (site.store.clone(), Arc::new(Mutex::new(Some(handler))));
    let service = site.layer.layer(service_fn(move |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().cloned().unwrap();
        let handled = handler.lock().unwrap().take().unwrap()(lazy, store.clone());
        async { Ok::<_, std::io::Error>(SessionError::from(handled.await).into_http()) }
    }));
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    service.oneshot(request).await.unwrap();
    site.told()
}

/// Nothing would be written any more.
#[tokio::test]
async fn nobody_can_ask_when_the_response_has_begun() {
    let site = site();
    let kept: std::sync::Arc<std::sync::Mutex<Option<LazySession>>> = std::sync::Arc::default();
    let keep = std::sync::Arc::clone(&kept);
    let service = site.layer.layer(service_fn(move |request: Request<()>| {
        *keep.lock().unwrap() = request.extensions().get::<LazySession>().cloned();
        async { Ok::<_, std::io::Error>(Response::new(())) }
    }));
    service.oneshot(Request::new(())).await.unwrap();
    let lazy = kept.lock().unwrap().take().unwrap();
    assert_eq!(lazy.get().await.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// A task asks, and the store answers after the response.
#[tokio::test]
async fn a_session_that_comes_too_late_is_closed() {
    let site = Site::with(|options| options.loading = Loading::OnDemand);
    visit(&site, true).await;
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let store = site.store.clone();
    let (send, receive) = tokio::sync::oneshot::channel();
    let send = std::sync::Arc::new(std::sync::Mutex::new(Some(send)));
    let service = site.layer.layer(service_fn(move |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().cloned().unwrap();
        store.hang();
        let mut asks = Box::pin(async move { lazy.get().await.unwrap().unwrap() });
        assert!(futures::FutureExt::now_or_never(&mut asks).is_none());
        let _ = send.lock().unwrap().take().unwrap().send(asks);
        async { Ok::<_, std::io::Error>(Response::new(())) }
    }));
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    service.oneshot(request).await.unwrap();
    site.store.go_on();
    let session = receive.await.unwrap_or_else(|_| panic!("it was sent")).await;
    assert_eq!(session.insert("n", 9).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn the_express_preset_loads_at_once() {
    let mut options = SessionOptions::express();
    options.loading = Loading::OnDemand;
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let error = options.layer(cloakroom_core::MemoryStore::new(), secrets).unwrap_err();
    assert!(error.to_string().contains("\"loading\""), "{error}");
}
