//! The group `ids` of the options.

use std::{fmt, sync::Arc};

use cloakroom_core::Error;

use crate::RequestHead;

/// Returns a new session id. It may use the request.
pub type Genid = Arc<dyn Fn(RequestHead<'_>) -> Result<String, Error> + Send + Sync>;

/// How session ids are made, and which cookie brings them back.
#[derive(Clone)]
#[non_exhaustive]
pub struct IdOptions {
    /// Express's `name`: the cookie's name. Defaults to `connect.sid`, and to `sid` for next-session.
    pub cookie_name: String,
    /// Whether a quoted cookie value is unquoted, as express-session 1 does and version 2 will not. On by default.
    pub unquote: bool,
    /// The longest `Cookie` header in bytes, all lines together. Defaults to 16,384, which is what Node.js accepts for all
    /// headers of a request. A longer header is not read, and is reported as an
    /// [event](crate::EventReason::CookieHeaderTooLong).
    ///
    /// The request then has an empty session that cannot be changed, as the browser's own may be alive: every change, a
    /// login and a logout included, is an [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) error. Nothing is
    /// stored, and the browser keeps its cookie.
    pub max_cookie_header: usize,
    /// The number of cookies of the name that the safe preset tries, each of which costs a command. Defaults to 8. Those
    /// that no secret verifies do not count. The express preset tries the first one only, as Express does.
    ///
    /// Cookies beyond this number are not tried, and [`Session::destroy`](crate::Session::destroy) does not log them out.
    pub max_cookies: usize,
    /// Express's `genid`. Defaults to [`generate_id`](cloakroom_core::generate_id).
    ///
    /// As in Express, it is called for each request that loads its session and has none, even if nobody uses the new one:
    /// before the handler, or when somebody first asks for the session with
    /// [`Loading::OnDemand`](crate::Loading::OnDemand). It can run in `Service::call`, so it must not block.
    pub genid: Option<Genid>,
}

impl IdOptions {
    pub(super) fn new(cookie_name: &str) -> Self {
        Self {
            cookie_name: cookie_name.to_owned(),
            unquote: true,
            max_cookie_header: 16_384,
            max_cookies: 8,
            genid: None,
        }
    }

    /// Sets [`cookie_name`](Self::cookie_name).
    #[must_use]
    pub fn with_cookie_name(mut self, cookie_name: impl Into<String>) -> Self {
        self.cookie_name = cookie_name.into();
        self
    }

    /// Sets [`unquote`](Self::unquote).
    #[must_use]
    pub fn with_unquote(mut self, unquote: bool) -> Self {
        self.unquote = unquote;
        self
    }

    /// Sets [`max_cookie_header`](Self::max_cookie_header).
    #[must_use]
    pub fn with_max_cookie_header(mut self, max_cookie_header: usize) -> Self {
        self.max_cookie_header = max_cookie_header;
        self
    }

    /// Sets [`max_cookies`](Self::max_cookies).
    #[must_use]
    pub fn with_max_cookies(mut self, max_cookies: usize) -> Self {
        self.max_cookies = max_cookies;
        self
    }

    /// Sets [`genid`](Self::genid).
    #[must_use]
    pub fn with_genid(
        mut self,
        genid: impl Fn(RequestHead<'_>) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        self.genid = Some(Arc::new(genid));
        self
    }
}

impl fmt::Debug for IdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdOptions")
            .field("cookie_name", &self.cookie_name)
            .field("unquote", &self.unquote)
            .field("max_cookie_header", &self.max_cookie_header)
            .field("max_cookies", &self.max_cookies)
            .finish_non_exhaustive()
    }
}
