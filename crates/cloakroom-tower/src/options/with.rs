//! `SessionOptions` in one expression.

use std::sync::Arc;

use super::{
    ExpiryOptions, FailureOptions, IdOptions, Loading, PathMatch, Proxy, SessionOptions, Unset,
};
use crate::{CookieOptions, RequestHead};

impl SessionOptions {
    /// Changes [`ids`](Self::ids).
    #[must_use]
    pub fn with_ids(mut self, change: impl FnOnce(IdOptions) -> IdOptions) -> Self {
        self.ids = change(self.ids);
        self
    }

    /// Changes [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, change: impl FnOnce(CookieOptions) -> CookieOptions) -> Self {
        self.cookie = change(self.cookie);
        self
    }

    /// Changes [`expiry`](Self::expiry).
    #[must_use]
    pub fn with_expiry(mut self, change: impl FnOnce(ExpiryOptions) -> ExpiryOptions) -> Self {
        self.expiry = change(self.expiry);
        self
    }

    /// Changes [`failure`](Self::failure).
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

    /// Sets [`cookie_for`](Self::cookie_for).
    #[must_use]
    pub fn with_cookie_for(
        mut self,
        cookie_for: impl Fn(RequestHead<'_>) -> CookieOptions + Send + Sync + 'static,
    ) -> Self {
        self.cookie_for = Some(Arc::new(cookie_for));
        self
    }

    /// Sets [`resave`](Self::resave).
    #[must_use]
    pub fn with_resave(mut self, resave: bool) -> Self {
        self.resave = resave;
        self
    }

    /// Sets [`save_uninitialized`](Self::save_uninitialized).
    #[must_use]
    pub fn with_save_uninitialized(mut self, save_uninitialized: bool) -> Self {
        self.save_uninitialized = save_uninitialized;
        self
    }

    /// Sets [`unset`](Self::unset).
    #[must_use]
    pub fn with_unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// Sets [`proxy`](Self::proxy).
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets [`path_match`](Self::path_match).
    #[must_use]
    pub fn with_path_match(mut self, path_match: PathMatch) -> Self {
        self.path_match = path_match;
        self
    }

    /// Sets [`loading`](Self::loading).
    #[must_use]
    pub fn with_loading(mut self, loading: Loading) -> Self {
        self.loading = loading;
        self
    }
}
