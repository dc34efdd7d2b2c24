//! The head of a request, in the types of `http` 1. actix-web has those of 0.2, and a map of headers of its own.

use std::net::SocketAddr;

use actix_web::{HttpMessage, dev::ServiceRequest};
use cloakroom_tower::{Proxy, RequestHead, SecureTransport, SessionOptions};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri, header::COOKIE};

/// The sessions of a request, of all middlewares that it came through. actix-web's own extensions cannot be given to an
/// engine.
#[derive(Clone)]
pub(crate) struct Sessions(pub(crate) Extensions);

pub(crate) struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    pub(crate) extensions: Extensions,
}

impl Head {
    /// The head as a guard needs it, which looks at no header. Returns `None` if `http` 1 does not accept it; its
    /// grammar is that of 0.2.
    pub(crate) fn without_headers(request: &ServiceRequest) -> Option<Self> {
        let extensions = request.extensions().get::<Sessions>().map(|sessions| sessions.0.clone());
        let mut extensions = extensions.unwrap_or_default();
        if request.app_config().secure() {
            extensions.insert(SecureTransport);
        }
        Some(Self {
            method: Method::from_bytes(request.method().as_str().as_bytes()).ok()?,
            uri: Uri::try_from(request.uri().to_string()).ok()?,
            headers: HeaderMap::new(),
            extensions,
        })
    }

    /// The head as an engine with these options needs it: with all headers and the address of the peer if an option is
    /// a function of the request, and otherwise with those that the engine looks at.
    pub(crate) fn for_engine(request: &ServiceRequest, options: &SessionOptions) -> Option<Self> {
        let mut head = Self::without_headers(request)?;
        let is_function = options.cookie_for.is_some()
            || options.ids.genid.is_some()
            || matches!(options.proxy, Proxy::By(_));
        if is_function {
            for (name, value) in request.headers() {
                let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
                head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
            }
            if let Some(address) = request.peer_addr() {
                head.extensions.insert::<SocketAddr>(address);
            }
            return Some(head);
        }
        for name in [COOKIE, HeaderName::from_static("x-forwarded-proto")] {
            for value in request.headers().get_all(name.as_str()) {
                head.headers.append(&name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
            }
        }
        Some(head)
    }

    pub(crate) fn borrowed(&self) -> RequestHead<'_> {
        RequestHead::new(&self.method, &self.uri, &self.headers, &self.extensions)
    }
}
