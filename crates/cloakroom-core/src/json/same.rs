//! Compares JSON texts by what JavaScript reads in them.
//!
//! Token by token, because a comparison that recurses would overflow the stack on a value with deep nesting, and one that
//! takes each level apart anew would take quadratic time.

use std::{borrow::Cow, iter};

use super::{
    scan::{self, number, space},
    skip::string,
    string::canonical,
};

/// What a JSON text consists of, without the white space.
#[derive(PartialEq)]
enum Token<'a> {
    /// A bracket, a colon, a comma, or the first letter of `true`, `false` or `null`.
    Mark(u8),
    Number(f64),
    /// A string as `JSON.stringify` writes it, so that two halves of different surrogate pairs differ.
    Text(Cow<'a, str>),
}

/// Returns true if both are JSON texts of the same value.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let are_json = scan::check_value(a).is_ok() && scan::check_value(b).is_ok();
    are_json && tokens(a).eq(tokens(b))
}

/// Returns the tokens of a text that the scanner has accepted.
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    iter::from_fn(move || {
        let start = space(bytes, at);
        let token;
        (at, token) = match *bytes.get(start)? {
            b'"' => {
                let end = string(bytes, start).ok()?;
                (end, Token::Text(canonical(&text[start + 1..end - 1])))
            }
            b'-' | b'0'..=b'9' => {
                let end = number(bytes, start).ok()?;
                (end, Token::Number(text[start..end].parse().ok()?))
            }
            mark @ (b't' | b'n') => (start + "true".len(), Token::Mark(mark)),
            mark @ b'f' => (start + "false".len(), Token::Mark(mark)),
            mark => (start + 1, Token::Mark(mark)),
        };
        Some(token)
    })
}
