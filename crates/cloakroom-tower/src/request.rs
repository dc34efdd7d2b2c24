//! What stays of a request while its handler runs.

use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Uri};

use crate::{RequestHead, SessionOptions};

/// What a session has to know of its request until the end.
#[derive(Clone)]
pub(crate) struct RequestFacts {
    pub(crate) is_secure: bool,
    /// The browser sent a cookie of our name that verifies.
    pub(crate) has_cookie: bool,
    /// The `Cookie` header was too long to be read.
    pub(crate) is_unread: bool,
    /// A copy of the head, if an option is a function of it.
    head: Option<Arc<(Method, Uri, HeaderMap, Extensions)>>,
}

impl RequestFacts {
    pub(crate) fn new(
        options: &SessionOptions,
        head: RequestHead<'_>,
        has_cookie: bool,
        is_unread: bool,
    ) -> Self {
        let is_secure = !options.preset.looks_at_transport() || options.proxy.is_secure(head);
        let is_asked = options.cookie_for.is_some() || options.ids.genid.is_some();
        let head = is_asked.then(|| {
            let (method, uri) = (head.method().clone(), head.uri().clone());
            Arc::new((method, uri, head.headers().clone(), head.extensions().clone()))
        });
        Self { is_secure, has_cookie, is_unread, head }
    }

    /// Returns true if an option is a function of the request's head.
    pub(crate) const fn is_asked(&self) -> bool {
        self.head.is_some()
    }

    /// Calls `ask` with the request's head, or with an empty one if no option is a function of it.
    pub(crate) fn with_head<T>(&self, ask: impl FnOnce(RequestHead<'_>) -> T) -> T {
        match self.head.as_deref() {
            Some((method, uri, headers, extensions)) => {
                ask(RequestHead::new(method, uri, headers, extensions))
            }
            None => ask((&http::Request::new(())).into()),
        }
    }
}
