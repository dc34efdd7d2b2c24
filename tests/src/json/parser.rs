//! Reading JSON as `JSON.parse` does.

use super::{Json, NotJson, Text};

/// The deepest nesting that is read, far more than any fixture has.
const DEPTH: usize = 512;

/// What is left of the text, and how far it was read.
pub(super) struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0 }
    }

    /// The value that the whole text is.
    pub(super) fn whole(mut self) -> Result<Json, NotJson> {
        self.value(0).filter(|_| self.at == self.text.len()).ok_or(NotJson(self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, expected: &str) -> Option<()> {
        self.text[self.at..].starts_with(expected.as_bytes()).then(|| self.at += expected.len())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// A value with the space around it.
    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        let value = match self.peek()? {
            b'n' => self.eat("null").map(|()| Json::Null)?,
            b't' => self.eat("true").map(|()| Json::Bool(true))?,
            b'f' => self.eat("false").map(|()| Json::Bool(false))?,
            b'"' => Json::String(self.string()?),
            b'[' => Json::Array(self.sequence(b']', |parser| parser.value(depth + 1))?),
            b'{' => Json::object(self.sequence(b'}', |parser| parser.member(depth + 1))?),
            _ => Json::Number(self.number()?),
        };
        self.space();
        Some(value)
    }

    fn member(&mut self, depth: usize) -> Option<(Text, Json)> {
        self.space();
        let name = self.string()?;
        self.space();
        self.eat(":")?;
        Some((name, self.value(depth)?))
    }

    /// What stands between the brackets, separated by commas.
    fn sequence<T>(&mut self, close: u8, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.at += 1;
        self.space();
        let mut items = Vec::new();
        if self.peek()? != close {
            loop {
                items.push(item(self)?);
                if self.eat(",").is_none() {
                    break;
                }
            }
        }
        (self.peek()? == close).then(|| self.at += 1)?;
        Some(items)
    }

    fn string(&mut self) -> Option<Text> {
        self.eat("\"")?;
        let mut units = Vec::new();
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..b' ') {
                self.at += 1;
            }
            units.extend(std::str::from_utf8(&self.text[start..self.at]).ok()?.encode_utf16());
            match self.peek()? {
                b'"' => break,
                b'\\' => units.push(self.escape()?),
                _ => return None,
            }
        }
        self.at += 1;
        Some(Text(units))
    }

    fn escape(&mut self) -> Option<u16> {
        self.at += 2;
        Some(match self.text.get(self.at - 1)? {
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'f' => 12,
            b'r' => 13,
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4)?;
                self.at += 4;
                let digits = std::str::from_utf8(digits).ok()?;
                return u16::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
            }
            plain @ (b'"' | b'\\' | b'/') => u16::from(*plain),
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<f64> {
        let start = self.at;
        let _minus = self.eat("-");
        if self.eat("0").is_none() {
            self.digits()?;
        }
        if self.eat(".").is_some() {
            self.digits()?;
        }
        if self.eat("e").or_else(|| self.eat("E")).is_some() {
            let _sign = self.eat("+").or_else(|| self.eat("-"));
            self.digits()?;
        }
        std::str::from_utf8(&self.text[start..self.at]).ok()?.parse().ok()
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}
