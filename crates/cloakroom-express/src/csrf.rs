//! Tokens against forged requests, as csurf 1.11, csrf-sync 4.2 and lusca 1.7 make and check them, with what these keep
//! in the session. A form of one side can be posted to the other.
//!
//! Where a request has its token is yours to say: take it from the body, a header or the query, and [`Csrf::verify`] it
//! before the handler changes anything. The packages look in these places, in this order:
//!
//! | | body and query | headers |
//! | --- | --- | --- |
//! | csurf | `_csrf` in the body, then in the query | `csrf-token`, `xsrf-token`, `x-csrf-token`, `x-xsrf-token` |
//! | csrf-sync | – | `x-csrf-token` |
//! | lusca | `_csrf` in the body | `x-csrf-token` |
//!
//! ```
//! use cloakroom_core::Error;
//! use cloakroom_express::csrf::{Csrf, needs_token};
//! use cloakroom_tower::Session;
//!
//! const CSRF: Csrf = Csrf::csurf();
//!
//! async fn form(session: &Session) -> Result<String, Error> {
//!     Ok(format!(r#"<input type="hidden" name="_csrf" value="{}">"#, CSRF.token(session).await?))
//! }
//!
//! fn may_pass(session: &Session, method: &http::Method, token: &str) -> Result<bool, Error> {
//!     Ok(!needs_token(method) || CSRF.verify(session, token)?)
//! }
//! ```
//!
//! csurf's other mode, which keeps the secret in a cookie of its own, is not here.

use std::borrow::Cow;

use cloakroom_core::{Error, ErrorKind, json};
use cloakroom_tower::Session;
use http::Method;
use serde::de::IgnoredAny;

use crate::settle::settle;

mod csrf_sync;
mod csurf;
mod lusca;

/// Makes and checks the tokens of one of the packages.
///
/// It has no state: what it needs is in the session. `Debug` prints the package and the member's name.
#[derive(Clone, Debug)]
pub struct Csrf {
    package: Package,
    member: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug)]
enum Package {
    Csurf,
    CsrfSync,
    Lusca,
}

impl Csrf {
    /// The tokens of csurf: a salt and a hash of it with the secret, which is the member `csrfSecret`.
    #[must_use]
    pub const fn csurf() -> Self {
        Self { package: Package::Csurf, member: Cow::Borrowed("csrfSecret") }
    }

    /// The tokens of csrf-sync: the member `csrfToken` itself.
    #[must_use]
    pub const fn csrf_sync() -> Self {
        Self { package: Package::CsrfSync, member: Cow::Borrowed("csrfToken") }
    }

    /// The tokens of lusca: a salt and a hash of it with the secret, which is the member `_csrfSecret`.
    #[must_use]
    pub const fn lusca() -> Self {
        Self { package: Package::Lusca, member: Cow::Borrowed("_csrfSecret") }
    }

    /// The same with another member of the session: lusca's option `secret`, and whatever `storeTokenInState` of
    /// csrf-sync writes.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.member = name.into();
        self
    }

    /// Returns a token for a form. The tokens of csurf and lusca are new ones each time.
    ///
    /// The first call makes the session's secret, and stores the session at once if it is not a new one. So two pages
    /// that make a secret at once agree on one, and both forms can be posted; in Express one of them is refused. With
    /// the express preset, and on a store without conditional writes, one is refused here too.
    ///
    /// A login drops the secret with the session's other members, unless it keeps them: forms from before it are then
    /// refused, as in Express.
    ///
    /// # Errors
    ///
    /// As [`Session::modify`] and [`Session::save`]; [`Other`](ErrorKind::Other) if the system's random source fails.
    pub async fn token(&self, session: &Session) -> Result<String, Error> {
        let secret = match self.secret(session)? {
            Some(secret) => secret,
            None => self.make_secret(session).await?,
        };
        match self.package {
            Package::Csurf => Ok(csurf::token(&random_text(csurf::SALT)?, &secret)),
            Package::CsrfSync => Ok(secret),
            Package::Lusca => Ok(lusca::token(&random_text(lusca::SALT)?, &secret)),
        }
    }

    /// Returns true if the token is one that this session's secret has made. The comparison takes the same time
    /// wherever the two differ.
    ///
    /// An empty token, and any token in a session without a secret, is wrong. Nothing is stored.
    ///
    /// # Errors
    ///
    /// As [`Session::with`].
    pub fn verify(&self, session: &Session, token: &str) -> Result<bool, Error> {
        let Some(secret) = self.secret(session)? else { return Ok(false) };
        Ok(match self.package {
            Package::Csurf => csurf::is_valid(&secret, token),
            Package::CsrfSync => csrf_sync::is_valid(&secret, token),
            Package::Lusca => lusca::is_valid(&secret, token),
        })
    }

    /// Removes the secret, so that every form that is open is refused from now on: `revokeToken` of csrf-sync.
    ///
    /// # Errors
    ///
    /// As [`Session::remove`].
    pub fn revoke(&self, session: &Session) -> Result<(), Error> {
        session.remove::<IgnoredAny>(&self.member).map(drop)
    }

    fn secret(&self, session: &Session) -> Result<Option<String>, Error> {
        session.with(|record| usable(record.get_json(&self.member)))
    }

    async fn make_secret(&self, session: &Session) -> Result<String, Error> {
        let new = match self.package {
            Package::Csurf => csurf::secret()?,
            Package::CsrfSync => csrf_sync::secret()?,
            Package::Lusca => lusca::secret()?,
        };
        let own = new.clone();
        let made = settle(session, &self.member, move |json| {
            let secret = usable(json).unwrap_or_else(|| own.clone());
            let mut json = String::new();
            json::quote(&secret, &mut json);
            (json, secret)
        });
        // Without a session, the form would be refused with any token.
        Ok(made.await?.unwrap_or(new))
    }
}

/// Returns true if the packages ask for a token with this method: all do but for GET, HEAD and OPTIONS.
#[must_use]
pub fn needs_token(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The secret in a member. The packages use any text but the empty one, and fail on other values or replace them.
fn usable(json: Option<&str>) -> Option<String> {
    json::unquote(json?).filter(|secret| !secret.is_empty()).map(Cow::into_owned)
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Other, "session", "csrf", "the system's random source failed")
            .with_source(error)
    })?;
    Ok(bytes)
}

/// Returns this number of random letters and digits.
fn random_text(length: usize) -> Result<String, Error> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < length {
        // Of 64 numbers two have no letter; the others are equally likely.
        let numbers = random::<16>()?.into_iter().map(|byte| usize::from(byte % 64));
        text.extend(numbers.filter_map(|number| LETTERS.get(number)).map(|letter| *letter as char));
    }
    text.truncate(length);
    Ok(text)
}
