//! The guard: who passes, where the others are sent, and which paths are guarded.

use std::convert::Infallible;

use cloakroom_authjs::{AuthLayer, RequireAuth};
use http::{
    Method, Request, Response,
    header::{COOKIE, LOCATION},
};
use tower::{Layer, ServiceExt, service_fn};

use crate::site;

/// The status, and where the response leads.
async fn ask(guard: &RequireAuth, method: Method, path: &str, cookie: &str) -> (u16, String) {
    let inner =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let app = AuthLayer::new(site().0).layer(guard.layer(inner));
    let request = Request::builder().method(method).uri(path).header(COOKIE, cookie);
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap());
    (response.status().as_u16(), location.unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_is_logged_in_passes_and_the_others_are_sent_to_the_login() {
    let (_, cookie) = site();
    let guard = RequireAuth::redirect("/login?x=1").unwrap().with_next("callbackUrl");
    for (method, path, cookie, status, location) in [
        (Method::GET, "/cart?page=2", &*cookie, 200, ""),
        (Method::GET, "/cart?page=2", "", 303, "/login?x=1&callbackUrl=%2Fcart%3Fpage%3D2"),
        (Method::POST, "/cart", "", 303, "/login?x=1"),
        (Method::GET, "//evil.example", "", 303, "/login?x=1"),
        (Method::GET, "/cart", "authjs.session-token=junk", 303, "/login?x=1&callbackUrl=%2Fcart"),
        (Method::GET, "/login?y=2", "", 200, ""),
        (Method::GET, "/login/", "", 303, "/login?x=1&callbackUrl=%2Flogin%2F"),
    ] {
        let came = ask(&guard, method, path, cookie).await;
        assert_eq!(came, (status, location.to_owned()), "{path}");
    }
    assert_eq!(ask(&RequireAuth::json(), Method::GET, "/", "").await.0, 401);
}

#[tokio::test]
async fn a_predicate_decides_about_a_session() {
    let (_, cookie) = site();
    for (role, status) in [("admin", 200), ("owner", 401)] {
        let guard = RequireAuth::json().with_predicate(move |session| {
            let found = session.claims().and_then(|claims| claims.text("role"));
            found.as_deref() == Some(role)
        });
        assert_eq!(ask(&guard, Method::GET, "/", &cookie).await.0, status);
    }
}

#[tokio::test]
async fn no_spelling_of_a_guarded_path_passes() {
    let only = RequireAuth::json().with_matcher(["/admin/:path*"]).unwrap();
    let except = RequireAuth::json().with_matcher(["/((?!public).*)"]).unwrap();
    for (path, by_only, by_except) in [
        ("/admin", 401, 401),
        ("/admin/", 401, 401),
        ("/admin/x/y", 401, 401),
        ("/%61dmin", 401, 401),
        ("/x/../admin", 401, 401),
        ("//admin", 401, 401),
        ("/%ff", 401, 401),
        ("/public/../admin", 401, 401),
        ("/public/%2e%2e/admin", 401, 401),
        ("/x%2Fy/../admin", 401, 401),
        ("/x%5Cy/../admin", 401, 401),
        ("/x%2fy/%2e%2E/admin", 401, 401),
        ("/public%2Fx/../admin", 401, 401),
        ("/public/x%2Fy/../../admin", 401, 401),
        ("/administrator", 200, 401),
        ("/public", 200, 200),
        ("/public/x", 200, 200),
        ("/", 200, 401),
    ] {
        assert_eq!(ask(&only, Method::GET, path, "").await.0, by_only, "{path}");
        assert_eq!(ask(&except, Method::GET, path, "").await.0, by_except, "{path}");
    }
}

#[tokio::test]
async fn a_pattern_of_one_segment_is_matched_however_it_is_spelled() {
    let guard = RequireAuth::json().with_matcher(["/admin/:id", "/x/(.*)"]).unwrap();
    for (path, status) in [
        ("/admin/a%2Fb", 401),
        ("/./admin/a%2Fb", 401),
        ("/%61dmin/a%2Fb", 401),
        ("/x/", 401),
        ("/y/../x/", 401),
        ("/y/../x/.", 401),
        ("/admin", 200),
        ("/x", 200),
        ("/y/../x", 200),
    ] {
        assert_eq!(ask(&guard, Method::GET, path, "").await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_guard_outside_of_the_layer_says_where_to_put_it() {
    let inner =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let response = RequireAuth::json().layer(inner).oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 500);
    for location in ["", "?x", "/a#b", "/a\n"] {
        assert!(RequireAuth::redirect(location).is_err(), "{location:?}");
    }
}
