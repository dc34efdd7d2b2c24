//! What a handler gets.

use actix_web::{App, HttpRequest, http::StatusCode, web};
use cloakroom_actix::{Session, SessionError, SessionMiddleware, SessionRejection, SessionRequest};
use cloakroom_core::{MemoryStore, Secrets};
use cloakroom_tower::Loading;

use crate::site::{answer, get, get_with, sessions};

async fn count(session: Session) -> Result<String, SessionError> {
    let n = session.modify("n", |n: Option<u32>| n.unwrap_or_default() + 1)?;
    Ok(n.to_string())
}

#[actix_web::test]
async fn a_handler_gets_the_session_and_the_browser_its_cookie() {
    let secrets = || Secrets::new(["keyboard cat"]).unwrap();
    for sessions in [
        SessionMiddleware::new(MemoryStore::new(), secrets()),
        SessionMiddleware::express(MemoryStore::new(), secrets()),
        sessions(|options| options.loading = Loading::OnDemand),
    ] {
        let app = || App::new().wrap(sessions.clone()).route("/", web::get().to(count));
        let first = answer(app(), get("/")).await;
        assert_eq!((first.status, &*first.body), (StatusCode::OK, "1"));
        assert!(first.cookies[0].starts_with("connect.sid=s%3A"), "{:?}", first.cookies);
        assert_eq!(answer(app(), get_with("/", &first.cookies)).await.body, "2");
        assert_eq!(answer(app(), get("/")).await.body, "1", "another browser");
    }
}

#[actix_web::test]
async fn a_route_without_a_session_says_what_is_missing() {
    let missing = answer(App::new().route("/", web::get().to(count)), get("/")).await;
    assert_eq!(missing.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(missing.body.contains("SessionMiddleware"), "{}", missing.body);

    let told = async |session: Result<Session, SessionRejection>| match session {
        Ok(_) => "a session",
        Err(SessionRejection::Missing) => "missing",
        Err(_) => "not loaded",
    };
    let of_shop = sessions(|options| options.cookie.path = Some("/shop".to_owned()));
    let away = sessions(|options| {
        options.failure.is_connected = Some(std::sync::Arc::new(|| false));
    });
    for (sessions, path, expected) in [
        (&of_shop, "/shop/x", "a session"),
        (&of_shop, "/shopping", "missing"),
        (&away, "/", "missing"),
    ] {
        let app = App::new().wrap(sessions.clone()).default_service(web::to(told));
        assert_eq!(answer(app, get(path)).await.body, expected, "{path}");
    }
}

#[actix_web::test]
async fn a_request_knows_its_session_and_loads_it_once() {
    let sessions = sessions(|options| options.loading = Loading::OnDemand);
    let engine = sessions.engine().clone();
    let handler = move |request: HttpRequest, session: Session| {
        let engine = engine.clone();
        async move {
            let lazy = request.lazy_session().unwrap();
            assert_eq!(lazy.get().await?.unwrap().id(), session.id());
            let lazy = request.lazy_session_of(&engine).unwrap();
            assert_eq!(lazy.get().await?.unwrap().id(), session.clone().into_inner().id());
            Ok::<_, SessionError>("ok")
        }
    };
    let app = App::new().wrap(sessions).route("/", web::get().to(handler));
    assert_eq!(answer(app, get("/")).await.body, "ok");
    let without = App::new().route(
        "/",
        web::get().to(async |request: HttpRequest| request.lazy_session().is_none().to_string()),
    );
    assert_eq!(answer(without, get("/")).await.body, "true");
}
