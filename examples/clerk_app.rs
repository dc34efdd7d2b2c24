//! An axum app whose users log in with Clerk:
//! `cargo run --example clerk_app --features clerk -- jwks.json https://clerk.shop.example https://shop.example`
//!
//! The arguments are the keys that Clerk publishes at `/.well-known/jwks.json`, its address, and the origin of the site.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, error::Error, fs, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use cloakroom::cookie::find_cookie;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};

#[derive(Clone, serde::Deserialize)]
struct Login {
    /// The id of the user.
    sub: String,
    /// The origin of the page that asked for the token.
    azp: String,
}

struct Clerk {
    keys: JwkSet,
    validation: Validation,
    origin: String,
}

impl Clerk {
    /// Returns who sent a request, or `None` if its token is missing or refused for any reason.
    fn login(&self, headers: &HeaderMap) -> Option<Login> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .map(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let cookie = headers.get(header::COOKIE).map(|header| header.as_bytes());
        let token = match bearer {
            Some(token) => token?.into(),
            None => find_cookie(cookie?, "__session")?,
        };
        let id = decode_header(token.as_bytes()).ok()?.kid?;
        let key = DecodingKey::from_jwk(self.keys.find(&id)?).ok()?;
        let login = decode::<Login>(token.as_bytes(), &key, &self.validation).ok()?.claims;
        // Without this, another site of the same Clerk instance could pass its visitors' tokens on.
        (login.azp == self.origin).then_some(login)
    }
}

async fn require_login(
    State(clerk): State<Arc<Clerk>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let login = clerk.login(request.headers()).ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(login);
    Ok(next.run(request).await)
}

async fn account(Extension(login): Extension<Login>) -> String {
    format!("the account of {}\n", login.sub)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [keys, issuer, origin] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: KEYS ISSUER ORIGIN")?;
    let mut validation = Validation::new(Algorithm::RS256); // Clerk signs with no other algorithm.
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "nbf", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 5; // Seconds, as in Clerk's own libraries.
    let clerk =
        Clerk { keys: serde_json::from_str(&fs::read_to_string(keys)?)?, validation, origin };

    let app = Router::new()
        .route("/account", get(account))
        .route_layer(from_fn_with_state(Arc::new(clerk), require_login)) // For the routes above.
        .route("/", get(|| async { "home\n" }));
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
