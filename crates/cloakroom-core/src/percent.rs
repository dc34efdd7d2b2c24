//! JavaScript's `encodeURIComponent` and `decodeURIComponent`, which cookie values go through.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes as `encodeURIComponent(text)` does: writes every byte of the UTF-8 text as `%XX`, except
/// `A-Z a-z 0-9 - _ . ! ~ * ' ( )`. Borrows the text if it needs no encoding.
///
/// ```
/// assert_eq!(cloakroom_core::encode_uri_component("s:é/+"), "s%3A%C3%A9%2F%2B");
/// ```
#[must_use]
pub fn encode_uri_component(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_bare) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    push_encoded(text, &mut encoded);
    Cow::Owned(encoded)
}

/// Appends what [`encode_uri_component`] returns.
pub(crate) fn push_encoded(text: &str, out: &mut String) {
    let mut rest = text;
    // The byte may be the first of several that make a character, and then each of them is encoded.
    while let Some(place) = rest.bytes().position(|byte| !is_bare(byte)) {
        let (bare, tail) = rest.split_at(place);
        let escaped = tail.find(|char| u8::try_from(char).is_ok_and(is_bare));
        let (escaped, tail) = tail.split_at(escaped.unwrap_or(tail.len()));
        out.push_str(bare);
        for byte in escaped.bytes() {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
        rest = tail;
    }
    out.push_str(rest);
}

fn digit(nibble: u8) -> char {
    char::from(HEX[usize::from(nibble)])
}

/// Decodes as `decodeURIComponent(text)` does. Returns `None` where that throws: if an escape is not two hex digits, or
/// if the decoded bytes are not UTF-8. Borrows the text if it contains no escapes.
///
/// ```
/// use cloakroom_core::decode_uri_component;
///
/// assert_eq!(decode_uri_component("s%3A%c3%A9").as_deref(), Some("s:é"));
/// assert_eq!(decode_uri_component("100%"), None);
/// ```
#[must_use]
pub fn decode_uri_component(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.as_bytes();
    if memchr::memchr(b'%', rest).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(place) = memchr::memchr(b'%', rest) {
        let (plain, escape) = rest.split_at(place);
        let [_, high, low, tail @ ..] = escape else { return None };
        decoded.extend_from_slice(plain);
        decoded.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
        rest = tail;
    }
    decoded.extend_from_slice(rest);
    // Everything between escapes is whole characters, so the result is UTF-8 if and only if each run of escapes is.
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn is_bare(byte: u8) -> bool {
    BARE[usize::from(byte)]
}

const BARE: [bool; 256] = {
    let mut bare = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        bare[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
        byte += 1;
    }
    bare
};

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node.js 20.20.2 gives.
    #[rustfmt::skip]
    const ENCODED: &[(&str, &str)] = &[
        ("", ""),
        ("AZaz09-_.!~*'()", "AZaz09-_.!~*'()"),
        ("a b;c,d\"e\\f%", "a%20b%3Bc%2Cd%22e%5Cf%25"),
        ("s:a.b+/=", "s%3Aa.b%2B%2F%3D"),
        ("\0\u{7f}", "%00%7F"),
        ("héllo", "h%C3%A9llo"),
        ("日本語", "%E6%97%A5%E6%9C%AC%E8%AA%9E"),
        ("😀\u{10ffff}", "%F0%9F%98%80%F4%8F%BF%BF"),
    ];

    /// What Node.js 20.20.2 gives; `None` is a URIError.
    #[rustfmt::skip]
    const DECODED: &[(&str, Option<&str>)] = &[
        ("", Some("")),
        ("a+b", Some("a+b")),
        ("%41%7e%00", Some("A~\0")),
        ("%253A", Some("%3A")),
        ("é%20日", Some("é 日")),
        ("%ef%bf%bf", Some("\u{ffff}")),
        ("%F4%8F%BF%BF", Some("\u{10ffff}")),
        ("%", None),
        ("%4", None),
        ("a%zz", None),
        ("%+1", None),
        ("%é", None),
        ("%C3", None),
        ("%C3é", None),
        ("%C3%C3", None),
        ("%C3A9", None),
        ("%A9", None),
        ("é%A9", None),
        ("%E0%A4%A", None),
        ("%C0%80", None),
        ("%E0%80%80", None),
        ("%ED%A0%80", None),
        ("%F4%90%80%80", None),
        ("%F8%88%80%80%80", None),
        ("%FE%FF", None),
    ];

    #[test]
    fn it_encodes_as_node_does_and_back() {
        for (text, encoded) in ENCODED {
            assert_eq!(encode_uri_component(text), *encoded);
            assert_eq!(decode_uri_component(encoded).as_deref(), Some(*text));
        }
    }

    #[test]
    fn it_decodes_what_node_decodes_and_refuses_the_rest() {
        for (text, decoded) in DECODED {
            assert_eq!(decode_uri_component(text).as_deref(), *decoded, "{text:?}");
        }
    }

    #[test]
    fn nothing_to_do_allocates_nothing() {
        assert!(matches!(encode_uri_component("abc"), Cow::Borrowed("abc")));
        assert!(matches!(decode_uri_component("abcé"), Some(Cow::Borrowed("abcé"))));
    }
}
