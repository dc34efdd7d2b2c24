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
    let Some(first) = text.bytes().position(|byte| !is_bare(byte)) else {
        return Cow::Borrowed(text);
    };
    let mut encoded = String::with_capacity(text.len() + 16);
    encoded.push_str(&text[..first]);
    for byte in text.bytes().skip(first) {
        if is_bare(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    Cow::Owned(encoded)
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
    let Some(first) = memchr::memchr(b'%', text.as_bytes()) else {
        return Some(Cow::Borrowed(text));
    };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text.as_bytes()[..first]);
    let mut rest = &text.as_bytes()[first..];
    while let [byte, tail @ ..] = rest {
        if *byte == b'%' {
            let [high, low, tail @ ..] = tail else { return None };
            decoded.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
            rest = tail;
        } else {
            decoded.push(*byte);
            rest = tail;
        }
    }
    // Everything between escapes is whole characters, so the result is UTF-8 if and only if each run of escapes is.
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn is_bare(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
        || byte.is_ascii_alphanumeric()
}

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
