//! Reads the two formats of JavaScript's dates.

use super::{DAY_MS, MONTHS, WEEKDAYS, midnight};

/// Reads ECMAScript's ISO format.
pub(super) fn iso(text: &str) -> Option<i64> {
    let mut text = Reader(text.as_bytes());
    let year = match text.0.first()? {
        b'+' => text.skip(1).digits(6)?,
        // ECMAScript forbids the year -000000 (21.4.1.32.1).
        b'-' => -text.skip(1).digits(6).filter(|year| *year != 0)?,
        _ => text.digits(4)?,
    };
    let mut month = 1;
    let mut day = 1;
    if text.eat(b"-").is_some() {
        month = text.digits(2).filter(|month| (1..=12).contains(month))?;
        if text.eat(b"-").is_some() {
            day = text.digits(2).filter(|day| (1..=31).contains(day))?;
        }
    }
    let mut ms = midnight(year, month, day);
    if text.eat(b"T").is_some() {
        ms += text.time(false)?;
        ms -= text.offset()?;
    }
    text.0.is_empty().then_some(ms)
}

/// Reads what `toUTCString` prints.
pub(super) fn utc(text: &str) -> Option<i64> {
    let mut text = Reader(text.as_bytes());
    text.one_of(&WEEKDAYS)?;
    text.eat(b", ")?;
    let day = text.digits(2).filter(|day| (1..=31).contains(day))?;
    text.eat(b" ")?;
    let month = text.one_of(&MONTHS)? as i64 + 1;
    text.eat(b" ")?;
    let width = text.width();
    if !(4..=6).contains(&width) {
        return None;
    }
    let year = match text.digits(width)? {
        year @ 0..50 => year + 2000,
        year @ 50..100 => year + 1900,
        year => year,
    };
    text.eat(b" ")?;
    let ms = midnight(year, month, day) + text.time(true)?;
    (text.0 == b" GMT").then_some(ms)
}

/// The rest of the text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn skip(&mut self, count: usize) -> &mut Self {
        self.0 = &self.0[count..];
        self
    }

    fn eat(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Counts the digits that come next.
    fn width(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// Reads a number of `count` digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.0.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        self.skip(count);
        Some(digits.iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0')))
    }

    /// Reads one of the names and returns its index.
    fn one_of(&mut self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| self.eat(name.as_bytes()).is_some())
    }

    /// Reads `22:13`, `22:13:20` or `22:13:20.5`, in milliseconds. With `whole_seconds`, reads only `22:13:20`.
    fn time(&mut self, whole_seconds: bool) -> Option<i64> {
        let (hour, minute) = self.hour_and_minute(24)?;
        let mut ms = hour * 3_600_000 + minute * 60_000;
        if self.eat(b":").is_some() {
            ms += self.digits(2).filter(|second| *second < 60)? * 1_000;
        } else if whole_seconds {
            return None;
        } else {
            return Some(ms).filter(|ms| *ms <= DAY_MS);
        }
        if !whole_seconds && self.eat(b".").is_some() {
            let (fraction, rest) = self.0.split_at(self.width());
            if fraction.is_empty() || hour == 24 && fraction.iter().any(|digit| *digit != b'0') {
                return None;
            }
            for (digit, place) in fraction.iter().zip([100, 10, 1]) {
                ms += i64::from(digit - b'0') * place;
            }
            self.0 = rest;
        }
        (ms <= DAY_MS).then_some(ms)
    }

    /// Reads `Z`, `+01:00` or nothing, in milliseconds.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            None => return Some(0),
            Some(b'Z') => {
                self.skip(1);
                return Some(0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        let (hour, minute) = self.skip(1).hour_and_minute(23)?;
        Some(sign * (hour * 3_600_000 + minute * 60_000))
    }

    fn hour_and_minute(&mut self, last_hour: i64) -> Option<(i64, i64)> {
        let hour = self.digits(2).filter(|hour| *hour <= last_hour)?;
        self.eat(b":")?;
        Some((hour, self.digits(2).filter(|minute| *minute < 60)?))
    }
}
