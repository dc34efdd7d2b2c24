//! Sections `parse` and `serialize`: npm's `cookie` alone.

use std::borrow::Cow;

use cloakroom_core::{Cookie, CookieParser, set_cookie};

use super::{
    super::{
        Outcome,
        express_cookie::{assign, options},
        not_applicable,
        notation::header_bytes,
        report::Checks,
    },
    differences,
};
use crate::json::{Json, Text};

/// A name that cookie 0.7.2 loses, because it cannot be a member of a plain object.
const LOST_NAME: &str = "__proto__";

/// Checks the header as cookie 0.7.2 reads it, and as 1.1.1 reads it if the vector contains the difference.
pub(super) fn parse(row: &Json) -> Option<Outcome> {
    let header = header_bytes(&row.get("header")?.text()?)?;
    let expected = row.get("expect")?;
    let pairs = first_of_each(CookieParser::new().pairs(&header));
    let has_lost_name = pairs.iter().any(|(name, _)| name == LOST_NAME);
    let kept = pairs.into_iter().filter(|(name, _)| name != LOST_NAME).collect();
    let mut checks = Checks::default();
    checks.equal("pairs of cookie 0.7.2", expected, &entries(kept));

    let newer = row.get("differs").and_then(|differs| differs.get("1.1.1")).unwrap_or(expected);
    let pairs = first_of_each(CookieParser::new().with_unquote(false).pairs(&header));
    checks.equal("pairs of cookie 1.1.1", newer, &entries(pairs));
    let passed = if has_lost_name { differences::COOKIE_OF_ANY_NAME } else { Outcome::Passed };
    Some(checks.outcome_or(passed))
}

type Pairs = Vec<(Text, Json)>;

fn first_of_each<'a>(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Pairs {
    let mut first = Pairs::new();
    for (name, value) in pairs {
        if !first.iter().any(|(known, _)| known == &*name) {
            first.push(((&*name).into(), (&*value).into()));
        }
    }
    first
}

/// Returns `Object.entries` of an object with these members.
fn entries(pairs: Pairs) -> Json {
    let pair = |(name, value)| Json::Array(vec![Json::String(name), value]);
    Json::Array(Json::object(pairs).members().iter().cloned().map(pair).collect())
}

pub(super) fn serialize(row: &Json) -> Option<Outcome> {
    let (name, value) = (row.get("name")?.text()?, row.get("value")?.text()?);
    let options = options(row.get("options")?);
    if let Some(reason) = not_applicable::of_options(&options) {
        return Some(Outcome::NotApplicable(reason));
    }
    let mut cookie = Cookie::from_json("{}")?;
    for (name, value) in &options {
        assign(&mut cookie, name, value, 0).ok()?;
    }
    let expected = row.get("expect")?;
    let mut checks = Checks::default();
    match (set_cookie(&name, &value, &cookie), expected.get("error")) {
        (Ok(text), _) => checks.equal("text", expected, &Json::from(&*text)),
        (Err(error), None) => checks.equal("text", expected.stringify(), error.to_string()),
        (Err(error), Some(expected)) => checks.refusal(&expected.text()?, &error),
    }
    Some(checks.outcome())
}
