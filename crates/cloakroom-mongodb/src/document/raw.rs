//! Reads the elements of a document from its bytes. A document can come from any program with access to the collection,
//! so nothing in it is trusted: each length is checked before it is used.

use std::str;

/// A type of BSON (bsonspec.org, version 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) u8);

impl Kind {
    pub(crate) const DOUBLE: Self = Self(0x01);
    pub(crate) const STRING: Self = Self(0x02);
    pub(crate) const DOCUMENT: Self = Self(0x03);
    pub(crate) const ARRAY: Self = Self(0x04);
    pub(crate) const BINARY: Self = Self(0x05);
    pub(crate) const UNDEFINED: Self = Self(0x06);
    pub(crate) const OBJECT_ID: Self = Self(0x07);
    pub(crate) const BOOLEAN: Self = Self(0x08);
    pub(crate) const DATE: Self = Self(0x09);
    pub(crate) const NULL: Self = Self(0x0a);
    pub(crate) const REGEX: Self = Self(0x0b);
    pub(crate) const DB_POINTER: Self = Self(0x0c);
    pub(crate) const CODE: Self = Self(0x0d);
    pub(crate) const SYMBOL: Self = Self(0x0e);
    pub(crate) const SCOPED_CODE: Self = Self(0x0f);
    pub(crate) const INT32: Self = Self(0x10);
    pub(crate) const TIMESTAMP: Self = Self(0x11);
    pub(crate) const INT64: Self = Self(0x12);
    pub(crate) const DECIMAL128: Self = Self(0x13);
    pub(crate) const MIN_KEY: Self = Self(0xff);
    pub(crate) const MAX_KEY: Self = Self(0x7f);
}

/// The bytes are not a valid document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A value of a document, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) kind: Kind,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// Returns the text of a string, a symbol or code.
    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        let (length, text) = self.bytes.split_first_chunk().ok_or(Malformed)?;
        let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| Malformed)?;
        let text = text.get(..length).ok_or(Malformed)?;
        str::from_utf8(text.strip_suffix(b"\0").ok_or(Malformed)?).map_err(|_| Malformed)
    }

    /// Returns the bytes of a value that has exactly `N`.
    pub(crate) fn fixed<const N: usize>(self) -> Result<[u8; N], Malformed> {
        self.bytes.try_into().map_err(|_| Malformed)
    }

    /// Returns the milliseconds since 1970, or `None` if the value is not a date.
    pub(crate) fn date_ms(self) -> Option<i64> {
        (self.kind == Kind::DATE).then(|| self.fixed().ok().map(i64::from_le_bytes)).flatten()
    }
}

/// Returns the elements of a document or an array, in order.
pub(crate) fn elements(document: &[u8]) -> Result<Elements<'_>, Malformed> {
    let (length, rest) = document.split_first_chunk().ok_or(Malformed)?;
    let whole = usize::try_from(i32::from_le_bytes(*length)) == Ok(document.len());
    match rest.strip_suffix(b"\0") {
        Some(rest) if whole => Ok(Elements { rest }),
        _ => Err(Malformed),
    }
}

/// Returns the first value with this name, or `None` if no element has it.
pub(crate) fn field<'a>(document: &'a [u8], name: &str) -> Result<Option<Value<'a>>, Malformed> {
    elements(document)?
        .find(|element| !matches!(element, Ok((found, _)) if *found != name))
        .transpose()
        .map(|element| element.map(|(_, value)| value))
}

/// The iterator that [`elements`] returns. It ends after an error.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<(&'a str, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.element();
        if element.is_none() {
            self.rest = &[];
        }
        Some(element.ok_or(Malformed))
    }
}

impl<'a> Elements<'a> {
    fn element(&mut self) -> Option<(&'a str, Value<'a>)> {
        let (kind, rest) = self.rest.split_first()?;
        let (name, rest) = cut_text(rest)?;
        let kind = Kind(*kind);
        let (bytes, rest) = rest.split_at_checked(length(kind, rest)?)?;
        self.rest = rest;
        Some((name, Value { kind, bytes }))
    }
}

/// Returns the text before the next NUL, and the bytes after it.
fn cut_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// Returns the length of the value at the start of `bytes`, or `None` if its type is unknown.
fn length(kind: Kind, bytes: &[u8]) -> Option<usize> {
    let said = || usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok();
    match kind {
        Kind::UNDEFINED | Kind::NULL | Kind::MIN_KEY | Kind::MAX_KEY => Some(0),
        Kind::BOOLEAN => Some(1),
        Kind::INT32 => Some(4),
        Kind::DOUBLE | Kind::DATE | Kind::TIMESTAMP | Kind::INT64 => Some(8),
        Kind::OBJECT_ID => Some(12),
        Kind::DECIMAL128 => Some(16),
        Kind::DOCUMENT | Kind::ARRAY | Kind::SCOPED_CODE => said(),
        Kind::STRING | Kind::CODE | Kind::SYMBOL => said()?.checked_add(4),
        Kind::BINARY => said()?.checked_add(5),
        Kind::DB_POINTER => said()?.checked_add(16),
        Kind::REGEX => {
            let (pattern, rest) = cut_text(bytes)?;
            let (options, _) = cut_text(rest)?;
            Some(pattern.len() + options.len() + 2)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_are_malformed_and_never_panic() {
        let whole = b"\x16\0\0\0\x02s\0\x03\0\0\0ab\0\x10n\0\x07\0\0\0\0";
        let read = |bytes: &[u8]| -> Result<Vec<()>, Malformed> {
            elements(bytes)?.map(|element| element.map(drop)).collect()
        };
        assert_eq!(read(whole), Ok(vec![(), ()]));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(Malformed), "{end}");
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.to_vec();
                changed[place] = byte;
                let _ = read(&changed);
            }
        }
        assert_eq!(elements(b"").err(), Some(Malformed));
        assert_eq!(read(b"\x05\0\0\0\0"), Ok(Vec::new()));
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        let whole = b"\x16\0\0\0\x02s\0\x03\0\0\0ab\0\x10n\0\x07\0\0\0\0";
        let number = field(whole, "n").unwrap().unwrap();
        assert_eq!((number.kind, number.bytes), (Kind::INT32, &b"\x07\0\0\0"[..]));
        assert_eq!(field(whole, "s").unwrap().unwrap().text(), Ok("ab"));
        assert_eq!(field(whole, "x"), Ok(None));
    }
}
