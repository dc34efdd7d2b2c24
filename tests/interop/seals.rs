//! The sealed and signed cookies of iron-session, better-auth, cookie-session and koa-session: what each package writes is
//! read here, what is written here each package reads, and what is refused here it refuses.

mod better_auth;
mod iron;
mod signed;

use cloakroom_test_support::NodeProgram;
use cloakroom_tests::dice::Dice;
use serde_json::{Value, json};

/// The time that both sides see.
pub(crate) const NOW_MS: i64 = 1_767_225_600_123;

/// The program that runs the packages.
pub(crate) struct Npm(NodeProgram);

impl Npm {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self(NodeProgram::start("seals.mjs", arguments, &[]).unwrap())
    }

    pub(crate) fn ask(&mut self, line: &Value) -> Answer {
        Answer(self.0.call(line).unwrap())
    }
}

/// What a package answered to one request.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl Answer {
    /// The session as JSON text, or the message that the package failed with.
    fn session(&self) -> Result<&str, &str> {
        match (self.0["session"].as_str(), self.0["error"].as_str()) {
            (Some(session), None) => Ok(session),
            (_, Some(error)) => Err(error),
            _ => Err("neither a session nor an error"),
        }
    }

    fn set_cookie(&self) -> Vec<&str> {
        let cookies = self.0["set_cookie"].as_array();
        cookies
            .map(|cookies| cookies.iter().map(|cookie| cookie.as_str().unwrap()).collect())
            .unwrap_or_default()
    }

    /// The `Cookie` header of a browser that received these.
    pub(crate) fn cookie(&self) -> String {
        header(self.set_cookie())
    }
}

/// The `Cookie` header of a browser that received these `Set-Cookie` values.
fn header<'a>(set_cookie: impl IntoIterator<Item = &'a str>) -> String {
    let pairs = set_cookie.into_iter().map(|cookie| cookie.split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

/// Always the same numbers, unless `SEED` asks for others.
fn seed() -> Dice {
    Dice::new(std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap()))
}

/// A session with members of all kinds.
fn random_session(dice: &mut Dice) -> Value {
    let texts = ["", "ann", "Zoë 😀", "\u{2028}<b>&\"\\", "0", "a=b; c", "\u{1}\n"];
    let names = ["user", "2", "10", "ü", "a b", "deep", "n", "\"", "😀"];
    let mut session = serde_json::Map::new();
    for _ in 0..dice.below(6) {
        let text = dice.pick(&texts);
        let number = dice.below(1 << 20);
        let value = [
            json!(text),
            json!(number),
            json!(number as f64 + 0.125),
            json!(-1e21),
            json!(null),
            json!([{ "a": [text] }, true]),
        ];
        session.insert(dice.pick(&names).to_owned(), dice.pick(&value));
    }
    Value::Object(session)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A cookie that is changed in one place: another character, one less, or a part that is cut off.
fn damaged(dice: &mut Dice, cookie: &str, from: usize) -> String {
    let place = from + dice.below(cookie.len() - from);
    let (before, after) = cookie.split_at(place);
    match dice.below(3) {
        0 => format!("{before}{}", &after[1..]),
        1 => before.to_owned(),
        _ => format!("{before}{}{}", if after.starts_with('A') { 'B' } else { 'A' }, &after[1..]),
    }
}
