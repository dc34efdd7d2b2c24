//! The `Cookie` request header, as npm's cookie 0.7.2 reads it for express-session.

use std::borrow::Cow;

use crate::decode_uri_component;

/// Returns the decoded value of the first cookie called `name`, or `None` if the header has no such cookie.
///
/// Express uses the first one as well, even if it is empty or its signature is wrong.
///
/// ```
/// use cloakroom_core::find_cookie;
///
/// let header = b"theme=dark; connect.sid=s%3Aabc.mac; connect.sid=other";
/// assert_eq!(find_cookie(header, "connect.sid").as_deref(), Some("s:abc.mac"));
/// assert_eq!(find_cookie(header, "Theme"), None);
/// ```
#[must_use]
pub fn find_cookie<'a>(header: &'a [u8], name: &'a str) -> Option<Cow<'a, str>> {
    CookieParser::new().values(header, name).next()
}

/// Parses `Cookie` headers as npm's cookie package does.
///
/// The header is bytes, and each byte is one character, U+0000 to U+00FF, because Node.js reads headers as Latin-1.
/// Join several `Cookie` lines with `; ` before you parse them.
///
/// - `;` separates cookies, even inside quotes. A segment without `=` is skipped. Spaces and tabs around names and values
///   are removed.
/// - A pair of double quotes around a value is removed.
/// - The value is decoded once, as by `decodeURIComponent`. If that fails, it stays undecoded.
///
/// Parsing never fails: segments that are not cookies are skipped, and any name is accepted.
///
/// ```
/// use cloakroom_core::CookieParser;
///
/// let header = b"a=1; b=\"x%20y\"; a=2";
/// let pairs: Vec<_> = CookieParser::new().pairs(header).collect();
/// assert_eq!(pairs, [("a".into(), "1".into()), ("b".into(), "x y".into()), ("a".into(), "2".into())]);
///
/// let all: Vec<_> = CookieParser::new().values(header, "a").collect();
/// assert_eq!(all, ["1", "2"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieParser {
    unquote: bool,
}

impl Default for CookieParser {
    fn default() -> Self {
        Self::new()
    }
}

impl CookieParser {
    /// Creates a parser that works as cookie 0.7.2, which express-session 1.18.1 to 1.19.0 use.
    #[must_use]
    pub const fn new() -> Self {
        Self { unquote: true }
    }

    /// Sets whether quotes around a value are removed. Pass `false` for cookie 1.x and express-session 2, which keep
    /// them.
    #[must_use]
    pub const fn with_unquote(mut self, unquote: bool) -> Self {
        self.unquote = unquote;
        self
    }

    /// Returns the names and decoded values of all cookies in order, including repeated names. Express uses the first of
    /// each name.
    pub fn pairs(self, header: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        segments(header).map(move |(name, value)| (latin1(name), self.decode(value)))
    }

    /// Returns the decoded values of all cookies called `name`, in order.
    pub fn values<'a>(self, header: &'a [u8], name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        segments(header)
            .filter(move |(found, _)| is_name(found, name))
            .map(move |(_, value)| self.decode(value))
    }

    fn decode(self, value: &[u8]) -> Cow<'_, str> {
        let value = match value {
            [b'"', inner @ .., b'"'] if self.unquote => inner,
            // cookie 0.7.2 takes a lone quote for the opening and the closing one.
            [b'"'] if self.unquote => &[],
            plain => plain,
        };
        let text = latin1(value);
        let decoded = decode_uri_component(&text).and_then(|decoded| match decoded {
            Cow::Owned(decoded) => Some(decoded),
            Cow::Borrowed(_) => None,
        });
        decoded.map_or(text, Cow::Owned)
    }
}

/// Returns names and values as written in the header, without the space around them.
fn segments(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    // cookie 0.7.2 returns early for headers shorter than two characters: `=` is not a cookie, while `;=` is one without a
    // name.
    let header = if header.len() < 2 { &[] } else { header };
    let mut rest = Some(header);
    let split = std::iter::from_fn(move || {
        let all = rest?;
        let end = memchr::memchr(b';', all);
        rest = end.map(|end| &all[end + 1..]);
        Some(end.map_or(all, |end| &all[..end]))
    });
    split.filter_map(|segment| {
        let at = memchr::memchr(b'=', segment)?;
        Some((trim(&segment[..at]), trim(&segment[at + 1..])))
    })
}

