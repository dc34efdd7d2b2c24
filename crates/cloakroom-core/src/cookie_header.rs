//! The `Cookie` request header, as npm's cookie 0.7.2 reads it for express-session.

use std::borrow::Cow;

use crate::decode_uri_component;

/// The first cookie called `name`, decoded: the one that Express takes, even if it is empty or badly signed.
/// `None` when there is none of this name.
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

/// How a `Cookie` header is read.
///
/// The header is bytes, and each byte is a character, U+0000 to U+00FF, because Node.js reads headers as Latin-1.
/// Several `Cookie` lines count as one, joined with `; `.
///
/// - `;` separates, quotes or not; a segment without `=` is skipped; space and tab around name and value go.
/// - One pair of double quotes around the value goes, if both are there.
/// - The value is decoded as by `decodeURIComponent`, once; if that fails it stays as it is.
///
/// Nothing is refused: what is no cookie is skipped, and names are whatever stands there.
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
    /// The parser of cookie 0.7.2, which express-session 1.18.1 to 1.19.0 use.
    #[must_use]
    pub const fn new() -> Self {
        Self { unquote: true }
    }

    /// Whether quotes around a value go. Cookie 1.x and express-session 2 keep them: pass `false` for that.
    #[must_use]
    pub const fn with_unquote(mut self, unquote: bool) -> Self {
        self.unquote = unquote;
        self
    }

    /// All cookies in order, names that come twice too: name and decoded value.
    ///
    /// Express sees the first of each name.
    pub fn pairs(self, header: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        segments(header).map(move |(name, value)| (latin1(name), self.decode(value)))
    }

    /// The decoded values of all cookies called `name`, in order.
    pub fn values<'a>(self, header: &'a [u8], name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        segments(header)
            .filter(move |(found, _)| found.iter().copied().map(char::from).eq(name.chars()))
            .map(move |(_, value)| self.decode(value))
    }

    fn decode(self, value: &[u8]) -> Cow<'_, str> {
        let value = match value {
            [b'"', inner @ .., b'"'] if self.unquote => inner,
            // A single quote is the opening and the closing one to cookie 0.7.2.
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

/// Names and values as they stand in the header, without the space around them.
fn segments(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    // Cookie 0.7.2 takes `=` alone for nothing, but `;=` for a cookie without a name.
    let header = if header.len() < 2 { &[] } else { header };
    header.split(|byte| *byte == b';').filter_map(|segment| {
        let at = memchr::memchr(b'=', segment)?;
        Some((trim(&segment[..at]), trim(&segment[at + 1..])))
    })
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
