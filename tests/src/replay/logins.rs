//! Kind `logins`: the logins of Node.js that are not express-session.
//!
//! A row has the package, what it was given, and what it gave. The clock stood at `now_ms`.

mod adapters;
mod cookies;
mod sessions;
mod tokens;

use cloakroom_authjs::{AuthJsOptions, AuthJsVersion, TokenCodec};
use cloakroom_core::{Clock, Error};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use serde_json::Value;

use super::{Kind, Outcome, Report};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "logins",
    about: "what NextAuth 4, Auth.js 5 and their adapters put into cookies and databases, and what they refuse",
    replay,
};

const CSRF: Outcome =
    Outcome::NotApplicable("the CSRF token of the package's own forms, which stay on the site");
const CALLBACKS: Outcome = Outcome::NotApplicable("a site with callbacks of its own");

fn replay(file: &Json, report: &mut Report) {
    for row in file.get("vectors").map_or(&[][..], Json::items) {
        let outcome = serde_json::from_str(&row.stringify()).ok().and_then(|row| check(&row));
        let name = |member| row.get(member).and_then(Json::text).unwrap_or_default();
        let form = || Outcome::failed("form", "a row of this kind", row.stringify());
        report.add(format!("{} {}", name("kind"), name("name")), outcome.unwrap_or_else(form));
    }
}

/// Checks one row. `None` if it does not have the form of its kind.
fn check(row: &Value) -> Option<Outcome> {
    let (generation, kind) = row["kind"].as_str()?.split_once('.')?;
    let version = match generation {
        "nextauth4" => AuthJsVersion::NextAuth4,
        "authjs5" => AuthJsVersion::AuthJs5,
        "adapter" => return adapters::adapter(kind, row),
        "authjs" => return Some(CSRF).filter(|_| ["csrf", "csrf.array"].contains(&kind)),
        _ => return None,
    };
    let row = Row { version, now_ms: row["now_ms"].as_i64()?, json: row };
    match kind {
        "jwt" => tokens::jwt(&row),
        "maxage" | "verdict" => tokens::verdict(&row),
        "secret" => tokens::secret(&row),
        "gettoken" => tokens::get_token(&row),
        "cookies" => cookies::names(&row),
        "chunk" => cookies::chunks(&row),
        "join" => cookies::joined(&row),
        "session" => sessions::session(&row),
        "lifetime" => sessions::lifetime(&row),
        "signin" => sessions::sign_in(&row),
        "signout" => sessions::sign_out(&row),
        _ => None,
    }
}

/// A recorded call.
struct Row<'a> {
    version: AuthJsVersion,
    now_ms: i64,
    json: &'a Value,
}

impl Row<'_> {
    fn name(&self) -> &str {
        self.json["name"].as_str().unwrap_or_default()
    }

    fn input(&self, name: &str) -> &Value {
        &self.json["inputs"][name]
    }

    fn output(&self, name: &str) -> &Value {
        &self.json["output"][name]
    }

    fn is_accepted(&self) -> Option<bool> {
        match self.json["verdict"].as_str()? {
            "accept" => Some(true),
            "reject" => Some(false),
            _ => None,
        }
    }

    /// The site on http.
    fn options(&self) -> AuthJsOptions {
        let options = match self.version {
            AuthJsVersion::AuthJs5 => AuthJsOptions::auth_js_5(),
            _ => AuthJsOptions::next_auth_4(),
        };
        options.with_secure_cookies(false).with_clock(Clock::fixed(self.now_ms))
    }

    /// A codec for the secret of the row, or all of them, with its salt.
    fn codec(&self) -> Option<Result<TokenCodec, Error>> {
        let salt = self.input("salt").as_str().unwrap_or_default();
        Some(TokenCodec::new(self.version, secrets(self.input("secret"))?, salt))
    }
}

/// The secrets: a text, a list of them, or bytes.
fn secrets(value: &Value) -> Option<Vec<Vec<u8>>> {
    let text = |value: &Value| Some(value.as_str()?.as_bytes().to_vec());
    match value {
        Value::Array(secrets) => secrets.iter().map(text).collect(),
        Value::Object(bytes) => {
            let hex = bytes.get("bytes_hex")?.as_str()?;
            let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
            Some(vec![(0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?])
        }
        value => text(value).map(|secret| vec![secret]),
    }
}

/// The headers of a request with these cookies.
fn request<'a>(cookies: impl Iterator<Item = (&'a str, &'a str)>) -> Option<HeaderMap> {
    let pairs: Vec<String> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
    header(&pairs.join("; "))
}

fn header(cookie: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if !cookie.is_empty() {
        headers.insert(COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    Some(headers)
}

/// The cookies of an object.
fn members(cookies: &Value) -> Option<impl Iterator<Item = (&str, &str)>> {
    let members = cookies.as_object()?.iter();
    Some(members.filter_map(|(name, value)| Some((&**name, value.as_str()?))))
}
