//! The shop's Rust side, which shares logins, carts, messages and forms with an Express app.
//!
//! Its routes are those of `tests/node/passport_shop.mjs`.

use axum::{
    Json, Router,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    middleware::{Next, from_fn_with_state},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use cloakroom::{
    Error, ExpressSession,
    express::{
        csrf::Csrf,
        flash,
        passport::{self, RequireUser},
    },
    tower::{Session, SessionLayer},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logins::{self, Logins};

const CSRF: Csrf = Csrf::csurf();

#[derive(Deserialize)]
struct Add {
    item: String,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    #[serde(default)]
    remember: bool,
}

#[derive(Deserialize)]
struct Logout {}

/// The body of a POST whose token is right.
struct Checked<T>(T);

impl<T: for<'de> Deserialize<'de>, S: Send + Sync> FromRequest<S> for Checked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let session = request.extensions().get::<Session>().cloned();
        let Json(body) = Json::<Value>::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let session = session.ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        let token = body["_csrf"].as_str().unwrap_or_default();
        if !CSRF.verify(&session, token).map_err(IntoResponse::into_response)? {
            return Err(StatusCode::FORBIDDEN.into_response());
        }
        let read = serde_json::from_value(body);
        read.map(Self).map_err(|_| StatusCode::BAD_REQUEST.into_response())
    }
}

/// A `Set-Cookie` line beside those of the session.
fn with_cookie(line: String, response: impl IntoResponse) -> Response {
    (AppendHeaders([(SET_COOKIE, line)]), response).into_response()
}

/// Logs in again who has a cookie to be remembered by and no login.
async fn remember(
    State(logins): State<Logins>,
    session: Session,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let mut cookie = None;
    if passport::user::<String>(&session)?.is_none()
        && let Some(token) = logins::token(request.headers())
    {
        cookie = Some(match logins.consume(&token).await? {
            Some(user) => {
                logins.log_in(&session, &user).await?;
                logins.issue(&user).await?
            }
            None => logins::forget()?,
        });
    }
    let response = next.run(request).await;
    Ok(match cookie {
        Some(cookie) => with_cookie(cookie, response),
        None => response,
    })
}

async fn described(session: &Session) -> Result<Value, Error> {
    Ok(json!({
        "user": passport::user::<String>(session)?,
        "cart": session.get::<Vec<String>>("cart")?.unwrap_or_default(),
        "csrf": CSRF.token(session).await?,
    }))
}

async fn me(session: Session) -> Result<Json<Value>, Error> {
    described(&session).await.map(Json)
}

async fn page(session: Session) -> Result<Json<Value>, Error> {
    let mut page = described(&session).await?;
    page["flash"] = json!(flash::take::<String>(&session).await?);
    Ok(Json(page))
}

async fn add(session: Session, Checked(add): Checked<Add>) -> Result<Redirect, Error> {
    flash::add(&session, "info", format!("added {}", add.item))?;
    session.modify("cart", move |cart: Option<Vec<String>>| {
        cart.into_iter().flatten().chain([add.item.clone()]).collect()
    })?;
    Ok(Redirect::to("/"))
}

async fn login(
    State(logins): State<Logins>,
    session: Session,
    Checked(login): Checked<Login>,
) -> Result<Response, Error> {
    let user = login.username;
    if login.password != format!("{user}'s password") {
        flash::add(&session, "error", "wrong password")?;
        return Ok(Redirect::to("/").into_response());
    }
    logins.log_in(&session, &user).await?;
    flash::add(&session, "info", format!("hello {user}"))?;
    if !login.remember {
        return Ok(Redirect::to("/").into_response());
    }
    let cookie = logins.issue(&user).await?;
    Ok(with_cookie(cookie, Redirect::to("/")))
}

async fn logout(
    State(logins): State<Logins>,
    session: Session,
    headers: HeaderMap,
    Checked(Logout {}): Checked<Logout>,
) -> Result<Response, Error> {
    if let Some(token) = logins::token(&headers) {
        logins.consume(&token).await?;
    }
    logins.log_out(&session).await?;
    flash::add(&session, "info", "goodbye")?;
    Ok(with_cookie(logins::forget()?, Redirect::to("/")))
}

/// The app.
pub(crate) fn shop(layer: SessionLayer, sessions: ExpressSession, keeps: bool) -> Router {
    let logins = Logins::new(sessions, keeps);
    Router::new()
        .route("/account", get(async || Json(json!({}))))
        .route_layer(RequireUser::json())
        .route("/", get(page))
        .route("/me", get(me))
        .route("/add", post(add))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(from_fn_with_state(logins.clone(), remember))
        .layer(layer)
        .with_state(logins)
}
