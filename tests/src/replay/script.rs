//! What the JavaScript code in a fixture creates or does, as Node.js describes it, so that Rust can do the same.

mod session;
mod value;

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use cloakroom_test_support::NodeProgram;

pub(super) use self::{
    session::{CookieKind, Described},
    value::Given,
};
use crate::json::Json;

/// A Node.js that runs `tests/node/describe.mjs`.
pub(super) struct Script(NodeProgram);

/// The reason why code was not described.
#[derive(Clone, Debug)]
pub(super) enum Undescribed {
    /// It refers to a name that the fixture does not define.
    Unbound,
    /// Node.js does not answer, or cannot run the code.
    Failed(String),
}

/// One thing that a handler does to a session.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sets a member. The last field is what `JSON.stringify` throws for the value.
    Set(String, Given, Option<String>),
    Delete(String),
    /// Sets a member of the cookie.
    Cookie(String, Given),
    /// Extends the cookie, as at the end of a request.
    Touch,
}

/// What a handler does to a session.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// The message of the error that it finally threw.
    pub(super) throws: Option<String>,
}

impl Script {
    pub(super) fn start() -> Result<Self, String> {
        NodeProgram::start("describe.mjs", &[], &[]).map(Self).map_err(|error| error.to_string())
    }

    /// Returns the session that a function of express-session returns.
    pub(super) fn session(
        &mut self,
        code: &str,
        scope: Json,
        now_ms: i64,
    ) -> Result<Described, Undescribed> {
        let answer = self.ask(vec![
            ("session".into(), Json::from(code)),
            ("scope".into(), scope),
            ("now_ms".into(), Json::Number(now_ms as f64)),
        ])?;
        let value = answer.get("value").and_then(Given::parse).ok_or_else(|| unknown(&answer))?;
        Described::of(value, answer.get("throws").and_then(Json::text), now_ms)
            .map_err(Undescribed::Failed)
    }

    /// Returns what a handler does to a session that was loaded from this record.
    pub(super) fn handler(
        &mut self,
        code: &str,
        stored: &str,
        now_ms: i64,
    ) -> Result<Steps, Undescribed> {
        let answer = self.ask(vec![
            ("handler".into(), Json::from(code)),
            ("stored".into(), Json::from(stored)),
            ("now_ms".into(), Json::Number(now_ms as f64)),
        ])?;
        let steps = answer.get("steps").map(Json::items);
        let steps = steps.and_then(|steps| steps.iter().map(step).collect());
        Ok(Steps {
            steps: steps.ok_or_else(|| unknown(&answer))?,
            throws: answer.get("throws").and_then(Json::text),
        })
    }

    fn ask(&mut self, request: Vec<(crate::json::Text, Json)>) -> Result<Json, Undescribed> {
        let answer: String = self
            .0
            .call(Json::object(request).stringify())
            .map_err(|error| Undescribed::Failed(error.to_string()))?;
        let answer = Json::parse(&answer).map_err(|_| Undescribed::Failed(answer))?;
        match (answer.get("unbound"), answer.get("fails")) {
            (Some(_), _) => Err(Undescribed::Unbound),
            (None, Some(error)) => Err(Undescribed::Failed(error.text().unwrap_or_default())),
            (None, None) => Ok(answer),
        }
    }
}

fn unknown(answer: &Json) -> Undescribed {
    Undescribed::Failed(answer.stringify())
}

fn step(step: &Json) -> Option<Step> {
    let [kind, name, rest @ ..] = step.items() else { return None };
    let name = name.text()?;
    Some(match (&*kind.text()?, rest) {
        ("set", [value]) => Step::Set(name, Given::parse(value)?, None),
        ("set", [value, throws]) => Step::Set(name, Given::parse(value)?, Some(throws.text()?)),
        ("cookie", [value]) => Step::Cookie(name, Given::parse(value)?),
        ("delete", []) => Step::Delete(name),
        ("call", []) => Step::Touch,
        _ => return None,
    })
}

