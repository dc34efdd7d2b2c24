//! The option `--where`: picks sessions by what is in them.

use std::collections::HashMap;

use cloakroom::SessionData;
use serde_json::{Value, value::RawValue};

use crate::failure::Failure;

/// All conditions must hold.
#[derive(Debug)]
pub(crate) struct Filter(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    /// The names from the session inwards.
    path: Vec<String>,
    text: String,
    /// Whether the value is JSON.
    is_json: bool,
}

impl Filter {
    pub(crate) fn new(conditions: &[String]) -> Result<Self, Failure> {
        conditions.iter().map(|text| condition(text)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn picks(&self, session: &SessionData) -> bool {
        self.0.iter().all(|condition| condition.holds(session))
    }
}

fn condition(text: &str) -> Result<Condition, Failure> {
    // The value can be a user's name, so it is not quoted.
    let wrong = || Failure::usage("invalid --where: must be MEMBER=VALUE, as in passport.user=42");
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(wrong());
    }
    let is_json = serde_json::from_str::<Value>(value).is_ok();
    Ok(Condition { path, text: value.to_owned(), is_json })
}

impl Condition {
    fn holds(&self, session: &SessionData) -> bool {
        let Some((first, inner)) = self.path.split_first() else { return false };
        let Some(json) = session.get_json(first) else { return false };
        let Some(json) = inner.iter().try_fold(json, |json, name| member(json, name)) else {
            return false;
        };
        json == self.text
            || serde_json::from_str::<String>(json).is_ok_and(|text| text == self.text)
            || (self.is_json && is_same(&self.text, json))
    }
}

/// Returns the text of a member of an object, or of an item of an array.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        return items.get(name.parse::<usize>().ok()?).map(|item| item.get());
    }
    let members: HashMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    members.get(name).map(|member| member.get())
}

/// Returns true if two JSON texts have the same value. The condition's is valid, so it is not deep.
fn is_same(condition: &str, json: &str) -> bool {
    let members = |text| serde_json::from_str::<HashMap<String, &RawValue>>(text);
    let items = |text| serde_json::from_str::<Vec<&RawValue>>(text);
    if let (Ok(wanted), Ok(found)) = (members(condition), members(json)) {
        return wanted.len() == found.len()
            && wanted.iter().all(|(name, wanted)| {
                found.get(name).is_some_and(|found| is_same(wanted.get(), found.get()))
            });
    }
    if let (Ok(wanted), Ok(found)) = (items(condition), items(json)) {
        let mut pairs = wanted.iter().zip(&found);
        return wanted.len() == found.len()
            && pairs.all(|(wanted, found)| is_same(wanted.get(), found.get()));
    }
    let value = |text| serde_json::from_str::<Value>(text).ok();
    match (value(condition), value(json)) {
        // An integer of more than 64 bits, which became a float and lost its last digits.
        (Some(Value::Number(wanted)), _) if wanted.is_f64() && is_integer(condition) => {
            condition.trim() == json
        }
        (wanted, found) => wanted.is_some() && wanted == found,
    }
}

fn is_integer(json: &str) -> bool {
    !json.contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_path_and_a_value() {
        let text = r#"{"cookie":{"path":"/"},"passport":{"user":42},"name":"ann","id":"42","roles":["a","b"],"big":12345678901234567890,"half":"\ud83d","admin":true,"none":null,"huge":{"user":123456789012345678901},"list":[1,{"a":2.50}]}"#;
        let session = SessionData::from_json(text).unwrap();
        for (condition, holds) in [
            ("passport.user=42", true),
            ("passport.user=4", false),
            ("passport.user=\"42\"", false),
            ("passport={\"user\":42}", true),
            ("name=ann", true),
            ("name=\"ann\"", true),
            ("name=an", false),
            ("id=42", true),
            ("roles.1=b", true),
            ("roles.2=b", false),
            ("roles.x=b", false),
            ("big=12345678901234567890", true),
            ("half=x", false),
            ("huge.user=123456789012345678901", true),
            ("huge.user=123456789012345678902", false),
            ("huge={\"user\":123456789012345678901}", true),
            ("huge={ \"user\": 123456789012345678901 }", true),
            ("huge={\"user\":123456789012345678902}", false),
            ("huge.user=1.23456789012345678901e20", true),
            ("list=[1, {\"a\":2.5}]", true),
            ("list=[1]", false),
            ("list.1.a=2.5", true),
            ("list.1={}", false),
            ("admin=true", true),
            ("none=null", true),
            ("cookie.path=/", true),
            ("missing=1", false),
            ("name.first=ann", false),
        ] {
            let filter = Filter::new(&[condition.to_owned()]).unwrap();
            assert_eq!(filter.picks(&session), holds, "{condition}");
        }
        let both = ["name=ann".to_owned(), "admin=false".to_owned()];
        assert!(!Filter::new(&both).unwrap().picks(&session));
        for wrong in ["", "name", "=1", "a..b=1", ".a=1"] {
            assert!(Filter::new(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
