//! Middlewares inside of each other, and guards.

use actix_web::{App, HttpRequest, http::StatusCode, web};
use cloakroom_actix::{
    RequireSessionMiddleware, Session, SessionError, SessionMiddleware, SessionRequest,
};
use cloakroom_core::{MemoryStore, Secrets};
use cloakroom_tower::{Loading, RequireSession, SessionOptions};

use crate::site::{answer, get, get_with};

fn named(name: &str, options: SessionOptions) -> SessionMiddleware {
    let options = options.with_ids(|ids| ids.with_cookie_name(name));
    let secrets = Secrets::new([format!("the secret of {name}")]).unwrap();
    options.engine(MemoryStore::new(), secrets).unwrap().into()
}

/// The scope `/admin` of a shop has a name, a secret and a store of its own.
#[actix_web::test]
async fn scopes_have_sessions_of_their_own() {
    let presets: [fn() -> SessionOptions; 3] =
        [SessionOptions::new, SessionOptions::express, || {
            SessionOptions::new().with_loading(Loading::OnDemand)
        }];
    for options in presets {
        let (shop, admin) = (named("shop", options()), named("admin", options()));
        let app = || {
            let engine = shop.engine().clone();
            let in_both = move |request: HttpRequest, session: Session| {
                let outer = request.lazy_session_of(&engine).unwrap();
                async move {
                    session.insert("in", "admin")?;
                    let outer = outer.get().await?.unwrap();
                    outer.insert("in", "shop")?;
                    Ok::<_, SessionError>(session.engine().options().ids.cookie_name.clone())
                }
            };
            let read = async |session: Session| -> Result<String, SessionError> {
                Ok(session.get::<String>("in")?.unwrap_or_default())
            };
            App::new()
                .wrap(shop.clone())
                .service(
                    web::scope("/admin")
                        .wrap(admin.clone())
                        .route("/write", web::get().to(in_both))
                        .route("/read", web::get().to(read)),
                )
                .route("/read", web::get().to(read))
        };
        let written = answer(app(), get("/admin/write")).await;
        assert_eq!(written.body, "admin", "the innermost is the handler's");
        let names: Vec<_> =
            written.cookies.iter().map(|line| line.split('=').next().unwrap()).collect();
        assert_eq!(names, ["admin", "shop"]);
        let read = async |path| answer(app(), get_with(path, &written.cookies)).await.body;
        assert_eq!((&*read("/admin/read").await, &*read("/read").await), ("admin", "shop"));
    }
}

#[actix_web::test]
async fn a_middleware_that_is_there_twice_serves_once() {
    let sessions = named("sid", SessionOptions::new());
    let app = App::new().wrap(sessions.clone()).wrap(sessions).route(
        "/",
        web::get().to(async |session: Session| -> Result<&str, SessionError> {
            session.insert("n", 1)?;
            Ok("ok")
        }),
    );
    assert_eq!(answer(app, get("/")).await.cookies.len(), 1);
}

#[actix_web::test]
async fn a_guard_passes_those_who_are_logged_in() {
    let shop = named("shop", SessionOptions::new());
    let admin =
        named("admin", SessionOptions::new().with_cookie(|cookie| cookie.with_path("/elsewhere")));
    let guard = |guard: RequireSession| RequireSessionMiddleware::from(guard.with_member("user"));
    let redirect = RequireSession::redirect("/login").unwrap().with_next("next");
    let app = || {
        let page = || web::get().to(async || "page");
        App::new()
            .wrap(shop.clone())
            .route(
                "/login",
                web::get().to(async |session: Session| -> Result<&str, SessionError> {
                    session.insert("user", "ann")?;
                    Ok("welcome")
                }),
            )
            .service(web::scope("/api").wrap(guard(RequireSession::json())).route("", page()))
            .service(
                web::scope("/admin")
                    .wrap(guard(RequireSession::json()))
                    .wrap(admin.clone())
                    .route("", page()),
            )
            .service(web::scope("/page").wrap(guard(redirect.clone())).route("/{id}", page()))
    };
    let refused = answer(app(), get("/api")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.body, r#"{"error":"unauthorized"}"#);
    let response = {
        let service = actix_web::test::init_service(app()).await;
        actix_web::test::call_service(&service, get("/page/1?a=b").to_request()).await
    };
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers().get("location").unwrap(), "/login?next=%2Fpage%2F1%3Fa%3Db");

    let ann = answer(app(), get("/login")).await.cookies;
    for path in ["/api", "/page/1"] {
        assert_eq!(answer(app(), get_with(path, &ann)).await.body, "page", "{path}");
    }
    let misplaced = answer(app(), get_with("/admin", &ann)).await;
    assert_eq!(misplaced.status, StatusCode::INTERNAL_SERVER_ERROR, "the shop's is not asked");
    let outside =
        App::new().wrap(guard(RequireSession::json())).route("/", web::get().to(async || ""));
    let outside = answer(outside, get("/")).await;
    assert_eq!(outside.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(outside.body.contains("not inside a SessionLayer"), "{}", outside.body);
}
