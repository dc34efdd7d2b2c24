//! Converts a session's id to the key of its item, as npm's `memcached` does.

use std::{borrow::Cow, fmt::Write};

use md5::{Digest, Md5};

/// The limit of the server, in bytes, and of npm's `memcached`, which counts UTF-16 units instead.
const LONGEST: usize = 250;

/// The reason why an id cannot have its own item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Character,
    Long,
}

impl Unusable {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Character => {
                "invalid id: the key must not contain white space, control characters or dollar signs"
            }
            Self::Long => "invalid id: the key must not be longer than 250 bytes",
        }
    }
}

/// Returns the key that is sent for what npm calls the full key: namespace, prefix and id.
///
/// A long key is replaced by its digest, so it may contain any character. The limit counts UTF-16 units, as `length`
/// does in JavaScript: another count would put some sessions under keys where Node.js does not look.
pub(crate) fn on_wire(full: &str, compress: bool) -> Result<Cow<'_, str>, Unusable> {
    // A text has no more units than bytes.
    if full.len() > LONGEST && full.encode_utf16().count() > LONGEST {
        return if compress { Ok(Cow::Owned(digest(full))) } else { Err(Unusable::Long) };
    }
    check_characters(full)?;
    // npm sends such a key and gets an error, because few UTF-16 units can be many bytes.
    if full.len() > LONGEST { Err(Unusable::Long) } else { Ok(Cow::Borrowed(full)) }
}

/// Rejects characters that npm's `memcached` rejects or mixes up. It rejects white space. A NUL ends the key at the
/// server, so it reads the session of `a` for `a\0b`. It expands `$`, so `a$$b` is stored as `a$b`.
pub(crate) fn check_characters(text: &str) -> Result<(), Unusable> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'$') {
        return Ok(());
    }
    let clean = !text.chars().any(|c| c == '$' || c.is_ascii_control() || is_js_space(c));
    if clean { Ok(()) } else { Err(Unusable::Character) }
}

/// Returns true if `\s` matches the character in JavaScript (ECMAScript 22.2.2.9, WhiteSpace and LineTerminator).
fn is_js_space(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

fn digest(text: &str) -> String {
    Md5::digest(text).iter().fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_keys_go_as_they_are() {
        for key in ["a", "sess:Pq8x-_Zk3f9JwYc1", "é", "日本語", "%20", "a\u{85}b", "a\u{200b}"]
        {
            assert_eq!(on_wire(key, true).as_deref(), Ok(key));
        }
        assert_eq!(on_wire(&"x".repeat(250), true).as_deref(), Ok(&*"x".repeat(250)));
    }

    #[test]
    fn what_npm_cannot_tell_apart_is_refused() {
        for key in [
            "a b",
            "a\tb",
            "a\n",
            "a\r\nget b",
            "a\0b",
            "\0",
            "a\u{1b}b",
            "a\u{7f}",
            "a$$b",
            "$&",
            "a$'b",
            "a\u{a0}b",
            "a\u{2028}b",
            "\u{feff}a",
            "a\u{3000}b",
            "a\u{2003}b",
        ] {
            assert_eq!(on_wire(key, true), Err(Unusable::Character), "{key:?}");
        }
    }

    #[test]
    fn a_long_key_is_its_digest_whatever_is_in_it() {
        // This is the digest that `md5sum` prints.
        assert_eq!(
            on_wire(&"x".repeat(251), true).as_deref(),
            Ok("9aa112cf3f550372e7ce6446e5befbb9")
        );
        let spaces = on_wire(&" $".repeat(126), true).unwrap().into_owned();
        assert!(spaces.len() == 32 && spaces.bytes().all(|byte| byte.is_ascii_hexdigit()));
        // 126 coats are 252 UTF-16 units; 250 letters `é` are 500 bytes.
        assert_eq!(on_wire(&"🧥".repeat(126), true).unwrap().len(), 32);
        assert_eq!(on_wire(&"x".repeat(251), false), Err(Unusable::Long));
    }

    #[test]
    fn a_key_that_only_npm_takes_for_short_is_refused() {
        assert_eq!(on_wire(&"€".repeat(84), true), Err(Unusable::Long));
        assert!(on_wire(&"€".repeat(83), true).is_ok());
    }
}
