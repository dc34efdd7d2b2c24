//! Options that look at the request.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use actix_web::{App, dev::AppConfig, test::TestRequest, web};
use cloakroom_actix::{Session, SessionError};
use cloakroom_tower::{CookieOptions, Proxy};

use crate::site::{answer, get, sessions};

async fn write(session: Session) -> Result<&'static str, SessionError> {
    session.insert("n", 1)?;
    Ok("written")
}

#[actix_web::test]
async fn functions_see_the_head_and_the_peer() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let sessions = sessions(|options| {
        let told = Arc::clone(&seen);
        options.ids.genid = Some(Arc::new(move |head| {
            let header = head.headers().get("x-header").map(|value| value.to_str().unwrap());
            let peer = head.extensions().get::<SocketAddr>();
            told.lock().unwrap().push(format!(
                "{} {} {header:?} {peer:?} {}",
                head.method(),
                head.uri(),
                String::from_utf8_lossy(&head.cookie_header())
            ));
            Ok("made".to_owned())
        }));
        options.cookie_for = Some(Arc::new(|head| {
            let life = head.uri().query().map(|query| query.parse().unwrap());
            CookieOptions::default().with_max_age(life.map(std::time::Duration::from_secs))
        }));
    });
    let app = App::new().wrap(sessions).route("/x", web::post().to(write));
    let request = TestRequest::post()
        .uri("/x?60")
        .insert_header(("x-header", "1"))
        .append_header(("cookie", "a=1"))
        .append_header(("cookie", "b=2"))
        .peer_addr("192.0.2.7:4711".parse().unwrap());
    let reply = answer(app, request).await;
    assert!(reply.cookies[0].starts_with("connect.sid=s%3Amade."), "{:?}", reply.cookies);
    assert_eq!(*seen.lock().unwrap(), ["POST /x?60 Some(\"1\") Some(192.0.2.7:4711) a=1; b=2"]);
}

/// The attributes of the `Set-Cookie` line.
async fn line(proxy: Proxy, header: Option<(&str, &str)>) -> String {
    let sessions = sessions(|options| options.proxy = proxy);
    let app = App::new().wrap(sessions).route("/", web::get().to(write));
    let service = actix_web::test::init_service(app).await;
    let mut request = get("/");
    if let Some(header) = header {
        request = request.insert_header(header);
    }
    let response = actix_web::test::call_service(&service, request.to_request()).await;
    response.headers().get("set-cookie").unwrap().to_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_request_is_secure_by_the_server_or_by_a_proxy() {
    let https = Some(("x-forwarded-proto", "https"));
    for (proxy, header, is_secure) in [
        (Proxy::Untrusted, https, false),
        (Proxy::Trusted, https, true),
        (Proxy::Trusted, None, false),
        (Proxy::By(Arc::new(|head| head.headers().contains_key("x-tls"))), https, false),
        (
            Proxy::By(Arc::new(|head| head.headers().contains_key("x-tls"))),
            Some(("x-tls", "1")),
            true,
        ),
    ] {
        let told = format!("{proxy:?} {header:?}");
        assert_eq!(line(proxy, header).await.contains("Secure"), is_secure, "{told}");
    }
}

/// A server that is bound with TLS says so in the configuration of its apps. Only a function for tests makes one.
#[actix_web::test]
async fn a_server_with_tls_makes_its_requests_secure() {
    use actix_service::{IntoServiceFactory, Service, ServiceFactory};

    for is_tls in [false, true] {
        let app = App::new().wrap(sessions(|_| {})).route("/", web::get().to(write));
        let config =
            AppConfig::__priv_test_new(is_tls, "localhost".into(), ([127, 0, 0, 1], 0).into());
        let service = app.into_factory().new_service(config).await.unwrap();
        let response = service.call(get("/").to_request()).await.unwrap();
        let line = response.headers().get("set-cookie").unwrap().to_str().unwrap();
        assert_eq!(line.contains("Secure"), is_tls, "{line}");
    }
}
