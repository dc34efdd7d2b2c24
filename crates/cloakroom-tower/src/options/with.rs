//! `SessionOptions` in one expression.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_core::{Clock, Error};

use super::{Loading, PathMatch, Proxy, SessionOptions, TouchAfter, Unset, WhenUnavailable};
use crate::{CookieOptions, RequestHead, SessionEvent};

impl SessionOptions {
    /// The same options with another [`name`](Self::name).
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same options with another [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = cookie;
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

    /// The same options with another [`rolling`](Self::rolling).
    #[must_use]
    pub fn with_rolling(mut self, rolling: bool) -> Self {
        self.rolling = rolling;
        self
    }

    /// The same options with another [`unset`](Self::unset).
    #[must_use]
    pub fn with_unset(mut self, unset: Unset) -> Self {
        self.unset = unset;
        self
    }

    /// The same options with another [`genid`](Self::genid).
    #[must_use]
    pub fn with_genid(
        mut self,
        genid: impl Fn(RequestHead<'_>) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.genid = Some(Arc::new(genid));
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

    /// The same options with another [`touch_after`](Self::touch_after).
    #[must_use]
    pub fn with_touch_after(mut self, touch_after: TouchAfter) -> Self {
        self.touch_after = touch_after;
        self
    }

    /// The same options with another [`loading`](Self::loading).
    #[must_use]
    pub fn with_loading(mut self, loading: Loading) -> Self {
        self.loading = loading;
        self
    }

    /// The same options with another [`store_failed`](Self::store_failed).
    #[must_use]
    pub fn with_store_failed(mut self, store_failed: bool) -> Self {
        self.store_failed = store_failed;
        self
    }

    /// The same options with another [`when_unavailable`](Self::when_unavailable).
    #[must_use]
    pub fn with_when_unavailable(mut self, when_unavailable: WhenUnavailable) -> Self {
        self.when_unavailable = when_unavailable;
        self
    }

    /// The same options with another [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same options with another [`unquote`](Self::unquote).
    #[must_use]
    pub fn with_unquote(mut self, unquote: bool) -> Self {
        self.unquote = unquote;
        self
    }

    /// The same options with another [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same options with another [`is_connected`](Self::is_connected).
    #[must_use]
    pub fn with_is_connected(
        mut self,
        is_connected: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_connected = Some(Arc::new(is_connected));
        self
    }

    /// The same options with another [`on_error`](Self::on_error).
    #[must_use]
    pub fn with_on_error(mut self, on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    /// The same options with another [`on_event`](Self::on_event).
    #[must_use]
    pub fn with_on_event(
        mut self,
        on_event: impl Fn(&SessionEvent) + Send + Sync + 'static,
    ) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }

    /// The same options with another [`error_response`](Self::error_response).
    #[must_use]
    pub fn with_error_response(
        mut self,
        error_response: impl Fn(&Error) -> http::Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.error_response = Arc::new(error_response);
        self
    }
}
