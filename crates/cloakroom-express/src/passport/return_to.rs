//! Where a user wanted to go before the login: the member `returnTo` of connect-ensure-login.

use cloakroom_core::{Error, json};
use cloakroom_tower::{Session, own_path};
use serde::de::IgnoredAny;

const MEMBER: &str = "returnTo";

/// Notes the path and query that the user asked for, in place of an earlier one.
///
/// A path that [`own_path`] does not accept is not noted, and removes the earlier one: after the login, a browser that
/// is sent to `//evil.example` leaves the site. connect-ensure-login notes it.
///
/// # Errors
///
/// As [`Session::insert`].
pub fn set_return_to(session: &Session, path: &str) -> Result<(), Error> {
    match own_path(path) {
        Some(path) => session.insert(MEMBER, path),
        None => session.remove::<IgnoredAny>(MEMBER).map(drop),
    }
}

/// Takes the path that [`set_return_to`] or connect-ensure-login has noted, or returns `None` if the session has
/// no path that leads to this site.
///
/// Call it before [`login`](super::login), which drops it with the other members. Passport 0.6 and 0.7 do so too, and
/// find it only with `keepSessionInfo`.
///
/// # Errors
///
/// As [`Session::remove`].
///
/// ```
/// use cloakroom_core::Error;
/// use cloakroom_express::passport;
/// use cloakroom_tower::Session;
///
/// /// Returns where to redirect.
/// async fn log_in(session: &Session, id: u64) -> Result<String, Error> {
///     let wanted = passport::take_return_to(session)?;
///     passport::login(session, id).await?;
///     Ok(wanted.unwrap_or_else(|| "/".to_owned()))
/// }
/// ```
pub fn take_return_to(session: &Session) -> Result<Option<String>, Error> {
    let noted = session.with(|record| record.get_json(MEMBER).map(str::to_owned))?;
    let Some(noted) = noted else { return Ok(None) };
    session.remove::<IgnoredAny>(MEMBER)?;
    let path = json::unquote(&noted);
    Ok(path.as_deref().and_then(own_path).map(str::to_owned))
}
