//! A site of NextAuth or Auth.js without a server: the layer, the guard, and what the database strategy does.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod database;
mod guard;
mod layer;

use cloakroom_authjs::{AuthJs, AuthJsOptions, Claims};
use cloakroom_core::Clock;
use http::{HeaderMap, HeaderValue, header::COOKIE};

const NOW_MS: i64 = 1_767_225_600_123;

fn options() -> AuthJsOptions {
    AuthJsOptions::auth_js_5().with_secure_cookies(false).with_clock(Clock::fixed(NOW_MS))
}

/// A site, and the `Cookie` header of Ada, who is an admin there.
fn site() -> (AuthJs, String) {
    let auth = AuthJs::jwt(options(), ["made-up-secret"]).unwrap();
    let claims = Claims::from_json(r#"{"name":"Ada","sub":"42","role":"admin"}"#).unwrap();
    let cookies = auth.sign_in(&HeaderMap::new(), &claims).unwrap();
    let pair = cookies[0].to_str().unwrap().split(';').next().unwrap().to_owned();
    (auth, pair)
}

fn cookies(header: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(header).unwrap())])
}
