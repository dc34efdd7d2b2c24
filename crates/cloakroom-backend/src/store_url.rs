//! The URL of a store, split into its parts.

mod nearest;
mod parameters;
mod values;

use std::{fmt, net::Ipv6Addr};

use cloakroom_core::{Error, ErrorKind, decode_uri_component};

pub use parameters::{ParameterNames, UrlParameter};

use self::nearest::nearest;

/// A URL such as `redis://ann:p%40ss@localhost:6379/0?prefix=app:`, split into its parts.
///
/// The accessors return the parts as they are written in the URL; the store interprets them.
///
/// Every error is a [`Config`](ErrorKind::Config) that names the part. A single missing delimiter can move the password
/// into any other part, so no error quotes a part of the URL, with three exceptions: a port of at most five digits, a
/// scheme that resembles a known one, and a parameter's name that looks like a name.
///
/// ```
/// use cloakroom_backend::{ParameterNames, StoreUrl};
///
/// let url = StoreUrl::parse("redis", "redis://:p%40ss@h:7000/2?ttl=60", "redis://")?;
/// assert_eq!((url.scheme(), url.path()), ("redis", "/2"));
/// assert_eq!(url.host(url.hosts())?, ("h", Some(7000)));
/// assert_eq!(url.password()?.as_deref(), Some("p@ss"));
///
/// let names = ParameterNames { exact: &["prefix", "ttl"], ..ParameterNames::default() };
/// let [ttl] = &url.parameters(&names)?[..] else { panic!() };
/// assert_eq!((&*ttl.name, &*ttl.value), ("ttl", "60"));
///
/// let error = url.invalid("path", "must be empty");
/// assert_eq!(error.to_string(), "redis: open: invalid path: must be empty");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct StoreUrl<'a> {
    store: &'static str,
    scheme: &'a str,
    place: &'a str,
    login: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
    torn: bool,
}

