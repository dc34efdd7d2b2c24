//! What the session endpoint answers, with the cookies that it sets and what it asks of the adapter.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_authjs::{
    AuthAdapter, AuthJs, AuthJsOptions, AuthJsVersion, Claims, ServerSession, SessionAndUser,
};
use cloakroom_core::{Error, parse_date, to_iso_string, to_utc_string};
use futures::executor::block_on;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{CALLBACKS, Row, header, members, request, secrets};
use crate::replay::{Outcome, report::Checks};

const SHORTER: Outcome = Outcome::PassedDifferently(
    "the first token of next-auth 4, which lives for 30 days whatever session.maxAge says: here it is as short",
);

/// The one row of the database in the recording, and the calls that were made.
#[derive(Clone, Debug)]
struct Recorder {
    expires_at_ms: i64,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    fn called(&self, call: Value) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

#[async_trait]
impl AuthAdapter for Recorder {
    async fn get_session_and_user(&self, token: &str) -> Result<Option<SessionAndUser>, Error> {
        self.called(json!(["getSessionAndUser", token]));
        let user = r#"{"id":"u1","name":"Ada","email":"ada@example.test","image":null}"#;
        let row = SessionAndUser::new(self.expires_at_ms, "u1", Claims::from_json(user)?);
        Ok(Some(row).filter(|_| token == "tok-1"))
    }

    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error> {
        let expires = to_iso_string(expires_at_ms);
        self.called(json!(["updateSession", { "sessionToken": token, "expires": expires }]));
        Ok(true)
    }

