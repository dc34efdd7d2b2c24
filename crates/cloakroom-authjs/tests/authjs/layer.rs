//! The layer: what a handler finds, and which cookies the response has.

use std::convert::Infallible;

use cloakroom_authjs::{AuthJs, AuthLayer, ServerSession, SessionRefusal, TokenRefusal};
use http::{
    Request, Response,
    header::{CACHE_CONTROL, COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::{options, site};

/// A handler that says who is logged in, and signs out at `/logout`.
async fn handler(auth: AuthJs, request: Request<()>) -> Result<Response<String>, Infallible> {
    let answer = request.extensions().get::<ServerSession>().unwrap();
    let name = answer.session().and_then(|session| session.name());
    let text = name.map_or_else(|| format!("{:?}", answer.refusal()), |name| name.into_owned());
    let mut response = Response::new(text);
    if request.uri().path() == "/logout" {
        for cookie in auth.sign_out(request.headers()).await.unwrap() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

async fn ask(
    layer: AuthLayer,
    auth: AuthJs,
    path: &str,
    cookie: &str,
) -> (String, Vec<String>, bool) {
    let app = layer.layer(service_fn(move |request| handler(auth.clone(), request)));
    let request = Request::get(path).header(COOKIE, cookie).body(()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
    let is_private = response.headers().contains_key(CACHE_CONTROL);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (String::from_utf8(text.to_vec()).unwrap(), cookies, is_private)
}

#[tokio::test]
async fn a_request_knows_who_is_logged_in_and_the_response_renews_it() {
    let (auth, cookie) = site();
    let layer = AuthLayer::new(auth.clone());
    let (text, cookies, is_private) = ask(layer.clone(), auth.clone(), "/", &cookie).await;
    assert_eq!(text, "Ada");
    assert!(cookies[0].starts_with("authjs.session-token=ey") && is_private, "{cookies:?}");
    let (text, cookies, is_private) = ask(layer.clone(), auth.clone(), "/", "other=1").await;
    assert_eq!(text, "None");
    assert!(cookies.is_empty() && !is_private);
    let junk = "authjs.session-token=x";
    let (text, cookies, _) = ask(layer.clone(), auth.clone(), "/", junk).await;
    assert_eq!(text, "Some(Token(Malformed))");
    assert_eq!(cookies, ["authjs.session-token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"]);
    let (_, cookies, _) = ask(layer.with_renewal(false), auth, "/", &cookie).await;
    assert!(cookies.is_empty());
}

#[tokio::test]
async fn a_logout_in_a_handler_is_not_undone_by_a_renewal() {
    let (auth, cookie) = site();
    let (_, cookies, _) = ask(AuthLayer::new(auth.clone()), auth, "/logout", &cookie).await;
    assert_eq!(cookies, ["authjs.session-token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"]);
}

#[test]
fn nothing_of_a_session_is_printed() {
    let (auth, cookie) = site();
    let token = cookie.split_once('=').unwrap().1;
    let answer = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = answer.block_on(auth.get_server_session(&crate::cookies(&cookie))).unwrap();
    let session = answer.session().unwrap();
    let shown = format!("{auth:?} {answer:?} {session:?} {:?} {:?}", session.claims(), options());
    for secret in ["Ada", "made-up-secret", "admin", token] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(SessionRefusal::from(TokenRefusal::Expired).to_string(), "the token has expired");
}
