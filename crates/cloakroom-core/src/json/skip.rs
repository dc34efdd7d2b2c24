//! Skips strings, which are most of a record.

/// The byte offset at which the text stops being JSON. It does not quote the text, which is session data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) usize);

pub(super) type Scan<T> = Result<T, Malformed>;

#[inline]
pub(super) fn expect(bytes: &[u8], at: usize, wanted: u8) -> Scan<usize> {
    if bytes.get(at) == Some(&wanted) { Ok(at + 1) } else { Err(Malformed(at)) }
}

/// Skips the string whose opening quote is at `at`.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Scan<usize> {
    let at = expect(bytes, at, b'"')?;
    // Most strings are short. Apart from the rest, this needs so few registers that none is saved.
    match word(bytes, at).map(first_mark) {
        Some(Some((place, b'"'))) => Ok(at + place + 1),
        _ => long_string(bytes, at),
    }
}

/// Skips the rest of a string from `at` on.
#[inline(never)]
fn long_string(bytes: &[u8], mut at: usize) -> Scan<usize> {
    loop {
        let (end, byte) = plain(bytes, at);
        match byte {
            b'"' => return Ok(end + 1),
            b'\\' => at = escape(bytes, end + 1)?,
            _ => return Err(Malformed(end)),
        }
    }
}

/// Returns the offset of the first quote, backslash or control character from `at` on, and that byte. The end of the
/// text counts as a control character.
#[inline]
pub(super) fn plain(bytes: &[u8], mut at: usize) -> (usize, u8) {
    while let Some(word) = word(bytes, at) {
        if let Some((place, byte)) = first_mark(word) {
            return (at + place, byte);
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return (at, byte);
        }
        at += 1;
    }
    (at, 0)
}

/// Returns the eight bytes from `at` on, the first in the lowest bits.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Returns the place in a word of the first quote, backslash or control character, and that byte.
#[inline]
fn first_mark(word: u64) -> Option<(usize, u8)> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES * 0x80;
    // All eight bytes are compared at once. A borrow can mark a byte above a real match by mistake, never one below it,
    // and only the lowest mark is used. Bytes from 0x80 on are part of a character.
    // With bit 1 flipped, a quote is 0x20, a space is not, and control characters stay below both.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    let marks = (quote_or_control | backslash) & !word & HIGHS;
    let shift = marks.trailing_zeros() & !7;
    (marks != 0).then(|| ((shift / 8) as usize, (word >> shift) as u8))
}

/// Not inlined, since that would slow down the many strings without escapes.
#[inline(never)]
fn escape(bytes: &[u8], at: usize) -> Scan<usize> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        // Any four digits, because JSON.stringify writes a lone surrogate for half an emoji (ECMAScript 2019).
        Some(b'u') => match bytes.get(at + 1..at + 5) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 5),
            _ => Err(Malformed(at)),
        },
        _ => Err(Malformed(at)),
    }
}
