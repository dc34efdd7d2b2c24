//! The options and the version of a set of sessions.

use crate::json::Json;

const DAY_MS: i64 = 86_400_000;

/// The facts that follow from the options of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) document: bool,
    pub(super) touch_after_s: u64,
    pub(super) ttl_s: Option<u64>,
    pub(super) timestamps: bool,
}

impl Options {
    /// Parses the options from a text such as `"stringify:false, ttl:60"`, or from an object. Returns `None` for an
    /// unknown option.
    pub(super) fn parse(json: &Json) -> Option<Self> {
        let mut options = Self::default();
        match json {
            Json::Object(members) => {
                for (name, value) in members {
                    let text = value.text().unwrap_or_else(|| value.stringify());
                    options.set(&name.to_str()?, &text)?;
                }
            }
            Json::Null => {}
            text => {
                for (name, value) in words(&text.text()?)? {
                    options.set(&name, &value)?;
                }
            }
        }
        Some(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let flag = || match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        match name {
            "stringify" => self.document = !flag()?,
            "touchAfter" => self.touch_after_s = value.parse().ok()?,
            "ttl" => self.ttl_s = Some(value.parse().ok()?),
            "timestamps" => self.timestamps = flag()?,
            // These options affect neither a document nor what is read from it.
            "autoRemove"
            | "autoRemoveInterval"
            | "collectionName"
            | "collection"
            | "dbName"
            | "writeOperationOptions" => {}
            _ => return None,
        }
        Some(())
    }

    /// Returns true if a document contains the time of the write, from a clock that was not fixed.
    pub(super) fn has_times(self) -> bool {
        self.touch_after_s > 0 || self.timestamps
    }

    pub(super) fn ttl_ms(self) -> i64 {
        self.ttl_s.map_or(14 * DAY_MS, |seconds| seconds as i64 * 1_000)
    }

    /// Returns the names of a document's fields, which an upsert with `$set` sorts.
    pub(super) fn fields(self) -> Vec<&'static str> {
        let there = |name: &&str| match *name {
            "createdAt" | "updatedAt" => self.timestamps,
            "lastModified" => self.touch_after_s > 0,
            _ => true,
        };
        ["_id", "createdAt", "expires", "lastModified", "session", "updatedAt"]
            .into_iter()
            .filter(there)
            .collect()
    }
}

/// Parses pairs of names and values. Text in parentheses is a remark.
fn words(text: &str) -> Option<Vec<(String, String)>> {
    let mut plain = String::new();
    let mut remarks = 0;
    for char in text.chars() {
        match char {
            '(' => remarks += 1,
            ')' => remarks -= 1,
            _ if remarks > 0 => {}
            '{' | '}' | '"' | '\'' | ',' | ';' | '&' | '+' => plain.push(' '),
            '=' => plain.push(':'),
            other => plain.push(other),
        }
    }
    let plain = plain.replace(": ", ":");
    let mut pairs = Vec::new();
    for word in plain.split_whitespace() {
        let (name, value) = word.split_once(':')?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Some(pairs)
}

/// A version of connect-mongo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32);

impl Version {
    pub(super) const fn of_major(major: u32) -> Self {
        Self(major)
    }

    /// Parses a version such as `"connect-mongo 5.1.0"`.
    pub(super) fn parse(store: &Json) -> Option<Self> {
        let label = store.get("store")?.text()?;
        Some(Self(label.strip_prefix("connect-mongo ")?.split('.').next()?.parse().ok()?))
    }

    /// Returns true if its driver has version 3 or 4.
    pub(super) fn driver_is_old(self) -> bool {
        self < Self(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_options_are_read_in_any_form() {
        let all =
            Options { document: true, touch_after_s: 3_600, ttl_s: Some(60), timestamps: true };
        for text in [
            r#""stringify:false, touchAfter:3600, ttl:60, timestamps:true""#,
            r#""stringify:false touchAfter:3600 ttl:60 timestamps:true""#,
            r#""{ stringify: false, touchAfter: 3600, ttl: 60, timestamps: true }""#,
            r#""stringify=false&touchAfter=3600&ttl=60&timestamps=true (all of them)""#,
            r#"{"stringify":false,"touchAfter":3600,"ttl":60,"timestamps":true,"autoRemove":"disabled"}"#,
        ] {
            assert_eq!(Options::parse(&Json::parse(text).unwrap()), Some(all), "{text}");
        }
        assert_eq!(
            Options::parse(&Json::from("stringify:true (default)")),
            Some(Options::default())
        );
        for text in ["stringify:maybe", "ttl:soon", "stringify", "unknown:1"] {
            assert_eq!(Options::parse(&Json::from(text)), None, "{text}");
        }
    }
}
