//! `SessionOptions` in one expression.

use std::sync::Arc;

use super::{
    ExpiryOptions, FailureOptions, IdOptions, Loading, PathMatch, Proxy, SessionOptions, Unset,
};
use crate::{CookieOptions, RequestHead};

impl SessionOptions {
    /// The same options with changed [`ids`](Self::ids).
    #[must_use]
    pub fn with_ids(mut self, change: impl FnOnce(IdOptions) -> IdOptions) -> Self {
        self.ids = change(self.ids);
        self
    }

    /// The same options with a changed [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, change: impl FnOnce(CookieOptions) -> CookieOptions) -> Self {
        self.cookie = change(self.cookie);
        self
    }

    /// The same options with a changed [`expiry`](Self::expiry).
    #[must_use]
    pub fn with_expiry(mut self, change: impl FnOnce(ExpiryOptions) -> ExpiryOptions) -> Self {
        self.expiry = change(self.expiry);
        self
    }

    /// The same options with a changed [`failure`](Self::failure).
    ///
    /// ```
    /// let options = cloakroom_tower::SessionOptions::new()
    ///     .with_failure(|failure| failure.with_on_error(|error| eprintln!("error: {error}")));
    /// ```
    #[must_use]
    pub fn with_failure(mut self, change: impl FnOnce(FailureOptions) -> FailureOptions) -> Self {
        self.failure = change(self.failure);
        self
    }

    /// The same options with another [`cookie_for`](Self::cookie_for).
    #[must_use]
    pub fn with_cookie_for(
        mut self,
        cookie_for: impl Fn(RequestHead<'_>) -> CookieOptions + Send + Sync + 'static,
    ) -> Self {
        self.cookie_for = Some(Arc::new(cookie_for));
        self
    }

    /// The same options with another [`resave`](Self::resave).
    #[must_use]
    pub fn with_resave(mut self, resave: bool) -> Self {
        self.resave = resave;
        self
    }

    /// The same options with another [`save_uninitialized`](Self::save_uninitialized).
    #[must_use]
    pub fn with_save_uninitialized(mut self, save_uninitialized: bool) -> Self {
        self.save_uninitialized = save_uninitialized;
        self
    }

    /// The same options with another [`unset`](Self::unset).
    #[must_use]
    pub fn with_unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// The same options with another [`proxy`](Self::proxy).
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// The same options with another [`path_match`](Self::path_match).
    #[must_use]
    pub fn with_path_match(mut self, path_match: PathMatch) -> Self {
        self.path_match = path_match;
        self
    }

    /// The same options with another [`loading`](Self::loading).
    #[must_use]
    pub fn with_loading(mut self, loading: Loading) -> Self {
        self.loading = loading;
        self
    }
}
