//! The URL of a store in its parts, and what is wrong with one.

use std::{fmt, net::Ipv6Addr};

use crate::{Error, ErrorKind, decode_uri_component};

/// A URL such as `redis://ann:p%40ss@localhost:6379/0?prefix=app:`, cut into its parts.
///
/// For those who write stores. The parts are as they stand in the URL; what a part means, the store knows.
/// Every error is a [`Config`](ErrorKind::Config) that names the part and quotes it, if it can be no password:
/// a user and a password never are, and nothing is when an `@` behind the hosts shows that a password with a raw `/`,
/// `?` or `#` has spread over the other parts.
///
/// ```
/// use cloakroom_core::StoreUrl;
///
/// let url = StoreUrl::parse("redis", "redis://:p%40ss@h:7000/2?ttl=60", "redis://")?;
/// assert_eq!((url.scheme(), url.path()), ("redis", "/2"));
/// assert_eq!(url.host(url.hosts())?, ("h", Some(7000)));
/// assert_eq!(url.password()?.as_deref(), Some("p@ss"));
/// let [ttl] = &url.parameters(&[])?[..] else { panic!() };
/// assert_eq!((&*ttl.name, &*ttl.value), ("ttl", "60"));
///
/// let error = url.wrong("path", "it is no number", Some(url.path()));
/// assert_eq!(error.to_string(), "redis: open: invalid url: path \"/2\": it is no number");
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

/// A parameter of a [`StoreUrl`].
#[derive(Clone, PartialEq, Eq)]
pub struct UrlParameter<'a> {
    /// Its name, decoded.
    pub name: String,
    /// Its value, decoded; empty if there is none. It can be a secret.
    pub value: String,
    /// Both as they stand in the URL.
    pub raw: &'a str,
}

impl<'a> StoreUrl<'a> {
    /// The parts of a URL of the store of this name; `beginnings` says how its URLs begin.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a text without `://`, and for a fragment, which no store has.
    pub fn parse(store: &'static str, url: &'a str, beginnings: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = url.split_once("://") else {
            let message = format!("a url begins with {beginnings}");
            return Err(Error::new(ErrorKind::Config, store, "open", message));
        };
        let (rest, fragment) = cut(rest, '#');
        let (place, query) = cut(rest, '?');
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let behind = [Some(path), query, fragment];
        let torn = behind.into_iter().flatten().any(|part| part.contains('@'));
        let query = query.unwrap_or_default();
        let url = Self { store, scheme, place, login, hosts, path, query, torn };
        match fragment {
            Some(_) => Err(url.wrong("fragment", "there is none", None)),
            None => Ok(url),
        }
    }

