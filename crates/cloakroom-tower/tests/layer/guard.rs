//! `RequireSession`: who passes, and what the others get.

use cloakroom_core::{ErrorKind, MemoryStore, Secrets, SessionData};
use cloakroom_tower::{RequireSession, Session, SessionLayer};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

struct Guarded {
    layer: SessionLayer,
    guard: RequireSession,
}

impl Guarded {
    fn new(guard: RequireSession) -> Self {
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        Self { layer: SessionLayer::new(MemoryStore::new(), secrets), guard }
    }

    /// A cookie of a session with one member.
    async fn cookie(&self, name: &'static str, json: &'static str) -> String {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let login = self.layer.layer(service_fn(move |request: Request<()>| {
            let session = request.extensions().get::<Session>().cloned().unwrap();
            session.insert(name, &value).unwrap();
            async { Ok::<_, std::io::Error>(Response::new(())) }
        }));
        let response = login.oneshot(Request::new(())).await.unwrap();
        let line = response.headers()["set-cookie"].to_str().unwrap();
        line.split(';').next().unwrap().to_owned()
    }

    async fn get(&self, path: &str, cookie: Option<&str>) -> (StatusCode, Option<String>, String) {
        let inner = self.guard.layer(service_fn(async |_: Request<()>| {
            Ok::<_, std::io::Error>(Response::new(Full::<bytes::Bytes>::from("inside")))
        }));
        let mut request = Request::get(path);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let response = self.layer.layer(inner).oneshot(request.body(()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let location =
            parts.headers.get("location").map(|value| value.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, location, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn without_a_session_the_answer_is_401_and_json() {
    let guarded = Guarded::new(RequireSession::json());
    let (status, _, body) = guarded.get("/", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, serde_json::json!({ "error": "unauthorized" }));
    let cookie = guarded.cookie("anything", "1").await;
    assert_eq!(guarded.get("/", Some(&cookie)).await.2, "inside");
    let forged = cookie.replace("connect.sid=s%3A", "connect.sid=s%3Ax");
    assert_eq!(guarded.get("/", Some(&forged)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn or_a_redirect() {
    let guarded = Guarded::new(RequireSession::redirect("/login").unwrap());
    let (status, location, body) = guarded.get("/", None).await;
    assert_eq!((status, location.as_deref(), &*body), (StatusCode::SEE_OTHER, Some("/login"), ""));
    for (location, quoted) in
        [("/a\nb", "/a\\nb"), ("", "\"\""), ("?x", "\"?x\""), ("#x", "\"#x\"")]
    {
        let error = RequireSession::redirect(location).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(quoted), "{error}");
    }
}

#[tokio::test]
async fn a_member_can_be_asked_for() {
    let guarded = Guarded::new(RequireSession::json().with_member("user"));
    for (name, json, passes) in [
        ("user", "\"ann\"", true),
        ("user", "7", true),
        ("user", "true", true),
        ("user", "[0]", true),
        ("user", "{\"id\":0}", true),
        ("user", "null", false),
        ("user", "false", false),
        ("user", "0", false),
        ("user", "-0.0", false),
        ("user", "\"\"", false),
        ("user", "{}", false),
        ("user", "[]", false),
        ("visitor", "1", false),
    ] {
        let cookie = guarded.cookie(name, json).await;
        let (status, _, _) = guarded.get("/", Some(&cookie)).await;
        assert_eq!(status == StatusCode::OK, passes, "{name} {json}");
    }
}

/// The values that passport 0.5.3, 0.6.0 and 0.7.0 were seen to store or to find; `{}` is what 0.5.3 leaves after
/// `logout()`, and 0.6.0 and 0.7.0 after one with `keepSessionInfo` and when `deserializeUser` finds nobody. The second
/// column is what Passport's `isAuthenticated` said.
#[tokio::test]
async fn a_path_asks_for_who_is_logged_in_by_passport() {
    let guarded = Guarded::new(RequireSession::json().with_member("passport.user"));
    for (json, passes) in [
        ("{\"user\":1}", true),
        ("{\"user\":\"u1\"}", true),
        ("{\"user\":1,\"extra\":1}", true),
        ("{\"user\":{\"id\":1,\"role\":\"a\"}}", true),
        ("{\"user\":[1,2]}", true),
        ("{}", false),
        ("null", false),
        ("\"x\"", false),
        ("{\"user\":\"\"}", false),
        ("{\"user\":false}", false),
        ("{\"user\":null}", false),
    ] {
        let cookie = guarded.cookie("passport", json).await;
        let (status, _, _) = guarded.get("/", Some(&cookie)).await;
        assert_eq!(status == StatusCode::OK, passes, "{json}");
    }
    // Here Passport says yes: a predicate does as Passport.
    let cookie = guarded.cookie("passport", "{\"user\":0}").await;
    assert_eq!(guarded.get("/", Some(&cookie)).await.0, StatusCode::UNAUTHORIZED);
    let member = Guarded::new(RequireSession::json().with_member("passport"));
    let cookie = member.cookie("passport", "{}").await;
    assert_eq!(member.get("/", Some(&cookie)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_predicate_can_be_asked_for_and_all_that_is_asked_for_must_be_there() {
    let guard =
        RequireSession::json().with_predicate(|session| matches!(session.get("n"), Ok(Some(0))));
    let guarded = Guarded::new(guard.clone());
    for (json, passes) in [("0", true), ("1", false), ("\"x\"", false)] {
        let cookie = guarded.cookie("n", json).await;
        let (status, _, _) = guarded.get("/", Some(&cookie)).await;
        assert_eq!(status == StatusCode::OK, passes, "{json}");
    }
    for guard in [
        guard.clone().with_member("user"),
        RequireSession::json().with_member("user").with_member("n"),
    ] {
        let guarded = Guarded::new(guard);
        let cookie = guarded.cookie("n", "0").await;
        assert_eq!(guarded.get("/", Some(&cookie)).await.0, StatusCode::UNAUTHORIZED);
    }
    let text = format!("{guard:?}");
    assert!(text.contains("Predicate(..)"), "{text}");
}

#[tokio::test]
async fn paths_are_guarded_by_whole_segments() {
    let guarded = Guarded::new(
        RequireSession::json().with_paths(["/admin", "/api/"]).without_paths(["/admin/login"]),
    );
    for (path, is_guarded) in [
        ("/", false),
        ("/admin", true),
        ("/admin/", true),
        ("/admin/users?x=1", true),
        ("/administrator", false),
        ("/admin/login", false),
        ("/admin/login/help", false),
        ("/admin/loginx", true),
        ("/api/x", true),
        ("/api", true),
    ] {
        let (status, _, _) = guarded.get(path, None).await;
        assert_eq!(status == StatusCode::UNAUTHORIZED, is_guarded, "{path}");
    }
}

#[tokio::test]
async fn the_root_can_be_public_alone() {
    let guarded = Guarded::new(RequireSession::json().without_paths(["/", "/static/*"]));
    for (path, is_guarded) in
        [("/", false), ("/?x", false), ("//", true), ("/x", true), ("/static/x", false)]
    {
        let (status, _, _) = guarded.get(path, None).await;
        assert_eq!(status == StatusCode::UNAUTHORIZED, is_guarded, "{path}");
    }
}

/// A service inside may decode a path, and follow its dots.
#[tokio::test]
async fn other_spellings_of_a_path_are_guarded_too() {
    let guarded = Guarded::new(
        RequireSession::json().with_paths(["private"]).without_paths(["/private/static"]),
    );
    for path in [
        "/%70rivate/x",
        "//private/x",
        "/./private/x",
        "/x/../private/x",
        "/x/%2e%2e/private/x",
        "/x%2f..%2fprivate",
        "/private/static/../x",
        "/private/static/%2e%2e/x",
        "/private/x/../static/y",
        "/x/..%5Cprivate",
        "/x/%ff",
        // Whoever follows dots before it decodes sees one segment before them.
        "/x%2Fy/../private/x",
        "/x%5cy/%2e%2e/private/x",
        "/x\\y/../private",
        "/x//../../private",
        "/private/static/x%2Fy/../../x",
        "/private/static//../x",
        "/x%2Fy/../p%72ivate%2Fx",
        "/x%2Fy/../q/..%2Fprivate",
        // To `new URL(path, base)` of Node.js, `x` is a host.
        "//x/private",
        "///x/private/y",
        "//x:80/q/../private",
        "/\\x/%70rivate",
        "//x\\private",
        "//private/static/../..//private/x",
        "//x//private/static",
        // Also if it is given what was decoded, or the `pathname` of another URL.
        "/%2Fx/private",
        "/%5cx/p%72ivate",
        "/x/..//y/private",
        "/.//y/private",
        // To Express, which compares routes in any case by default.
        "/Private",
        "/x/../PRIVATE/x",
        "/PRIVATE/static",
    ] {
        let (status, _, _) = guarded.get(path, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let long = format!("/{}private", "x/../".repeat(1_000));
    assert_eq!(guarded.get(&long, None).await.0, StatusCode::UNAUTHORIZED);
    for path in ["/private/static/a%20b", "/public", "/x/../public", "/private/../public"] {
        let (status, _, _) = guarded.get(path, None).await;
        let is_open = status == StatusCode::OK;
        // What begins with the path as text is guarded, wherever it leads.
        assert_eq!(is_open, path != "/private/../public", "{path}");
    }
}

/// As Passport's `isAuthenticated`, which is true in the request that logs somebody in.
#[tokio::test]
async fn who_is_logged_in_around_the_guard_passes_by_a_member() {
    let answer = async |guard: RequireSession, logs_in: bool| {
        let inner = guard.layer(service_fn(async |_: Request<()>| {
            Ok::<_, std::io::Error>(Response::new(Full::<bytes::Bytes>::default()))
        }));
        let remembers = service_fn(move |request: Request<()>| {
            let session = request.extensions().get::<Session>().cloned().unwrap();
            let inner = inner.clone();
            async move {
                if logs_in {
                    session.regenerate().await.unwrap();
                    session.insert("user", "ann").unwrap();
                }
                inner.oneshot(request).await
            }
        });
        let layer = SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"]).unwrap());
        layer.layer(remembers).oneshot(Request::new(())).await.unwrap().status()
    };
    let by_member = RequireSession::json().with_member("user");
    assert_eq!(answer(by_member.clone(), true).await, StatusCode::OK);
    assert_eq!(answer(by_member, false).await, StatusCode::UNAUTHORIZED);
    // These say nothing of a login: a session that nobody has brought does not pass.
    let by_predicate = RequireSession::json().with_predicate(|session| !session.contains("banned"));
    for guard in [RequireSession::json(), by_predicate] {
        assert_eq!(answer(guard, true).await, StatusCode::UNAUTHORIZED);
    }
}

/// A middleware around the guard gives the browser's session a new id.
#[tokio::test]
async fn a_session_that_a_middleware_moves_to_a_new_id_counts_as_the_one_that_the_browser_brought()
{
    let secrets = || Secrets::new(["keyboard cat"]).unwrap();
    for layer in [
        SessionLayer::new(MemoryStore::new(), secrets()),
        SessionLayer::express(MemoryStore::new(), secrets()),
    ] {
        for guard in [
            RequireSession::json(),
            RequireSession::json().with_predicate(|record| record.contains("role")),
            RequireSession::json().with_member("role"),
        ] {
            // What the middleware does, and who passes: those with a cookie, and those without.
            type Move = &'static [&'static str];
            let rows: [(Move, bool); 6] = [
                (&[], true),
                (&["move"], true),
                (&["move", "move"], true),
                (&["move", "save", "move"], true),
                (&["renew"], false),
                (&["renew", "move"], false),
            ];
            for (steps, passes) in rows {
                for brings in [true, false] {
                    let page = guard.layer(service_fn(async |_: Request<()>| {
                        Ok::<_, std::io::Error>(Response::new(Full::<bytes::Bytes>::default()))
                    }));
                    let moves = service_fn(move |request: Request<()>| {
                        let page = page.clone();
                        async move {
                            let session = request.extensions().get::<Session>().unwrap();
                            for step in steps {
                                match *step {
                                    "move" => session.regenerate_keeping_data().await.unwrap(),
                                    "renew" => session.regenerate().await.unwrap(),
                                    _ => assert!(session.save().await.unwrap()),
                                }
                            }
                            page.oneshot(request).await
                        }
                    });
                    let mut request = Request::new(());
                    if brings {
                        let fill = |record: &mut SessionData| record.insert("role", "admin");
                        let cookie = layer.engine().test_cookie(fill).await.unwrap();
                        request.headers_mut().insert("cookie", cookie);
                    }
                    let response = layer.layer(moves).oneshot(request).await.unwrap();
                    let is_in = response.status() == StatusCode::OK;
                    assert_eq!(is_in, passes && brings, "{guard:?} {steps:?} {brings}");
                }
            }
        }
    }
}