/// Returns what a handler does. The Node.js process starts with the first call and ends with this process.
pub(super) fn handler(code: &str, stored: &str, now_ms: i64) -> Result<Steps, Undescribed> {
    static SCRIPT: LazyLock<Mutex<Result<Script, String>>> =
        LazyLock::new(|| Mutex::new(Script::start()));
    let mut script = SCRIPT.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *script {
        Ok(script) => script.handler(code, stored, now_ms),
        Err(error) => Err(Undescribed::Failed(error.clone())),
    }
}

/// The sessions of a file by name, each described once. Their code is in one of the file's stores.
pub(super) struct Sessions {
    script: Option<Script>,
    codes: HashMap<String, String>,
    known: HashMap<String, Result<Described, Undescribed>>,
    now_ms: i64,
}

impl Sessions {
    /// Starts Node.js if any of these rows has code.
    pub(super) fn of<'a>(
        rows: impl Iterator<Item = &'a Json>,
        now_ms: i64,
    ) -> Result<Self, String> {
        let mut codes = HashMap::new();
        for row in rows {
            let text = |name| row.get(name).and_then(Json::text);
            if let (Some(name), Some(code)) = (text("name"), text("js")) {
                codes.entry(name).or_insert(code);
            }
        }
        let script = if codes.is_empty() { None } else { Some(Script::start()?) };
        Ok(Self { script, codes, known: HashMap::new(), now_ms })
    }

    /// Returns the session of this name, or `None` if the file has no code for it.
    pub(super) fn get(&mut self, name: &str) -> Option<Result<Described, Undescribed>> {
        let code = self.codes.get(name)?;
        if let Some(known) = self.known.get(name) {
            return Some(known.clone());
        }
        let described = self.script.as_mut()?.session(code, scope(name), self.now_ms);
        self.known.insert(name.to_owned(), described.clone());
        Some(described)
    }
}

/// Returns the variables that the code of a session takes from its surroundings. They follow from its name: `ms` and
/// `n` from `ttl-1500ms`, `k` and `v` from `cookie-secure-true`.
fn scope(name: &str) -> Json {
    let members = if let Some(n) = name.strip_prefix("ttl-") {
        let ms = milliseconds(n).map(|ms| ("ms".into(), Json::Number(ms)));
        ms.into_iter().chain([("n".into(), Json::from(n))]).collect()
    } else if let Some((k, v)) = name.strip_prefix("cookie-").and_then(|rest| rest.split_once('-'))
    {
        let v = match v {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" => Json::Null,
            "empty" => Json::from(""),
            text => Json::from(text),
        };
        vec![("k".into(), Json::from(k)), ("v".into(), v)]
    } else {
        Vec::new()
    };
    Json::object(members)
}

/// Returns the time that a word such as `1500ms`, `minus-5s` or `30d-plus-1s` means.
fn milliseconds(word: &str) -> Option<f64> {
    if let Some(word) = word.strip_prefix("minus-") {
        return milliseconds(word).map(|ms| -ms);
    }
    if let Some((word, more)) = word.split_once("-plus-") {
        return Some(milliseconds(word)? + milliseconds(more)?);
    }
    // These names of the fixtures mean the first second beyond 32 bits, and a century with its leap days.
    match word {
        "68y" => return Some(2_147_483_648_000.0),
        "100y" => return Some(36_525.0 * 86_400_000.0),
        _ => {}
    }
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = word.split_at(digits);
    let unit = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "y" => 365.0 * 86_400_000.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_variables_of_its_code() {
        for (name, variables) in [
            ("ttl-1500ms", r#"{"ms":1500,"n":"1500ms"}"#),
            ("ttl-minus-5s", r#"{"ms":-5000,"n":"minus-5s"}"#),
            ("ttl-30d-plus-1s", r#"{"ms":2592001000,"n":"30d-plus-1s"}"#),
            ("ttl-68y", r#"{"ms":2147483648000,"n":"68y"}"#),
            ("ttl-long", r#"{"n":"long"}"#),
            ("cookie-secure-true", r#"{"k":"secure","v":true}"#),
            ("cookie-path-empty", r#"{"k":"path","v":""}"#),
            ("cookie-domain-example.com", r#"{"k":"domain","v":"example.com"}"#),
            ("counter", "{}"),
        ] {
            assert_eq!(scope(name).stringify(), variables, "{name}");
        }
    }
}
