//! The `proxy` option.

use std::fmt;

use super::AskRequest;
use crate::RequestHead;

/// The `proxy` option: how to recognize a secure request that has no [`SecureTransport`](crate::SecureTransport) in its
/// extensions.
#[derive(Clone)]
#[non_exhaustive]
pub enum Proxy {
    /// `false`: no header is trusted.
    Untrusted,
    /// `true`: the request is secure if the first item of `X-Forwarded-Proto` is `https`. Use it only behind a proxy
    /// that sets this header, because otherwise anyone can.
    Trusted,
    /// A function decides, as with Express's own setting `trust proxy`. It runs in `Service::call`, so it must not block.
    By(AskRequest),
}

impl Proxy {
    /// Returns true if the request is secure.
    pub(crate) fn is_secure(&self, head: RequestHead<'_>) -> bool {
        head.is_encrypted()
            || match self {
                Self::Untrusted => false,
                Self::Trusted => {
                    let proto = head.headers().get("x-forwarded-proto");
                    let first =
                        proto.and_then(|proto| proto.as_bytes().split(|b| *b == b',').next());
                    first.is_some_and(|first| first.trim_ascii().eq_ignore_ascii_case(b"https"))
                }
                Self::By(function) => function(head),
            }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untrusted => "Untrusted",
            Self::Trusted => "Trusted",
            Self::By(_) => "By(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_request_is_secure_by_its_connection_or_by_a_proxy_that_is_trusted() {
        let with = |proto: Option<&str>, encrypted: bool| {
            let mut request = http::Request::new(());
            if let Some(proto) = proto {
                request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
            }
            if encrypted {
                request.extensions_mut().insert(crate::SecureTransport);
            }
            request
        };
        let rows = [
            (None, false, false, false),
            (None, true, true, true),
            (Some("https"), false, false, true),
            (Some(" HTTPS , http"), false, false, true),
            (Some("http, https"), false, false, false),
            (Some("httpsx"), false, false, false),
            (Some(""), false, false, false),
        ];
        for (proto, encrypted, untrusted, trusted) in rows {
            let request = with(proto, encrypted);
            let head = RequestHead::from(&request);
            assert_eq!(Proxy::Untrusted.is_secure(head), untrusted, "{proto:?} {encrypted}");
            assert_eq!(Proxy::Trusted.is_secure(head), trusted, "{proto:?} {encrypted}");
        }
        let by_host = Proxy::By(Arc::new(|head| head.headers().contains_key("x-secure")));
        let mut request = with(Some("https"), false);
        assert!(!by_host.is_secure(RequestHead::from(&request)));
        request.headers_mut().insert("x-secure", "1".parse().unwrap());
        assert!(by_host.is_secure(RequestHead::from(&request)));
    }
}
