//! The head of a request.

use std::{borrow::Cow, fmt};

use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, header::COOKIE, request::Parts};

/// The head of a request, from which a session is loaded. Options that are functions receive it.
///
/// It borrows its parts, so any HTTP library can provide them. It can be made from a whole `http::Request` or from its
/// `Parts`.
///
/// ```
/// use cloakroom_tower::RequestHead;
///
/// let request = http::Request::get("http://example.com/cart?page=2").body(())?;
/// let head = RequestHead::from(&request);
/// assert_eq!((head.method().as_str(), head.path()), ("GET", "/cart"));
/// # Ok::<(), http::Error>(())
/// ```
///
/// `Debug` leaves the headers out: the session's cookie is among them.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

/// An extension of requests that came over TLS, for [`RequestHead::is_encrypted`].
///
/// Neither `http` nor tower says how a request came, so the code that accepts TLS connections must put this into the
/// extensions of each request. Behind a proxy that terminates TLS, set [`Proxy`](crate::Proxy)
/// instead.
///
/// ```
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(cloakroom_tower::SecureTransport);
/// assert!(cloakroom_tower::RequestHead::from(&request).is_encrypted());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SecureTransport;

impl<'a> RequestHead<'a> {
    /// Makes a head from its parts.
    #[must_use]
    pub const fn new(
        method: &'a Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        Self { method, uri, headers, extensions }
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the request's URI as this layer sees it: a router above may have cut a prefix off.
    #[must_use]
    pub const fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// Returns the headers.
    #[must_use]
    pub const fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// Returns the extensions.
    #[must_use]
    pub const fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// Returns the path that the browser asked for, undecoded and without the query: Express's `originalUrl`. With the
    /// feature `axum` it includes a prefix that nested routers have cut off.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.original_uri().path()
    }

    /// The URI that the browser asked for.
    pub(crate) fn original_uri(&self) -> &'a Uri {
        #[cfg(feature = "axum")]
        if let Some(original) = self.extensions.get::<axum::extract::OriginalUri>() {
            return &original.0;
        }
        self.uri
    }

    /// Returns true if the connection itself is encrypted, as [`SecureTransport`] says.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.extensions.get::<SecureTransport>().is_some()
    }

    /// Returns all `Cookie` lines as one, joined with `; ` as Node.js joins them. Returns an empty text if there is no
    /// such line.
    #[must_use]
    pub fn cookie_header(&self) -> Vec<u8> {
        joined(self.headers).into_owned()
    }
}

/// All `Cookie` lines as one. Borrowed if there is one line: browsers send no more over HTTP/1.
pub(crate) fn joined(headers: &HeaderMap) -> Cow<'_, [u8]> {
    let mut lines = headers.get_all(COOKIE).iter();
    let mut joined = Cow::Borrowed(lines.next().map_or(&[][..], HeaderValue::as_bytes));
    for line in lines {
        let joined = joined.to_mut();
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(line.as_bytes());
    }
    joined
}

impl<'a, B> From<&'a http::Request<B>> for RequestHead<'a> {
    fn from(request: &'a http::Request<B>) -> Self {
        Self::new(request.method(), request.uri(), request.headers(), request.extensions())
    }
}

impl<'a> From<&'a Parts> for RequestHead<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self::new(&parts.method, &parts.uri, &parts.headers, &parts.extensions)
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead").field("method", self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_lines_are_joined_and_never_printed() {
        let request = http::Request::get("/secret-path")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(())
            .unwrap();
        let head = RequestHead::from(&request);
        assert_eq!(head.cookie_header(), b"a=1; b=2");
        assert_eq!(format!("{head:?}"), "RequestHead { method: GET, .. }");
    }
}
