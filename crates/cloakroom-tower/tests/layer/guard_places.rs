//! Where a guard stands, and where it sends a browser.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloakroom_core::{Error, MemoryStore, Secrets};
use cloakroom_tower::{RequireSession, SessionLayer, SessionOptions, own_path};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

fn layer(change: impl FnOnce(&mut SessionOptions)) -> SessionLayer {
    let mut options = SessionOptions::new();
    change(&mut options);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    options.layer(MemoryStore::new(), secrets).unwrap()
}

fn guarded(
    guard: &RequireSession,
) -> impl Service<
    Request<()>,
    Response = Response<impl Body<Data = Bytes, Error: std::fmt::Debug> + Send>,
    Error = std::io::Error,
    Future: Send,
> + Clone
+ Send
+ 'static {
    guard.layer(service_fn(async |_: Request<()>| Ok(Response::new(Full::from("inside")))))
}

/// What a stranger gets: the status, the location and the body.
async fn ask<S, B>(service: S, method: Method, uri: &str) -> (StatusCode, String, String)
where
    S: Service<Request<()>, Response = Response<B>, Error = std::io::Error>,
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let location = parts.headers.get("location").map_or("", |value| value.to_str().unwrap());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, location.to_owned(), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn outside_of_the_layer_it_is_an_error_that_says_so() {
    for guard in [RequireSession::json(), RequireSession::redirect("/login").unwrap()] {
        let (status, location, body) = ask(guarded(&guard), Method::GET, "/").await;
        assert_eq!((status, &*location), (StatusCode::INTERNAL_SERVER_ERROR, ""));
        assert!(body.contains("RequireSession") && body.contains("SessionLayer"), "{body}");
        // Around it, the layer comes too late.
        let inside = guard.layer(layer(|_| {}).layer(guarded(&RequireSession::json())));
        assert_eq!(ask(inside, Method::GET, "/").await.0, StatusCode::INTERNAL_SERVER_ERROR);
        // What it does not guard passes.
        let open = guard.without_paths(["/open"]);
        assert_eq!(ask(guarded(&open), Method::GET, "/open").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn outside_of_the_layer_that_it_names_it_is_an_error_that_is_told() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = Arc::clone(&told);
    let named = layer(|options| {
        options.failure.on_error =
            Some(Arc::new(move |error: &Error| tell.lock().unwrap().push(error.to_string())));
    });
    let guard = RequireSession::json().with_engine(named.engine());
    let other = layer(|_| {});
    let (status, _, body) = ask(other.layer(guarded(&guard)), Method::GET, "/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("engine"), "{body}");
    assert_eq!(told.lock().unwrap().join(" "), body.trim_end());
    let inside = named.layer(other.layer(guarded(&guard)));
    assert_eq!(ask(inside, Method::GET, "/").await.0, StatusCode::UNAUTHORIZED);
}

/// There the layer is, and the browser has no cookie to send.
#[tokio::test]
async fn on_a_path_that_is_not_the_cookies_nobody_has_a_session() {
    let app = layer(|options| options.cookie.path = Some("/app".to_owned()));
    let guard = RequireSession::json();
    let named = guard.clone().with_engine(app.engine());
    for guard in [&guard, &named] {
        for path in ["/", "/app"] {
            let (status, _, _) = ask(app.layer(guarded(guard)), Method::GET, path).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
}

#[tokio::test]
async fn a_redirect_carries_where_the_user_wanted_to_go() {
    let guard = RequireSession::redirect("/login?from=guard#form").unwrap().with_next("next");
    let layer = layer(|_| {});
    for (uri, next) in [
        ("/", Some("%2F")),
        ("/cart?page=2&x=%20", Some("%2Fcart%3Fpage%3D2%26x%3D%2520")),
        ("http://evil.example/cart", Some("%2Fcart")),
        ("/cart?next=//evil.example", Some("%2Fcart%3Fnext%3D%2F%2Fevil.example")),
        ("//evil.example/", None),
        ("/%2Fevil.example/", None),
        ("/%5Cevil.example/", None),
        ("/%09/evil.example/", None),
        ("/%0D%0Aset-cookie:x=y", None),
        ("/x/..//evil.example", None),
        ("*", None),
    ] {
        let (status, location, _) = ask(layer.layer(guarded(&guard)), Method::GET, uri).await;
        let parameter = next.map(|next| format!("&next={next}")).unwrap_or_default();
        assert_eq!(
            (status, location),
            (StatusCode::SEE_OTHER, format!("/login?from=guard{parameter}#form")),
            "{uri}"
        );
        if let Some(next) = next {
            let next = cloakroom_core::decode_uri_component(next).unwrap();
            assert_eq!(own_path(&next), Some(&*next));
        }
    }
    // A GET cannot do what a POST was to do.
    let (_, location, _) = ask(layer.layer(guarded(&guard)), Method::POST, "/buy").await;
    assert_eq!(location, "/login?from=guard#form");
    let long = format!("/{}", "x".repeat(4_000));
    let (_, location, _) = ask(layer.layer(guarded(&guard)), Method::GET, &long).await;
    assert_eq!(location, "/login?from=guard#form");
}

#[tokio::test]
async fn a_redirect_to_a_page_that_is_guarded_is_an_error_instead_of_a_loop() {
    let layer = layer(|_| {});
    for location in ["/login", "/login?x=1", "/login#form"] {
        for guard in [
            RequireSession::redirect(location).unwrap(),
            RequireSession::redirect(location).unwrap().with_next("next"),
        ] {
            for uri in ["/login", "/login?next=%2Fcart"] {
                let (status, to, body) = ask(layer.layer(guarded(&guard)), Method::GET, uri).await;
                assert_eq!((status, &*to), (StatusCode::INTERNAL_SERVER_ERROR, ""), "{uri}");
                assert!(body.contains("\"/login") && body.contains("without_paths"), "{body}");
            }
            // A route that takes POST alone can share its path with the page.
            let (status, ..) = ask(layer.layer(guarded(&guard)), Method::POST, "/login").await;
            assert_eq!(status, StatusCode::SEE_OTHER);
            let open = guard.without_paths(["/login"]);
            let (status, ..) = ask(layer.layer(guarded(&open)), Method::GET, "/login").await;
            assert_eq!(status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn what_a_redirect_notes_is_called_for_redirects_alone_and_its_error_is_told() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = Arc::clone(&told);
    let layer = layer(|options| {
        options.failure.on_error =
            Some(Arc::new(move |error: &Error| tell.lock().unwrap().push(error.to_string())));
    });
    let note = Arc::clone(&noted);
    let guard = RequireSession::redirect("/login").unwrap().without_paths(["/login", "/open"]);
    let guard = guard.with_on_redirect(move |session, path| {
        note.lock().unwrap().push(path.to_owned());
        session.insert("save", path)
    });
    for (method, path, status) in [
        (Method::GET, "/account?x=y", StatusCode::SEE_OTHER),
        (Method::POST, "/account", StatusCode::SEE_OTHER),
        (Method::GET, "/open", StatusCode::OK),
    ] {
        let (came, ..) = ask(layer.layer(guarded(&guard)), method, path).await;
        assert_eq!(came, status, "{path}");
    }
    assert_eq!(*noted.lock().unwrap(), ["/account?x=y", "/account"]);
    let told = told.lock().unwrap();
    assert!(told.len() == 2 && told[0].contains("\"save\""), "{told:?}");
}
