//! The option `--where`: picks sessions by what is in them.

use cloakroom::SessionData;
use serde_json::Value;

use crate::failure::Failure;

/// All conditions must hold.
#[derive(Debug)]
pub(crate) struct Filter(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    /// The names from the session inwards.
    path: Vec<String>,
    text: String,
    /// The value as JSON, if it is some.
    json: Option<Value>,
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
    Ok(Condition { path, text: value.to_owned(), json: serde_json::from_str(value).ok() })
}

impl Condition {
    fn holds(&self, session: &SessionData) -> bool {
        let Some((first, inner)) = self.path.split_first() else { return false };
        let Some(json) = session.get_json(first) else { return false };
        if inner.is_empty() && json == self.text {
            return true;
        }
        let Ok(value) = serde_json::from_str::<Value>(json) else { return false };
        let mut value = &value;
        for name in inner {
            let next = match value {
                Value::Array(items) => name.parse::<usize>().ok().and_then(|at| items.get(at)),
                value => value.get(name),
            };
            let Some(next) = next else { return false };
            value = next;
        }
        value.as_str() == Some(&self.text) || self.json.as_ref() == Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_path_and_a_value() {
        let text = r#"{"cookie":{"path":"/"},"passport":{"user":42},"name":"ann","id":"42","roles":["a","b"],"big":12345678901234567890,"half":"\ud83d","admin":true,"none":null}"#;
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
