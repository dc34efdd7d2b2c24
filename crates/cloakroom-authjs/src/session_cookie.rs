//! The session cookie, which may be cut into several: `name`, or `name.0`, `name.1` and so on.

use cloakroom_core::{CookieMember, CookieParser, encode_uri_component, set_cookie, to_utc_string};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{AuthJsOptions, AuthJsVersion, TokenCodec};

/// The most chunks that are read, and so the most cookies that one answer deletes.
const MAX_CHUNKS: usize = 100;

/// The name and the attributes of the session cookie.
#[derive(Debug)]
pub(crate) struct SessionCookie {
    name: String,
    /// The attributes that the npm package `cookie` writes before and after `Expires`.
    attributes: [String; 2],
    version: AuthJsVersion,
}

/// The session cookies that a browser sent.
#[derive(Default)]
pub(crate) struct Sent {
    /// Those that a new or a refused session replaces, in the order in which they came.
    names: Vec<String>,
    plain: Option<String>,
    /// By their numbers. Of two equal names, the first counts.
    chunks: Vec<Option<String>>,
}

impl SessionCookie {
    /// Takes the name and the attributes of options that were checked.
    pub(crate) fn new(options: &AuthJsOptions) -> Self {
        let mut cookie = options.attributes();
        cookie.set_raw(CookieMember::Expires, "1970-01-01T00:00:00.000Z".into());
        let line = set_cookie("name", "", &cookie).unwrap_or_default();
        // No attribute contains a semicolon, so nothing else is an `Expires`.
        let (before, after) = line
            .strip_prefix("name=")
            .and_then(|attributes| attributes.split_once("; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
            .unwrap_or_default();
        Self {
            name: options.session_cookie(),
            attributes: [before.to_owned(), after.to_owned()],
            version: options.version(),
        }
    }

    /// Finds the session cookies in the `Cookie` headers.
    ///
    /// The packages take every cookie whose name begins with the session cookie's, so a foreign cookie logs everybody
    /// out. Here a name counts if a writer can have written it.
    ///
    /// A cookie without a value is not a session. next-auth 4.24.15 deletes it beside one that has a value, and @auth/core
    /// 0.41.3 leaves it.
    pub(crate) fn sent(&self, headers: &HeaderMap) -> Sent {
        let mut sent = Sent::default();
        for line in headers.get_all(COOKIE) {
            for (name, value) in CookieParser::new().pairs(line.as_bytes()) {
                let Some(suffix) = name.strip_prefix(&*self.name) else { continue };
                let place = match chunk_number(suffix) {
                    _ if suffix.is_empty() => &mut sent.plain,
                    Some(number) => {
                        if sent.chunks.len() <= number {
                            sent.chunks.resize(number + 1, None);
                        }
                        &mut sent.chunks[number]
                    }
                    None => continue,
                };
                if place.is_none() {
                    if !value.is_empty() || self.version == AuthJsVersion::NextAuth4 {
                        sent.names.push(name.into_owned());
                    }
                    *place = Some(value.into_owned());
                }
            }
        }
        sent
    }

    /// Returns the `Set-Cookie` headers for a value that expires at `expires_ms`, in milliseconds since 1970, and for
    /// the removal of the cookies that it does not replace.
    pub(crate) fn write(&self, sent: &Sent, value: &str, expires_ms: i64) -> Vec<HeaderValue> {
        let value = encode_uri_component(value);
        // Encoded, the value is ASCII, so it can be cut anywhere.
        let chunks: Vec<&[u8]> = value.as_bytes().chunks(self.version.chunk_length()).collect();
        let named: Vec<(String, &[u8])> = match &*chunks {
            [whole] => vec![(self.name.clone(), whole)],
            chunks => {
                let name = |number| format!("{}.{number}", self.name);
                chunks.iter().enumerate().map(|(number, chunk)| (name(number), *chunk)).collect()
            }
        };
        let expires = to_utc_string(expires_ms).unwrap_or_default();
        let old = sent.names.iter().filter(|old| named.iter().all(|(name, _)| *old != name));
        let removed = old.map(|name| self.removal(name));
        let written = named.iter().map(|(name, chunk)| {
            let chunk = String::from_utf8_lossy(chunk);
            let [before, after] = &self.attributes;
            format!("{name}={chunk}{before}; Expires={expires}{after}")
        });
        headers(removed.chain(written))
    }

    /// Returns the `Set-Cookie` headers that delete all session cookies that the browser sent.
    pub(crate) fn clear(&self, sent: &Sent) -> Vec<HeaderValue> {
        headers(sent.names.iter().map(|name| self.removal(name)))
    }

    fn removal(&self, name: &str) -> String {
        format!("{name}=; Max-Age=0{}", self.attributes.concat())
    }

    /// Returns true if a `Set-Cookie` header is about this cookie or one of its chunks.
    pub(crate) fn is_set_by(&self, header: &HeaderValue) -> bool {
        let rest = header.as_bytes().strip_prefix(self.name.as_bytes());
        rest.is_some_and(|rest| matches!(rest.first(), Some(b'=' | b'.')))
    }
}

impl Sent {
    /// Returns true if no cookie has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.plain().is_none() && !self.has_chunks()
    }

    fn plain(&self) -> Option<&String> {
        self.plain.as_ref().filter(|value| !value.is_empty())
    }

    fn has_chunks(&self) -> bool {
        self.chunks.iter().flatten().any(|chunk| !chunk.is_empty())
    }

    /// Returns the values to try: the plain cookie, and the chunks up to the first hole.
    ///
    /// The packages join them all. After a change of length, a browser that kept an old cookie would be logged out.
    pub(crate) fn values(&self) -> Vec<String> {
        let mut values: Vec<String> = self.plain().into_iter().cloned().collect();
        let mut joined = String::new();
        for chunk in self.chunks.iter().map_while(Option::as_deref) {
            // A token that is too long is refused for that, however long it is.
            if joined.len() <= TokenCodec::MAX_LENGTH {
                joined.push_str(chunk);
            }
        }
        values.extend(Some(joined).filter(|_| self.has_chunks()));
        values
    }
}

/// Returns the number of a chunk as it is printed: `.0`, `.1`, but not `.01` or `.1a`.
fn chunk_number(suffix: &str) -> Option<usize> {
    let digits = suffix.strip_prefix('.')?;
    let number: usize = digits.parse().ok().filter(|number| *number < MAX_CHUNKS)?;
    (number.to_string() == digits).then_some(number)
}

/// The names were checked when the options were, and the values are encoded, so every text is a header.
fn headers(texts: impl Iterator<Item = String>) -> Vec<HeaderValue> {
    texts.filter_map(|text| HeaderValue::from_str(&text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> SessionCookie {
        SessionCookie::new(&AuthJsOptions::auth_js_5().with_secure_cookies(false))
    }

    fn sent(header: &str) -> Sent {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_str(header).unwrap());
        cookie().sent(&headers)
    }

    #[test]
    fn values_are_joined_by_number_and_foreign_cookies_do_no_harm() {
        for (header, values) in [
            ("x=1; @=P", vec!["P"]),
            ("@.1=B; @.0=A", vec!["AB"]),
            ("@.10=K; @.2=C; @.0=A", vec!["A"]),
            ("@=P; @.0=A; @.1=B", vec!["P", "AB"]),
            ("@=P; @-other=X; @.x=Y; @.01=Z; @.1a=W; @.+1=V; @.100=U", vec!["P"]),
            ("@=P; @=Q; @.0=A; @.0=B", vec!["P", "A"]),
            ("@.1=B", vec![""]),
            ("@=; @.0=; @.1=", vec![]),
            ("@=; @.0=; @.1=B", vec!["B"]),
            ("@=P; @.0=", vec!["P"]),
            ("x=1", vec![]),
        ] {
            let header = header.replace('@', "authjs.session-token");
            assert_eq!(sent(&header).values(), values, "{header}");
        }
    }

    #[test]
    fn hostile_cookies_are_bounded() {
        let chunks = |count, length| {
            let chunk = |number| format!("authjs.session-token.{number}={}; ", "x".repeat(length));
            (0..count).map(chunk).collect::<String>()
        };
        assert_eq!(cookie().clear(&sent(&chunks(5_000, 50))).len(), MAX_CHUNKS);
        let values = sent(&chunks(90, 4_000)).values();
        assert!(values[0].len() > TokenCodec::MAX_LENGTH && values[0].len() < 140_000);
    }
}
