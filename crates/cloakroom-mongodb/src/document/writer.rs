//! Writes a document, value by value.

use std::collections::HashMap;

use cloakroom_core::json::{items, unquote};

use super::{DEEPEST, Kind, Value, elements, once::members_once, value::value_to_json};

/// The reason why a text cannot become a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The name of a member contains a NUL, which ends a name in BSON.
    NulInName,
    /// It is nested deeper than MongoDB accepts.
    TooDeep,
    /// It is longer than 2 GiB, the most that BSON can count.
    TooLong,
}

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Appends a value by its bytes.
    pub(super) fn element(&mut self, kind: Kind, name: &str, bytes: &[u8]) -> Result<(), Unfit> {
        self.name(kind, name)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn name(&mut self, kind: Kind, name: &str) -> Result<(), Unfit> {
        if name.contains('\0') {
            return Err(Unfit::NulInName);
        }
        self.0.push(kind.0);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        Ok(())
    }

    /// Appends a document or an array.
    pub(super) fn nested(
        &mut self,
        kind: Kind,
        name: &str,
        fill: impl FnOnce(&mut Self) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        let mut inner = Self::default();
        fill(&mut inner)?;
        self.element(kind, name, &inner.finish()?)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, Unfit> {
        let length = i32::try_from(self.0.len() + 5).map_err(|_| Unfit::TooLong)?;
        Ok([&length.to_le_bytes(), &*self.0, &[0]].concat())
    }

    /// Appends the value of a JSON text, or the value `before` if it prints as this text.
    pub(super) fn convert(
        &mut self,
        name: &str,
        json: &str,
        before: Option<Value<'_>>,
        depth: usize,
    ) -> Result<(), Unfit> {
        if depth > DEEPEST {
            return Err(Unfit::TooDeep);
        }
        if let Some(before) = before
            && value_to_json(before, depth).is_ok_and(|printed| printed == json)
        {
            return self.element(before.kind, name, before.bytes);
        }
        let inside = |kind| {
            let before = before.filter(|before| before.kind == kind);
            before.map(|before| by_name(before.bytes)).unwrap_or_default()
        };
        match json.as_bytes().first() {
            Some(b'{') => {
                let before = inside(Kind::DOCUMENT);
                let members = members_once(json).unwrap_or_default();
                self.nested(Kind::DOCUMENT, name, |out| {
                    members.iter().try_for_each(|(name, value)| {
                        out.convert(name, value, before.get(&**name).copied(), depth + 1)
                    })
                })
            }
            Some(b'[') => {
                let before = inside(Kind::ARRAY);
                let items = items(json).unwrap_or_default();
                self.nested(Kind::ARRAY, name, |out| {
                    items.iter().enumerate().try_for_each(|(place, value)| {
                        let name = place.to_string();
                        out.convert(&name, value, before.get(&*name).copied(), depth + 1)
                    })
                })
            }
            Some(b'"') => {
                let text = unquote(json).unwrap_or_default();
                let length = i32::try_from(text.len() + 1).map_err(|_| Unfit::TooLong)?;
                self.element(
                    Kind::STRING,
                    name,
                    &[&length.to_le_bytes(), text.as_bytes(), &[0]].concat(),
                )
            }
            Some(b't') => self.element(Kind::BOOLEAN, name, &[1]),
            Some(b'f') => self.element(Kind::BOOLEAN, name, &[0]),
            Some(b'n') | None => self.element(Kind::NULL, name, &[]),
            Some(_) => self.number(name, json.parse().unwrap_or(f64::NAN)),
        }
    }

    /// Appends a number as npm's bson does: as a 32-bit integer if it is one, otherwise, and for -0, as a double.
    fn number(&mut self, name: &str, number: f64) -> Result<(), Unfit> {
        let integer = number as i32;
        if f64::from(integer).to_bits() == number.to_bits() {
            self.element(Kind::INT32, name, &integer.to_le_bytes())
        } else {
            self.element(Kind::DOUBLE, name, &number.to_le_bytes())
        }
    }
}

/// The values of a document by name.
pub(super) fn by_name(document: &[u8]) -> HashMap<&str, Value<'_>> {
    elements(document).into_iter().flatten().map_while(Result::ok).collect()
}
