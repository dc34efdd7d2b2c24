//! Logins as Passport 0.5, 0.6 and 0.7 keep them: the member `passport`, `{"user":…}`, with what the application's
//! `serializeUser` gives.
//!
//! ```
//! use cloakroom_core::Error;
//! use cloakroom_express::passport;
//! use cloakroom_tower::Session;
//!
//! async fn log_in(session: &Session, id: u64) -> Result<(), Error> {
//!     passport::login(session, id).await
//! }
//!
//! fn who(session: &Session) -> Result<Option<u64>, Error> {
//!     passport::user(session)
//! }
//! ```
//!
//! Passport's own condition decides who is logged in: a `user` that JavaScript calls truthy, or the number 0. Whether
//! that user still exists is for the application to know; [`forget_user`] does what Passport does when
//! `deserializeUser` finds nobody.

use std::time::Duration;

use cloakroom_core::{Cookie, CookieMember, Error, ErrorKind, SessionData};
use cloakroom_tower::{Preset, Session};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::object::{Object, raw, stringify};

#[cfg(feature = "axum")]
mod extract;
mod require;
mod return_to;

#[cfg(feature = "axum")]
pub use extract::UserRejection;
pub use require::RequireUser;
pub use return_to::{set_return_to, take_return_to};

const MEMBER: &str = "passport";
const USER: &str = "user";

/// Returns the user who is logged in, as `serializeUser` has written it, or `None` if nobody is.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) if the user is not a `T`: `serializeUser` decides whether it is a text, a
/// number or an object. And as [`Session::get`].
pub fn user<T: DeserializeOwned>(session: &Session) -> Result<Option<T>, Error> {
    session.with(user_of)?
}

/// Returns the user in a record, without the layer, as [`user`] does.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) if the user is not a `T`.
///
/// ```
/// use cloakroom_core::SessionData;
/// use cloakroom_express::passport;
///
/// let record = SessionData::from_json(r#"{"cookie":{},"passport":{"user":7}}"#)?;
/// assert_eq!(passport::user_of::<u64>(&record)?, Some(7));
/// assert!(passport::user_of::<String>(&record).is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub fn user_of<T: DeserializeOwned>(record: &SessionData) -> Result<Option<T>, Error> {
    let passport = Object::read(record.get_json(MEMBER));
    let Some(json) = passport.get(USER).filter(|json| is_user(json)) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|_| {
        // serde_json's message quotes the user, so it must not become the source.
        let message = format!("passport.user is not a valid {}", std::any::type_name::<T>());
        Error::new(ErrorKind::InvalidData, "session", "user", message)
    })
}

/// Returns true if somebody is logged in: what `req.isAuthenticated()` says in Express, if `deserializeUser` finds the
/// user.
#[must_use]
pub fn is_logged_in(record: &SessionData) -> bool {
    Object::read(record.get_json(MEMBER)).get(USER).is_some_and(is_user)
}

/// Returns true if Passport takes this JSON text for a user.
fn is_user(json: &str) -> bool {
    !matches!(json, "null" | "false" | "\"\"")
}

/// Logs a user in, as Passport 0.6 and 0.7 do: under a new id, and without the session's other members.
///
/// A cart, messages and CSRF secrets are gone then, and also what an attacker has put there before the login;
/// [`login_keeping_data`] keeps them. Another user who was logged in is replaced. Nothing is stored before the
/// response; Passport stores the session twice before its callback.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) if Passport would not take `user` for one: `null`, `false` and the empty
/// text. The session is then as it was; Passport has already emptied it. And as [`Session::regenerate`].
pub async fn login<T: Serialize>(session: &Session, user: T) -> Result<(), Error> {
    let user = serialized(user)?;
    session.regenerate().await?;
    set_user(session, user)
}

/// Logs a user in under a new id, and keeps the session's other members and its life: Passport's option
/// `keepSessionInfo`, and what Passport 0.5 keeps, under the same id, at every login.
///
/// # Errors
///
/// As [`login`], and as [`Session::regenerate_keeping_data`].
pub async fn login_keeping_data<T: Serialize>(session: &Session, user: T) -> Result<(), Error> {
    let user = serialized(user)?;
    session.regenerate_keeping_data().await?;
    set_user(session, user)
}

/// Logs out: destroys the session, and gives the request a new, empty one, for a message such as "goodbye".
///
/// The safe preset stores the new one only if the handler sets something in it. Passport 0.6 and 0.7 store an empty
/// record at each logout, and so does the express preset. With the safe preset, all sessions that descend from the old
/// one end, as [`Session::destroy`] says, and no slower request brings one back. If another request has logged out
/// before, the new one is not stored.
///
/// # Errors
///
/// As [`Session::destroy`].
pub async fn logout(session: &Session) -> Result<(), Error> {
    session.destroy().await?;
    session.regenerate().await
}

