//! `cloakroom-express` with actix-web: its functions take the session of the extractor, and its guard is a middleware.

use actix_web::{App, http::header, test as actix, web};
use cloakroom::{
    Error, MemoryStore, Secrets,
    express::passport::{self, RequireUser},
};
use cloakroom_actix::{RequireSessionMiddleware, Session, SessionError, SessionMiddleware};

async fn login(session: Session) -> Result<String, SessionError> {
    let wanted = passport::take_return_to(&session)?;
    passport::login(&session, 7).await?;
    Ok(wanted.unwrap_or_default())
}

async fn account(session: Session) -> Result<String, SessionError> {
    Ok(format!("{:?}", passport::user::<u64>(&session)?))
}

#[test]
fn a_passport_login_and_its_way_back_work_in_actix_web() {
    actix_web::rt::System::new()
        .block_on(async {
            let guard = RequireUser::redirect_with_return_to("/login").unwrap();
            let guarded = web::scope("/account")
                .wrap(RequireSessionMiddleware::from(guard))
                .route("/{id}", web::get().to(account));
            let sessions =
                SessionMiddleware::new(MemoryStore::new(), Secrets::new(["keyboard cat"]).unwrap());
            let app =
                App::new().service(guarded).route("/login", web::get().to(login)).wrap(sessions);
            let app = actix::init_service(app).await;
            let mut cookie = String::new();
            for (path, status, body) in [
                ("/account/1?x=y", 303, ""),
                ("/login", 200, "/account/1?x=y"),
                ("/account/1", 200, "Some(7)"),
            ] {
                let request = actix::TestRequest::get().uri(path);
                let request = request.insert_header((header::COOKIE, &*cookie)).to_request();
                let response = actix::call_service(&app, request).await;
                assert_eq!(response.status(), status, "{path}");
                if let Some(line) = response.headers().get(header::SET_COOKIE) {
                    cookie = line.to_str().unwrap().split(';').next().unwrap().to_owned();
                }
                assert_eq!(actix::read_body(response).await, body, "{path}");
            }
            Ok::<_, Error>(())
        })
        .unwrap();
}