/// Compares a name of bytes that are characters with a text.
fn is_name(found: &[u8], name: &str) -> bool {
    if name.is_ascii() {
        return found == name.as_bytes();
    }
    found.iter().copied().map(char::from).eq(name.chars())
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, and the name and value of the cookie in it.
    type Row = (&'static [u8], Option<(&'static str, &'static str)>);

    /// What cookie 0.7.2 gives for a header of one cookie.
    #[rustfmt::skip]
    const SINGLE: &[Row] = &[
        (b"", None),
        (b"a", None),
        (b"=", None),
        (b";", None),
        (b"a=", Some(("a", ""))),
        (b"=a", Some(("", "a"))),
        (b";=", Some(("", ""))),
        (b"==", Some(("", "="))),
        (b"\ta\t=\t1\t", Some(("a", "1"))),
        (b"a=\"1\"", Some(("a", "1"))),
        (b"a=\"", Some(("a", ""))),
        (b"a=\"\"", Some(("a", ""))),
        (b"a=\"1", Some(("a", "\"1"))),
        (b"a=1\"", Some(("a", "1\""))),
        (b"a=\" 1 \"", Some(("a", " 1 "))),
        (b"a=\"%22\"", Some(("a", "\""))),
        (b"a='1'", Some(("a", "'1'"))),
        (b"a=%20", Some(("a", " "))),
        (b"a=%41%zz", Some(("a", "%41%zz"))),
        (b"a=b=c", Some(("a", "b=c"))),
        (b";; a ;b = 2 ;", Some(("b", "2"))),
        (b"a=1,b=2", Some(("a", "1,b=2"))),
        (b"a=+", Some(("a", "+"))),
        (b"a=\xe9%C3%A9", Some(("a", "\u{e9}\u{e9}"))),
        (b"a=\xe9%E9", Some(("a", "\u{e9}%E9"))),
        (b"\xa0a=\xa01\xa0", Some(("\u{a0}a", "\u{a0}1\u{a0}"))),
        (b"__proto__=1", Some(("__proto__", "1"))),
    ];

    #[test]
    fn one_cookie_is_read_as_npm_cookie_reads_it() {
        for (header, pair) in SINGLE {
            let pairs: Vec<_> = CookieParser::new().pairs(header).collect();
            let expected: Vec<_> =
                pair.iter().map(|(name, value)| (Cow::from(*name), Cow::from(*value))).collect();
            assert_eq!(pairs, expected, "{header:?}");
        }
    }

    #[test]
    fn the_first_of_a_name_wins_and_the_others_are_there() {
        let header = b"a=;b=x;a=1; A=3;a=%32";
        assert_eq!(find_cookie(header, "a").as_deref(), Some(""));
        assert_eq!(CookieParser::new().values(header, "a").collect::<Vec<_>>(), ["", "1", "2"]);
        assert_eq!(find_cookie(header, "c"), None);
        assert_eq!(find_cookie(b"\xe9=1", "\u{e9}").as_deref(), Some("1"));
        assert_eq!(find_cookie("é=1".as_bytes(), "é"), None);
    }

    #[test]
    fn quotes_stay_when_told_so() {
        let parser = CookieParser::new().with_unquote(false);
        for (header, value) in
            [(&b"a=\"1\""[..], "\"1\""), (b"a=\"", "\""), (b"a=\"%22\"", "\"\"\"")]
        {
            assert_eq!(parser.values(header, "a").next().as_deref(), Some(value));
        }
    }

    #[test]
    fn plain_values_are_borrowed() {
        assert!(matches!(find_cookie(b"a=b", "a"), Some(Cow::Borrowed("b"))));
        assert!(matches!(find_cookie(b"a=\xe9", "a"), Some(Cow::Owned(_))));
    }
}