/// Logs out under a new id, and keeps the session's other members and its life: Passport's option `keepSessionInfo`. As
/// there, `"passport":{}` stays of a login.
///
/// With the safe preset, all sessions that descend from the old one end, as after [`logout`], and the new one is stored
/// at once: it stays if the request fails. A member that Express cannot keep, such as one called `save`, is lost; only
/// other languages write those.
///
/// # Errors
///
/// As [`Session::save`] and [`Session::destroy`]. With the express preset, as [`Session::regenerate_keeping_data`].
pub async fn logout_keeping_data(session: &Session) -> Result<(), Error> {
    if session.with(|record| record.contains(MEMBER))? {
        forget_user(session)?;
    }
    if session.engine().options().preset == Preset::Express {
        return session.regenerate_keeping_data().await;
    }
    // A move alone would be no logout: a session that another request moves at the same time would stay logged in.
    // Passport saves first, too. Here this also brings what other requests have added to the session.
    if !session.is_new() {
        session.save().await?;
    }
    let kept = Kept::of(session)?;
    session.destroy().await?;
    session.regenerate().await?;
    if kept.members.is_empty() {
        return Ok(());
    }
    kept.put_into(session)?;
    session.save().await.map(drop)
}

/// What stays of a session that is logged out.
struct Kept {
    members: Vec<(String, String)>,
    cookie: Cookie,
}

impl Kept {
    fn of(session: &Session) -> Result<Self, Error> {
        let members = session.with(|record| {
            record
                .iter()
                .map(|member| (member.name().to_owned(), member.json().to_owned()))
                .collect()
        })?;
        Ok(Self { members, cookie: session.cookie() })
    }

    /// Puts the members and the life into a new session, whose cookie has the attributes of the options.
    fn put_into(self, session: &Session) -> Result<(), Error> {
        for (name, json) in self.members {
            match session.insert(&name, raw(json)) {
                // Express would drop it as well.
                Err(error) if error.kind() == ErrorKind::InvalidData => {}
                inserted => inserted?,
            }
        }
        let max_age_ms = self.cookie.original_max_age_ms().and_then(|ms| u64::try_from(ms).ok());
        session.set_max_age(max_age_ms.map(Duration::from_millis))?;
        if max_age_ms.is_some() {
            return Ok(());
        }
        // Other languages write an expiry without a max age. It says when the session ends.
        let mut cookie = session.cookie();
        cookie.set_raw(CookieMember::Expires, self.cookie.raw(CookieMember::Expires).clone());
        session.set_cookie(cookie)
    }
}

/// Removes the user from the session and nothing else, as Passport does when `deserializeUser` finds nobody:
/// `"passport":{}` stays.
///
/// # Errors
///
/// As [`Session::modify`].
pub fn forget_user(session: &Session) -> Result<(), Error> {
    change(session, |passport| drop(passport.remove(USER)))
}

fn serialized<T: Serialize>(user: T) -> Result<String, Error> {
    let json = stringify(USER, user)?;
    if is_user(&json) {
        return Ok(json);
    }
    let message =
        "null, false and the empty text are not users to Passport; pass what serializeUser gives";
    Err(Error::new(ErrorKind::InvalidData, "session", "login", message))
}

fn set_user(session: &Session, user: String) -> Result<(), Error> {
    change(session, move |passport| passport.set(USER, user.clone()))
}

/// Changes the member and keeps what else is in it.
fn change(
    session: &Session,
    change: impl Fn(&mut Object) + Send + Sync + 'static,
) -> Result<(), Error> {
    let changed = session.modify(MEMBER, move |passport: Option<Box<RawValue>>| {
        let mut passport = Object::read(passport.as_deref().map(RawValue::get));
        change(&mut passport);
        raw(passport.to_json())
    });
    changed.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_logged_in_is_what_passport_says() {
        for (passport, is_in) in [
            (r#"{"user":1}"#, true),
            (r#"{"user":0}"#, true),
            (r#"{"user":-0}"#, true),
            (r#"{"user":1e400}"#, true),
            (r#"{"user":"x"}"#, true),
            (r#"{"user":"0"}"#, true),
            (r#"{"user":"\ud800"}"#, true),
            (r#"{"user":{}}"#, true),
            (r#"{"user":[]}"#, true),
            (r#"{"user":true}"#, true),
            (r#"{ "user" : 1 }"#, true),
            (r#"{"\u0075ser":1}"#, true),
            (r#"{"user":null,"user":1}"#, true),
            (r#"{"user":1,"user":null}"#, false),
            (r#"{"user":""}"#, false),
            (r#"{"user":false}"#, false),
            (r#"{"user":null}"#, false),
            (r#"{"id":1}"#, false),
            ("{}", false),
            ("null", false),
            ("\"user\"", false),
            ("[1]", false),
            ("7", false),
        ] {
            let record =
                SessionData::from_json(format!(r#"{{"cookie":{{}},"passport":{passport}}}"#));
            assert_eq!(is_logged_in(&record.unwrap()), is_in, "{passport}");
        }
        let other = SessionData::from_json(r#"{"cookie":{},"passport.user":1}"#).unwrap();
        assert!(!is_logged_in(&other));
    }

    #[test]
    fn what_passport_would_not_take_for_a_user_is_refused() {
        for json in [serialized(()), serialized(false), serialized(""), serialized(f64::NAN)] {
            assert_eq!(json.unwrap_err().kind(), ErrorKind::InvalidData);
        }
        assert_eq!(serialized(0).unwrap(), "0");
        assert_eq!(serialized("ann").unwrap(), "\"ann\"");
        assert!(serialized(u64::MAX).is_err());
    }
}
