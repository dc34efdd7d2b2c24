//! The Rust side of the site: its pages, and what sends all other requests to Next.js.

use std::time::Duration;

use axum::{
    Extension, Form, Router,
    body::Body,
    extract::{Request, State},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use cloakroom_authjs::{
    AuthJs, AuthJsOptions, AuthLayer, AuthTables, Claims, RequireAuth, ServerSession, SqlAdapter,
    iron_session::{IronSession, IronSessionOptions, Passwords},
    sealed::{Content, Refusal},
};
use cloakroom_core::{Clock, Cookie, SameSite};
use cloakroom_tower::RequestHead;
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::SET_COOKIE,
    request::Parts,
    uri::{Authority, Scheme},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use super::Secrets;

/// Beside a browser and two servers, a query can take long.
const LONG: Duration = Duration::from_secs(60);

/// The app that browsers reach. Next.js listens at the address, and the logins are in the database if there is one.
pub(super) fn app(secrets: &Secrets, database: Option<&str>, next: &str) -> Router {
    let adapter = database.map(|url| {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(LONG);
        let pool = pool.connect_lazy(url).unwrap();
        SqlAdapter::new(pool, AuthTables::pg_adapter()).unwrap().with_deadline(LONG)
    });
    let auth = |options: AuthJsOptions, secret: &String| {
        let options = options.with_secure_cookies(false);
        match &adapter {
            Some(adapter) => AuthJs::database(options, adapter.clone()).unwrap(),
            None => AuthJs::jwt(options, [secret]).unwrap(),
        }
    };
    let next_auth_4 = auth(AuthJsOptions::next_auth_4(), &secrets.next_auth_4);
    let auth_js_5 = auth(AuthJsOptions::auth_js_5(), &secrets.auth_js_5);
    // No connection is reused, because the server may be about to close it.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    Router::new()
        .fallback(forward)
        .with_state((client, next.parse().unwrap()))
        .merge(login("next-auth-4", "/api/auth/signin", next_auth_4))
        .merge(login("auth-js-5", "/api/auth-js-5/signin", auth_js_5))
        .merge(iron(&secrets.iron_session))
}

type Next = (Client<HttpConnector, Body>, Authority);

async fn forward(
    State((client, next)): State<Next>,
    mut request: Request,
) -> Result<Response, StatusCode> {
    let mut parts = request.uri().clone().into_parts();
    (parts.scheme, parts.authority) = (Some(Scheme::HTTP), Some(next));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| StatusCode::BAD_REQUEST)?;
    let response = client.request(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(response.into_response())
}

/// A page like those of Next.js in `tests/next/site/view.jsx`.
fn page(session: &str, forms: &str) -> Html<String> {
    let session = session.replace('&', "&amp;").replace('<', "&lt;");
    Html(format!("<!DOCTYPE html><pre id=session>{session}</pre>{forms}"))
}

/// A form with an input per label.
fn form(action: &str, labels: &[&str], button: &str) -> String {
    let input = |label: &&str| {
        format!("<label>{label} <input name={}></label>", label.to_ascii_lowercase())
    };
    let inputs: String = labels.iter().map(input).collect();
    format!("<form method=post action={action}>{inputs}<button>{button}</button></form>")
}

fn redirect(path: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let cookies: Vec<_> = cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)).collect();
    (AppendHeaders(cookies), Redirect::to(path)).into_response()
}

/// What the forms of a login send.
#[derive(Deserialize)]
struct User {
    name: String,
    #[serde(default)]
    image: String,
}

/// A login of NextAuth, and the path above its pages.
#[derive(Clone)]
struct Login {
    auth: AuthJs,
    path: String,
}

