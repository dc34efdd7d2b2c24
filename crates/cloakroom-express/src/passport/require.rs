//! What a route needs that is for those who are logged in.

use std::fmt;

use cloakroom_core::Error;
use cloakroom_tower::RequireSession;

use super::{is_logged_in, set_return_to};

/// A user who is logged in: as a guard around routes, and with the feature `axum` as an extractor.
///
/// Both let in whom `req.isAuthenticated()` lets in, in every state that Passport 0.5, 0.6 and 0.7 leave behind; see
/// [`is_logged_in`].
///
/// As a guard it is a [`RequireSession`], a tower layer with options for paths, engines and the way back:
///
/// ```
/// use cloakroom_express::passport::RequireUser;
/// use cloakroom_tower::RequireSession;
///
/// let for_the_api = RequireUser::json();
/// let for_pages = RequireUser::redirect("/login")?.without_paths(["/login", "/static"]);
/// let with_a_way_back = RequireUser::redirect_with_return_to("/login")?;
/// let for_everything_else = RequireUser::guard(RequireSession::redirect("/login")?.with_next("next"));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
///
/// As an extractor it gives the user to the handler, as the type that `serializeUser` makes. If nobody is logged in, it
/// answers 401 and `{"error":"unauthorized"}`; an `Option` is then `None`.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use cloakroom_express::passport::RequireUser;
///
/// async fn account(RequireUser(id): RequireUser<u64>) -> String {
///     format!("the account of user {id}")
/// }
///
/// async fn page(user: Option<RequireUser<u64>>) -> &'static str {
///     if user.is_some() { "welcome back" } else { "hello" }
/// }
/// # let app: axum::Router = axum::Router::new()
/// #     .route("/", axum::routing::get(page))
/// #     .route("/account", axum::routing::get(account));
/// # }
/// ```
///
/// `Debug` leaves the user out.
#[derive(Clone, PartialEq, Eq)]
pub struct RequireUser<T = String>(pub T);

impl RequireUser {
    /// Returns a guard that answers 401 and `{"error":"unauthorized"}`.
    #[must_use]
    pub fn json() -> RequireSession {
        Self::guard(RequireSession::json())
    }

    /// Returns a guard that redirects to this location, such as the login page.
    ///
    /// # Errors
    ///
    /// As [`RequireSession::redirect`].
    pub fn redirect(location: &str) -> Result<RequireSession, Error> {
        RequireSession::redirect(location).map(Self::guard)
    }

    /// Returns a guard that redirects to this location and notes in the session where the user wanted to go, as
    /// `ensureLoggedIn` of connect-ensure-login does. [`take_return_to`](super::take_return_to) gives the path to the
    /// login, and Passport's `successReturnToOrRedirect` finds it in Express.
    ///
    /// As in Express, each visitor who is redirected gets a session, which is stored. To avoid that, carry the path
    /// along in the query: [`RequireSession::with_next`].
    ///
    /// # Errors
    ///
    /// As [`RequireSession::redirect`].
    pub fn redirect_with_return_to(location: &str) -> Result<RequireSession, Error> {
        Ok(Self::redirect(location)?.with_on_redirect(set_return_to))
    }

    /// Returns the guard with Passport's condition added to its own.
    #[must_use]
    pub fn guard(guard: RequireSession) -> RequireSession {
        // The member lets in whom a middleware around the guard has logged in, under a new session. It is there for
        // every user, since `{"user":0}` is not empty.
        guard.with_member(super::MEMBER).with_predicate(is_logged_in)
    }
}

impl<T> fmt::Debug for RequireUser<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireUser").finish_non_exhaustive()
    }
}