impl<'a> StoreUrl<'a> {
    /// Splits a URL of the store named `store`. `beginnings` says how such URLs begin, for the error message.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a text without `://` or with two of them, for white space, control characters
    /// and invisible characters, for a fragment, and for a `&` or `=` before the `?`.
    pub fn parse(store: &'static str, url: &'a str, beginnings: &str) -> Result<Self, Error> {
        let invalid =
            |why: &str| Error::new(ErrorKind::Config, store, "open", format!("invalid url: {why}"));
        check_characters(url).map_err(invalid)?;
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid(&format!("must begin with {beginnings}")));
        };
        if rest.contains("://") {
            return Err(invalid(
                "must contain \"://\" only once; in a password or a parameter, write : as %3A",
            ));
        }
        let (rest, fragment) = cut(rest, '#');
        let (place, query) = cut(rest, '?');
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        // The last `@`: a password with an unencoded `@` stays in the login, and no error quotes it as a host.
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        // An `@` behind the hosts means that a password contains an unencoded `/`, `?` or `#`, and that its parts are
        // everywhere.
        let behind = [Some(path), query, fragment];
        let torn = behind.into_iter().flatten().any(|part| part.contains('@'));
        let query = query.unwrap_or_default();
        let url = Self { store, scheme, place, login, hosts, path, query, torn };
        if fragment.is_some() {
            return Err(url.error("fragments are not supported"));
        }
        let user = url.login().map_or("", |(user, _)| user);
        if [user, hosts, path].iter().any(|part| part.contains('&')) || path.contains('=') {
            return Err(
                url.error("parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D")
            );
        }
        Ok(url)
    }

    /// Returns the text before `://`. Its case does not matter (RFC 3986, section 3.1).
    #[must_use]
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Returns everything between `://` and the parameters, login included.
    #[must_use]
    pub const fn place(&self) -> &'a str {
        self.place
    }

    /// Returns the hosts. How they are separated depends on the store.
    #[must_use]
    pub const fn hosts(&self) -> &'a str {
        self.hosts
    }

    /// Returns the path, starting with its `/`; empty if the URL has none.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the user and the password as they are written in the URL, or `None` if the URL has no `@` before the
    /// path.
    #[must_use]
    pub fn login(&self) -> Option<(&'a str, Option<&'a str>)> {
        self.login.map(|login| cut(login, ':'))
    }

    /// Returns the decoded user, or `None` for a URL without one.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode).
    pub fn user(&self) -> Result<Option<String>, Error> {
        let user = self.login().map(|(user, _)| user).filter(|user| !user.is_empty());
        user.map(|user| self.decode("user", user)).transpose()
    }

    /// Returns the decoded password, or `None` for a URL without one.
    ///
    /// # Errors
    ///
    /// As for [`decode`](Self::decode), but a password may begin and end with a space that is written as `%20`.
    pub fn password(&self) -> Result<Option<String>, Error> {
        let password = self.login().and_then(|(_, password)| password);
        password.map(|password| self.decode_secret("password", password)).transpose()
    }

    /// Splits a host of this URL into a name, or an address without its brackets, and the port if there is one.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if either is malformed.
    pub fn host<'t>(&self, text: &'t str) -> Result<(&'t str, Option<u16>), Error> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(self.invalid("host", "an IPv6 address must be in brackets, as in [::1]"));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((host, rest))
                if host.parse::<Ipv6Addr>().is_ok()
                    && matches!(rest.as_bytes(), [] | [b':', ..]) =>
            {
                (host, rest.strip_prefix(':'))
            }
            Some(_) => {
                return Err(self.invalid("host", "must have a valid IPv6 address in its brackets"));
            }
            None => cut(text, ':'),
        };
        if host.is_empty() {
            return Err(self.invalid("host", "must not be empty"));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if !host.bytes().all(is_name) {
            let why = "must contain only letters, digits, \".\", \"-\" and \"_\"";
            return Err(self.invalid("host", why));
        }
        let Some(port) = port else { return Ok((host, None)) };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            Ok(number) if is_number && number > 0 => Ok((host, Some(number))),
            // If it is longer or contains letters, it may be a password whose `@` and host are missing.
            _ if is_number && port.len() <= 5 && !self.torn => {
                Err(self.error(&format!("invalid port {port:?}: must be between 1 and 65535")))
            }
            _ => Err(self.invalid("port", "must be between 1 and 65535")),
        }
    }

    /// Decodes the percent-encoding of a text of this part of the URL: `%40` is `@`. A `+` stays a `+`.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a `%` without two hexadecimal digits, for bytes that are not UTF-8, for a
    /// control character, and for white space at the beginning or the end.
    pub fn decode(&self, part: &str, text: &str) -> Result<String, Error> {
        let decoded = self.decode_secret(part, text)?;
        if decoded.trim() != decoded {
            return Err(self.invalid(part, "must not begin or end with white space"));
        }
        Ok(decoded)
    }

    fn decode_secret(&self, part: &str, text: &str) -> Result<String, Error> {
        let Some(decoded) = decode_uri_component(text) else {
            let is_escape = |rest: &str| {
                let digits = rest.as_bytes().first_chunk::<2>();
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            };
            return Err(if text.split('%').skip(1).all(is_escape) {
                self.invalid(part, "must be valid UTF-8")
            } else {
                self.invalid(part, "a percent sign must be written as %25")
            });
        };
        // A secret that was read from a file with its line break and then encoded ends with %0A.
        if decoded.chars().any(is_control) {
            return Err(self.invalid(part, "must not contain a line break or control character"));
        }
        Ok(decoded.into_owned())
    }

    /// Returns the error for an invalid part of the URL, such as `invalid host: must not be empty`. `why` says what is
    /// accepted, and must not quote the part.
    #[must_use]
    pub fn invalid(&self, part: &str, why: &str) -> Error {
        self.error(&format!("invalid {part}: {why}"))
    }

    /// Returns the error for a scheme that is not one of the `known` ones. It suggests the nearest one.
    #[must_use]
    pub fn unknown_scheme(&self, known: &[&str]) -> Error {
        let message = match nearest(self.scheme, known.iter().copied()) {
            Some(name) => format!("unknown scheme {:?}: did you mean {name:?}?", self.scheme),
            None => format!("unknown scheme: must be one of {}", known.join(", ")),
        };
        self.error(&message)
    }

    /// Returns the error for a scheme whose feature is off. The crate `cloakroom` has the feature under the first name,
    /// the crate of the store, `package`, under the second.
    ///
    /// ```
    /// use cloakroom_backend::StoreUrl;
    ///
    /// let url = StoreUrl::parse("redis", "rediss://h", "redis://")?;
    /// assert_eq!(
    ///     url.scheme_needs_feature(["redis-tls", "tls"], "cloakroom-redis").to_string(),
    ///     r#"redis: open: the scheme "rediss" needs the feature "redis-tls" of cloakroom, or "tls" of cloakroom-redis"#,
    /// );
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn scheme_needs_feature(&self, feature: [&str; 2], package: &str) -> Error {
        let what = format!("scheme {:?}", self.scheme.to_ascii_lowercase());
        self.needs_feature(&what, feature, package)
    }

    fn needs_feature(&self, what: &str, [of_cloakroom, own]: [&str; 2], package: &str) -> Error {
        let packages = if own == of_cloakroom {
            format!(" or {package}")
        } else {
            format!(", or {own:?} of {package}")
        };
        self.error(&format!("the {what} needs the feature {of_cloakroom:?} of cloakroom{packages}"))
    }

    /// Returns an error about the URL with this message, which must not quote the URL.
    #[must_use]
    pub fn error(&self, message: &str) -> Error {
        // An `@` after the host shows that a password with one of these characters was split.
        let hint = if self.torn {
            "; in a password, write @ as %40, / as %2F, ? as %3F and # as %23"
        } else {
            ""
        };
        Error::new(ErrorKind::Config, self.store, "open", format!("{message}{hint}"))
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Rejects characters that cannot be seen. They come from a file that ends with a line break, or from copying.
fn check_characters(url: &str) -> Result<(), &'static str> {
    let is_hidden = |c: char| c.is_whitespace() || is_control(c) || is_invisible(c);
    if !url.contains(is_hidden) {
        Ok(())
    } else if url.ends_with(is_hidden) {
        Err("must not end with white space or a line break")
    } else if url.starts_with(is_hidden) {
        Err("must not begin with white space or an invisible character")
    } else {
        Err("must not contain white space or control characters; write a space as %20")
    }
}

/// Returns true for control characters and Unicode's two line separators.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns true for characters without a width: soft hyphen, zero-width characters, direction marks, byte order mark.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// Leaves out everything that may be a secret or a part of one.
impl fmt::Debug for StoreUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUrl").field("store", &self.store).finish_non_exhaustive()
    }
}