/// The page `/name/rust`, which is for those who are logged in, and `/name/rust/login`.
fn login(name: &str, signin: &str, auth: AuthJs) -> Router {
    let login = Login { auth: auth.clone(), path: format!("/{name}") };
    let account = format!("/{name}/rust");
    let guard = RequireAuth::redirect(signin).unwrap().with_next("callbackUrl");
    let guard = guard.with_matcher([&account]).unwrap();
    Router::new()
        .route(&account, get(show))
        .route(&format!("{account}/login"), get(login_form).post(log_in))
        .route(&format!("{account}/logout"), post(log_out))
        .with_state(login)
        .layer(guard)
        .layer(AuthLayer::new(auth))
}

async fn show(
    State(login): State<Login>,
    Extension(answer): Extension<ServerSession>,
) -> Html<String> {
    let session = answer.session().expect("the guard lets nobody else in");
    page(&session.to_json(), &form(&format!("{}/rust/logout", login.path), &[], "Log out"))
}

async fn login_form(State(login): State<Login>) -> Html<String> {
    page("null", &form(&format!("{}/rust/login", login.path), &["Name", "Image"], "Log in"))
}

/// After this comes the page of the app router.
async fn log_in(
    State(login): State<Login>,
    headers: HeaderMap,
    Form(User { name, image }): Form<User>,
) -> Response {
    let email = format!("{name}@shop.example");
    let claims = json!({ "name": name, "email": email, "picture": image, "sub": "42" });
    let claims = Claims::from_json(&claims.to_string()).unwrap();
    redirect(&format!("{}/app", login.path), login.auth.sign_in(&headers, &claims).unwrap())
}

/// After this comes the page of the pages router.
async fn log_out(State(login): State<Login>, headers: HeaderMap) -> Response {
    redirect(&format!("{}/pages", login.path), login.auth.sign_out(&headers).await.unwrap())
}

const IRON: &str = "/iron-session/rust";

/// The page `/iron-session/rust`, whose forms change the session.
fn iron(password: &str) -> Router {
    let mut cookie = Cookie::new();
    cookie.set_same_site(Some(SameSite::Lax));
    let options = IronSessionOptions::default().with_cookie(cookie);
    let passwords = Passwords::new(password).unwrap();
    Router::new()
        .route(IRON, get(show_iron))
        .route(&format!("{IRON}/login"), post(log_in_iron))
        .route(&format!("{IRON}/add"), post(add_iron))
        .route(&format!("{IRON}/logout"), post(log_out_iron))
        .with_state(IronSession::with_options("iron", passwords, options).unwrap())
}

fn read(sessions: &IronSession, request: &Parts) -> Content {
    let cookies = RequestHead::from(request).cookie_header();
    match sessions.read(&cookies, Clock::system().now_ms()) {
        Err(Refusal::Missing) => Content::new(),
        session => session.unwrap(),
    }
}

fn save(sessions: &IronSession, session: &Content) -> Response {
    let cookie = sessions.save(session, Clock::system().now_ms()).unwrap();
    redirect(IRON, [cookie.parse().unwrap()])
}

async fn show_iron(State(sessions): State<IronSession>, request: Parts) -> Html<String> {
    let log_in = form(&format!("{IRON}/login"), &["Name"], "Log in");
    let [add, log_out] = [("add", "Add"), ("logout", "Log out")]
        .map(|(change, button)| form(&format!("{IRON}/{change}"), &[], button));
    page(read(&sessions, &request).as_json(), &(log_in + &add + &log_out))
}

async fn log_in_iron(
    State(sessions): State<IronSession>,
    request: Parts,
    Form(user): Form<User>,
) -> Response {
    let mut session = read(&sessions, &request);
    session.set("name", user.name).unwrap();
    save(&sessions, &session)
}

async fn add_iron(State(sessions): State<IronSession>, request: Parts) -> Response {
    let mut session = read(&sessions, &request);
    let items: u32 = session.get("items").unwrap().unwrap_or_default();
    session.set("items", items + 1).unwrap();
    save(&sessions, &session)
}

async fn log_out_iron(State(sessions): State<IronSession>) -> Response {
    redirect(IRON, [sessions.destroy().unwrap().parse().unwrap()])
}