    /// What stands before `://`. RFC 3986: its case does not matter.
    #[must_use]
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Everything between `://` and the parameters, login included.
    #[must_use]
    pub const fn place(&self) -> &'a str {
        self.place
    }

    /// The hosts, however the store tells one from another.
    #[must_use]
    pub const fn hosts(&self) -> &'a str {
        self.hosts
    }

    /// The path from its `/` on; empty if there is none.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The user and the password as they stand in the URL; `None` without an `@` before the path.
    #[must_use]
    pub fn login(&self) -> Option<(&'a str, Option<&'a str>)> {
        self.login.map(|login| cut(login, ':'))
    }

    /// The user, decoded; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn user(&self) -> Result<Option<String>, Error> {
        let user = self.login().map(|(user, _)| user).filter(|user| !user.is_empty());
        user.map(|user| self.decode("user", user)).transpose()
    }

    /// The password, decoded; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn password(&self) -> Result<Option<String>, Error> {
        let password = self.login().and_then(|(_, password)| password);
        password.map(|password| self.decode("password", password)).transpose()
    }

    /// A name or an address without its brackets, and the port if there is one, of a host in this URL.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) when one of them cannot be one.
    pub fn host<'t>(&self, text: &'t str) -> Result<(&'t str, Option<u16>), Error> {
        let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((host, rest))
                if host.parse::<Ipv6Addr>().is_ok()
                    && matches!(rest.as_bytes(), [] | [b':', ..]) =>
            {
                (host, rest.strip_prefix(':'))
            }
            Some(_) => return Err(self.wrong("host", "it is no IPv6 address", Some(text))),
            None => cut(text, ':'),
        };
        if host.is_empty() {
            return Err(self.wrong("host", "it is missing", None));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if !host.bytes().all(is_name) {
            return Err(self.wrong("host", "it has a character that no name has", Some(host)));
        }
        let Some(port) = port else { return Ok((host, None)) };
        match port.parse() {
            Ok(number) if number > 0 => Ok((host, Some(number))),
            _ => {
                // What is no port by far can be a password whose `@` and host are missing.
                let is_near = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
                let number = is_near.then_some(port);
                Err(self.wrong("port", "it is none of 1 to 65535", number))
            }
        }
    }

    /// The parameters in their order. Only those that are `repeatable` come more than once; case does not matter there.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a parameter that is given twice, and as [`decode`](Self::decode).
    pub fn parameters(&self, repeatable: &[&str]) -> Result<Vec<UrlParameter<'a>>, Error> {
        let mut parameters: Vec<UrlParameter<'a>> = Vec::new();
        for raw in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = cut(raw, '=');
            let name = self.decode("parameter", name)?;
            let value = self.decode("parameter", value.unwrap_or_default())?;
            if parameters.iter().any(|known| known.name.eq_ignore_ascii_case(&name))
                && !repeatable.iter().any(|known| known.eq_ignore_ascii_case(&name))
            {
                return Err(self.wrong("parameter", "it is given twice", Some(&name)));
            }
            parameters.push(UrlParameter { name, value, raw });
        }
        Ok(parameters)
    }

    /// A text of this part of the URL with its escapes decoded: `%40` is `@`. A `+` stays what it is.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a `%` without two hexadecimal digits, and for what is not UTF-8.
    pub fn decode(&self, part: &str, text: &str) -> Result<String, Error> {
        let decoded = decode_uri_component(text).map(|text| text.into_owned());
        decoded.ok_or_else(|| {
            let is_escape = |rest: &str| {
                let digits = rest.as_bytes().first_chunk::<2>();
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            };
            let why = if text.split('%').skip(1).all(is_escape) {
                "it is not UTF-8"
            } else {
                "a percent sign in it has to be written as %25"
            };
            self.wrong(part, why, None)
        })
    }

    /// Says that a part of the URL is wrong and why. `quoted` is its text, if that can be no secret.
    #[must_use]
    pub fn wrong(&self, part: &str, why: &str, quoted: Option<&str>) -> Error {
        let message = match quoted {
            _ if self.torn => format!(
                "invalid url: {part}: {why}; a password has its @, /, ? and # as %40, %2F, %3F and %23"
            ),
            Some(text) => format!("invalid url: {part} {text:?}: {why}"),
            None => format!("invalid url: {part}: {why}"),
        };
        Error::new(ErrorKind::Config, self.store, "open", message)
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Without what can be a secret, or a part of one.
impl fmt::Debug for StoreUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUrl")
            .field("store", &self.store)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// Without its value.
impl fmt::Debug for UrlParameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlParameter").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<StoreUrl<'_>, Error> {
        StoreUrl::parse("store", url, "x://")
    }

    #[test]
    fn urls_are_cut_into_their_parts() {
        for (url, login, hosts, path, place) in [
            ("x://", None, "", "", ""),
            ("x://h", None, "h", "", "h"),
            ("x://a:1,[::1];w=2/", None, "a:1,[::1];w=2", "/", "a:1,[::1];w=2/"),
            ("x://ann@h/a/b?c=/d", Some(("ann", None)), "h", "/a/b", "ann@h/a/b"),
            ("x://:p:q@r@h?", Some(("", Some("p:q@r"))), "h", "", ":p:q@r@h"),
            ("x:///run/s?e@f", None, "", "/run/s", "/run/s"),
        ] {
            let parsed = parse(url).unwrap();
            assert_eq!(parsed.scheme(), "x", "{url}");
            assert_eq!((parsed.login(), parsed.hosts()), (login, hosts), "{url}");
            assert_eq!((parsed.path(), parsed.place()), (path, place), "{url}");
        }
        let error = parse("h:1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), "store: open: a url begins with x://");
        let error = parse("x://h#f").unwrap_err();
        assert_eq!(error.to_string(), "store: open: invalid url: fragment: there is none");
    }

    #[test]
    fn a_login_is_decoded_and_an_empty_user_is_none() {
        for (url, user, password) in [
            ("x://h", None, None),
            ("x://@h", None, None),
            ("x://ann@h", Some("ann"), None),
            ("x://:%E2%82%AC+@h", None, Some("€+")),
            ("x://a%3an:@h", Some("a:n"), Some("")),
        ] {
            let parsed = parse(url).unwrap();
            assert_eq!(parsed.user().unwrap().as_deref(), user, "{url}");
            assert_eq!(parsed.password().unwrap().as_deref(), password, "{url}");
        }
    }

    #[test]
    fn parameters_come_in_their_order_and_once() {
        let url = parse("x://h?b=%3d=&a&&B%41=1&tag=1&TAG=2").unwrap();
        let parameters = url.parameters(&["Tag"]).unwrap();
        let read: Vec<_> = parameters.iter().map(|p| (&*p.name, &*p.value, p.raw)).collect();
        assert_eq!(
            read,
            [
                ("b", "==", "b=%3d="),
                ("a", "", "a"),
                ("BA", "1", "B%41=1"),
                ("tag", "1", "tag=1"),
                ("TAG", "2", "TAG=2"),
            ]
        );
        let error = url.parameters(&[]).unwrap_err();
        let text = "store: open: invalid url: parameter \"TAG\": it is given twice";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn escapes_that_are_none_are_told_from_bytes_that_are_no_text() {
        let url = parse("x://h").unwrap();
        for (text, why) in [
            ("100%", "a percent sign in it has to be written as %25"),
            ("%4", "a percent sign in it has to be written as %25"),
            ("%%41", "a percent sign in it has to be written as %25"),
            ("%ff%é", "a percent sign in it has to be written as %25"),
            ("%ff", "it is not UTF-8"),
            ("a%C3é", "it is not UTF-8"),
        ] {
            let error = url.decode("part", text).unwrap_err();
            let wanted = format!("store: open: invalid url: part: {why}");
            assert_eq!(error.to_string(), wanted, "{text}");
        }
    }

    #[test]
    fn nothing_is_quoted_once_a_password_has_spread() {
        for url in ["x://ann:pass/word@h", "x://ann:pass?word@h", "x://ann:1/2?word@h"] {
            let parsed = parse(url).unwrap();
            let error = parsed.wrong("part", "it is wrong", Some(parsed.path()));
            assert_eq!(
                error.to_string(),
                "store: open: invalid url: part: it is wrong; a password has its @, /, ? and # as %40, %2F, %3F and %23"
            );
            assert!(!format!("{parsed:?}").contains("word"), "{parsed:?}");
        }
        for (url, is_quoted) in
            [("x://h:65536", true), ("x://ann:65536000", false), ("x://ann:hush", false)]
        {
            let parsed = parse(url).unwrap();
            let error = parsed.host(parsed.hosts()).unwrap_err().to_string();
            assert!(error.contains("port") && error.contains('"') == is_quoted, "{error}");
        }
        let parameters = parse("x://h?secret=hush").unwrap().parameters(&[]).unwrap();
        assert!(!format!("{parameters:?}").contains("hush"), "{parameters:?}");
    }
}