    async fn delete_session(&self, token: &str) -> Result<(), Error> {
        self.called(json!(["deleteSession", token]));
        Ok(())
    }
}

/// The options of the site, or `None` if it has callbacks.
fn options(row: &Row<'_>) -> Option<AuthJsOptions> {
    let given = row.input("options");
    let seconds = |value: &Value| value.as_u64().map(Duration::from_secs);
    let mut options = row.options();
    if let Some(age) = seconds(&given["session"]["maxAge"]) {
        options = options.with_max_age(age);
    }
    if let Some(age) = seconds(&given["session"]["updateAge"]) {
        options = options.with_update_age(age);
    }
    if let Some(age) = seconds(&given["jwt"]["maxAge"]) {
        options = options.with_jwt_max_age(age);
    }
    given.get("callbacks").is_none().then_some(options)
}

pub(super) fn session(row: &Row<'_>) -> Option<Outcome> {
    let Some(options) = options(row) else { return Some(CALLBACKS) };
    let headers = match row.input("cookie").as_str() {
        Some(cookie) => header(cookie)?,
        None => request(members(row.input("cookies"))?)?,
    };
    let calls = Arc::default();
    let auth = match row.input("row_expires").as_str() {
        None => AuthJs::jwt(options, secrets(row.input("secret"))?).ok()?,
        Some(expires) => {
            let expires_at_ms = parse_date(expires)?;
            AuthJs::database(options, Recorder { expires_at_ms, calls: Arc::clone(&calls) }).ok()?
        }
    };
    let came = block_on(auth.get_server_session(&headers)).ok()?;
    let mut checks = Checks::default();
    checks.equal("verdict", row.is_accepted()?, came.session().is_some());
    let body = body(row)?;
    let came_body = came.session().map(|session| session.to_json());
    checks.equal("body", &body, &came_body.and_then(|body| serde_json::from_str(&body).ok()));

    // Without a database there is nothing to call.
    let has_database = !row.input("row_expires").is_null();
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let calls = Some(Value::Array(calls)).filter(|_| has_database).unwrap_or_default();
    checks.equal("calls of the adapter", row.json["output"].get("adapter_calls")?, &calls);
    compare_cookies(row, &auth, &came, &mut checks)?;
    Some(checks.outcome())
}

/// The answer of the endpoint, or `None` for the answers that mean that nobody is logged in.
fn body(row: &Row<'_>) -> Option<Option<Value>> {
    let body = match row.version {
        AuthJsVersion::NextAuth4 => row.output("body").clone(),
        _ => serde_json::from_str(row.output("body_text").as_str()?).ok()?,
    };
    let empty = if row.version == AuthJsVersion::NextAuth4 { json!({}) } else { Value::Null };
    Some(Some(body).filter(|body| *body != empty))
}

/// Compares the cookies, and of a new token what is in it.
fn compare_cookies(
    row: &Row<'_>,
    auth: &AuthJs,
    came: &ServerSession,
    checks: &mut Checks,
) -> Option<()> {
    let recorded: Option<Vec<String>> =
        row.output("set_cookies").as_array()?.iter().map(set_cookie).collect();
    let came: Option<Vec<&str>> = came.set_cookies().iter().map(|set| set.to_str().ok()).collect();
    let (recorded, came) = (recorded?, came?);
    if row.json["output"].get("reissued_payload")?.is_null() {
        checks.equal("cookies", recorded, came.into_iter().map(str::to_owned).collect());
        return Some(());
    }
    let ([recorded], [came]) = (&*recorded, &*came) else {
        checks.equal("numbers of cookies", (1, 1), (recorded.len(), came.len()));
        return Some(());
    };
    let (recorded_pair, recorded_attributes) = recorded.split_once("; ")?;
    let (pair, attributes) = came.split_once("; ")?;
    checks.equal("attributes", recorded_attributes, attributes);
    let token = |pair| auth.get_token(&header(pair)?).ok()??.read::<Value>().ok();
    let mut expected = row.output("reissued_payload").clone();
    // What was recorded of the cookie is what is in it.
    checks.equal("recorded token", Some(&expected), token(recorded_pair).as_ref());
    let mut claims = token(pair)?;
    checks.holds(
        "a new jti",
        claims["jti"].as_str()?.len() == 36 && claims["jti"] != expected["jti"],
    );
    (claims["jti"], expected["jti"]) = (Value::Null, Value::Null);
    checks.equal("claims", expected, claims);
    Some(())
}

/// A cookie of next-auth 4, which is an object, as the header that the browser gets.
fn set_cookie(cookie: &Value) -> Option<String> {
    if let Some(text) = cookie.as_str() {
        return Some(text.to_owned());
    }
    let (name, value) = (cookie["name"].as_str()?, cookie["value"].as_str()?);
    let options = &cookie["options"];
    let plain = json!({ "httpOnly": true, "sameSite": "lax", "path": "/", "secure": false });
    let others =
        options.as_object()?.iter().filter(|(name, _)| !["expires", "maxAge"].contains(&&***name));
    if Value::Object(others.map(|(name, value)| (name.clone(), value.clone())).collect()) != plain {
        return None;
    }
    match (options["expires"].as_str(), options["maxAge"].as_u64()) {
        (Some(expires), None) => {
            let expires = to_utc_string(parse_date(expires)?)?;
            Some(format!("{name}={value}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax"))
        }
        (None, Some(0)) => {
            Some(format!("{name}={value}; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"))
        }
        _ => None,
    }
}

const SECRET: &str = "made-up-secret-one";

pub(super) fn lifetime(row: &Row<'_>) -> Option<Outcome> {
    let auth = AuthJs::jwt(options(row)?, [SECRET]).ok()?;
    let mut checks = Checks::default();
    let first = auth.sign_in(&HeaderMap::new(), &Claims::new()).ok()?;
    let expected = row.output("sign_in");
    checks.equal("cookie of the login", date(&expected["cookie_expires"])?, expires(&first[0])?);
    let seconds = life(row, &auth, &first[0])?;
    // jwt.maxAge is 30 days unless the site says otherwise, whatever session.maxAge is.
    let is_shorter = row.version == AuthJsVersion::NextAuth4
        && row.input("options")["jwt"].is_null()
        && expected["token_seconds"] == 2_592_000;
    let promised = if is_shorter {
        &row.input("options")["session"]["maxAge"]
    } else {
        &expected["token_seconds"]
    };
    checks.equal("token of the login", promised.as_f64()?, seconds);

    let request = header(first[0].to_str().ok()?.split(';').next()?)?;
    let renewed = block_on(auth.get_server_session(&request)).ok()?;
    let expected = row.output("renewal");
    let cookie = renewed.set_cookies().first()?;
    checks.equal("renewed cookie", date(&expected["cookie_expires"])?, expires(cookie)?);
    checks.equal("renewed token", expected["token_seconds"].as_f64()?, life(row, &auth, cookie)?);
    let body = renewed.session()?.expires();
    checks.equal("body", expected["body_expires"].as_str()?, &body);
    Some(checks.outcome_or(if is_shorter { SHORTER } else { Outcome::Passed }))
}

/// How long the token in a cookie lives, in seconds.
fn life(row: &Row<'_>, auth: &AuthJs, cookie: &HeaderValue) -> Option<f64> {
    let pair = cookie.to_str().ok()?.split(';').next()?;
    let claims = auth.get_token(&header(pair)?).ok()??;
    Some(claims.number("exp")? - row.now_ms.div_euclid(1_000) as f64)
}

fn expires(cookie: &HeaderValue) -> Option<String> {
    let text = cookie.to_str().ok()?;
    Some(text.split("Expires=").nth(1)?.split(';').next()?.to_owned())
}

/// A date as a cookie has it.
fn date(value: &Value) -> Option<String> {
    to_utc_string(parse_date(value.as_str()?)?)
}

pub(super) fn sign_in(row: &Row<'_>) -> Option<Outcome> {
    if row.name() != "credentials" {
        return Some(Outcome::NotApplicable("a session in a database, which the site creates"));
    }
    let text = row.output("payload_text").as_str()?;
    let auth = AuthJs::jwt(row.options(), secrets(row.input("secret"))?).ok()?;
    let recorded = match row.output("cookie") {
        Value::Null => row.output("set_cookies")[0].as_str()?.to_owned(),
        cookie => set_cookie(cookie)?,
    };
    let mut checks = Checks::default();
    let (pair, attributes) = recorded.split_once("; ")?;
    let claims = auth.get_token(&header(pair)?).ok()??;
    checks.equal("text", text, &claims.to_json());
    // A login in Rust with the same claims: the same members in the same order, under the same attributes.
    let written = auth.sign_in(&HeaderMap::new(), &claims).ok()?;
    let (pair, came) = written.first()?.to_str().ok()?.split_once("; ")?;
    checks.equal("attributes", attributes, came);
    let mut again = auth.get_token(&header(pair)?).ok()??;
    again.insert("jti", claims.text("jti")?).ok()?;
    checks.equal("text of ours", text, &again.to_json());
    Some(checks.outcome())
}

pub(super) fn sign_out(row: &Row<'_>) -> Option<Outcome> {
    let auth = AuthJs::jwt(row.options(), secrets(row.input("secret"))?).ok()?;
    let login = auth.sign_in(&HeaderMap::new(), &Claims::new()).ok()?;
    let headers = header(login.first()?.to_str().ok()?.split(';').next()?)?;
    let came = block_on(auth.sign_out(&headers)).ok()?;
    let mut checks = Checks::default();
    let name = row.options().session_cookie();
    let recorded: Option<Vec<String>> =
        row.output("set_cookies").as_array()?.iter().map(set_cookie_or_other).collect();
    let recorded: Vec<String> =
        recorded?.into_iter().filter(|cookie| cookie.starts_with(&name)).collect();
    let came: Option<Vec<&str>> = came.iter().map(|cookie| cookie.to_str().ok()).collect();
    checks.equal("cookies", recorded, came?.into_iter().map(str::to_owned).collect());
    let decodes = auth.get_token(&headers).is_ok_and(|token| token.is_some());
    checks.equal("the old token", row.output("old_token_still_decodes").as_bool()?, decodes);
    Some(checks.outcome())
}

/// As [`set_cookie`], and an empty text for the cookies that hold no session, which have other attributes.
fn set_cookie_or_other(cookie: &Value) -> Option<String> {
    match cookie["name"].as_str() {
        Some(name) if !name.ends_with("session-token") => Some(String::new()),
        _ => set_cookie(cookie),
    }
}
