//! A request whose handler is JavaScript code. Its changes are repeated on a session in Rust, and the result of Express
//! follows from the rules of express-session 1.19.0.

use cloakroom_core::{CookieMember, Error, ErrorKind, JsValue, LAST_DATE_MS, SessionData};

use super::super::{
    Outcome,
    express_cookie::assign,
    not_applicable,
    redis::refused,
    report::Checks,
    script::{self, Given, Step, Steps, Undescribed},
};
use super::differences;
use crate::json::{Json, Text};

/// Returns the steps of the code as Node.js describes them, or an outcome if it cannot.
pub(super) fn steps(code: &str, stored: &str, now_ms: i64) -> Result<Vec<Step>, Outcome> {
    match script::handler(code, stored, now_ms) {
        Ok(Steps { steps, throws: None }) => Ok(steps),
        Ok(Steps { throws: Some(_), .. }) | Err(Undescribed::Unbound) => {
            Err(Outcome::NotApplicable(not_applicable::HANDLER_THROWS))
        }
        Err(Undescribed::Failed(error)) => Err(Outcome::failed("code", "steps", error)),
    }
}

/// Applies the steps to a session. If a step is rejected, which leaves the session unchanged, it returns the reason.
/// Returns `None` if all steps were accepted.
pub(super) fn apply(
    session: &mut SessionData,
    steps: &[Step],
    now_ms: i64,
    checks: &mut Checks,
) -> Option<Outcome> {
    let mut refused = None;
    for step in steps {
        let before = session.to_json().into_owned();
        if let Err(error) = apply_one(session, step, now_ms) {
            checks.equal("kind of the refusal", ErrorKind::InvalidData, error.kind());
            checks.equal("session after the refusal", before, session.to_json().into_owned());
            refused = Some(match step {
                Step::Set(_, value, _) if value.to_json().is_ok() => differences::RESERVED_NAME_SET,
                _ => differences::NOT_A_VALUE,
            });
        }
    }
    refused
}

fn apply_one(session: &mut SessionData, step: &Step, now_ms: i64) -> Result<(), Error> {
    match step {
        Step::Set(name, value, _) => match value.to_json() {
            Ok(Some(json)) => session.insert(name, &json),
            // A value that JSON cannot express is left out.
            Ok(None) => {
                session.remove(name);
                Ok(())
            }
            Err(_) => session.insert(name, refused::NotJson),
        },
        Step::Delete(name) if name == "cookie" => {
            Err(Error::new(ErrorKind::InvalidData, "session", "remove", "the cookie stays"))
                .or_else(|error: Error| if session.remove(name) { Ok(()) } else { Err(error) })
        }
        Step::Delete(name) => {
            session.remove(name);
            Ok(())
        }
        Step::Cookie(name, value) => assign(session.cookie_mut(), name, &value.to_option(), now_ms),
        // The end of each request does the same again.
        Step::Touch => Ok(()),
    }
}

/// The session in Express after the handler.
pub(super) struct Expressed {
    /// All members that `JSON.stringify` prints. The cookie is `None`.
    members: Vec<(Text, Option<Json>)>,
    /// What the end of the request throws, if anything.
    throws: Option<String>,
    /// Whether `save` is no longer a function.
    breaks_save: bool,
    /// The members of the cookie, if it is a plain object.
    plain_cookie: Option<Json>,
}

impl Expressed {
    /// Returns the session from the members that Express keeps when it loads the record.
    pub(super) fn of(loaded: &Json, steps: &[Step]) -> Self {
        let members = loaded
            .members()
            .iter()
            .map(|(name, value)| (name.clone(), (name != "cookie").then(|| value.clone())));
        let mut expressed = Self {
            members: members.collect(),
            throws: None,
            breaks_save: false,
            plain_cookie: None,
        };
        for step in steps {
            expressed.step(step);
        }
        expressed
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Set(name, value, throws) => self.set(name, value, throws.as_deref()),
            Step::Delete(name) => {
                if name == "cookie" {
                    self.fail("Cannot read properties of undefined (reading 'originalMaxAge')");
                }
                self.members.retain(|(known, _)| known != &**name);
            }
            Step::Cookie(..) | Step::Touch => {}
        }
    }

    fn set(&mut self, name: &str, value: &Given, throws: Option<&str>) {
        match name {
            // These cannot be assigned, or are hidden from `JSON.stringify`.
            "id" | "req" | "reload" => return,
            "save" => return self.breaks_save = true,
            "__proto__" => return self.fail("req.session.touch is not a function"),
            "cookie" => {
                let json = value.to_json().ok().flatten().unwrap_or(Json::Null);
                let cookie = json.members().iter().filter(|(name, _)| name != "maxAge");
                self.plain_cookie = Some(Json::object(cookie.cloned().collect()));
                return;
            }
            "touch" => self.fail("req.session.touch is not a function"),
            "resetMaxAge" => self.fail("this.resetMaxAge is not a function"),
            _ => {}
        }
        if let Some(message) = throws {
            self.fail(message);
        }
        if *value == Given::Circular {
            self.fail(&format!(
                "Converting circular structure to JSON\n    --> starting at object with constructor 'Session'\n    --- property '{name}' closes the circle"
            ));
        }
        let json = value.to_json().ok().flatten();
        match self.members.iter().position(|(known, _)| known == name) {
            Some(place) => match json {
                Some(json) => self.members[place].1 = Some(json),
                None => drop(self.members.remove(place)),
            },
            None => self.members.extend(json.map(|json| (name.into(), Some(json)))),
        }
    }

    fn fail(&mut self, message: &str) {
        self.throws.get_or_insert_with(|| message.to_owned());
    }

    /// Returns the record of the session with this cookie.
    pub(super) fn record(&self, cookie: &Json) -> Json {
        let cookie = self.plain_cookie.as_ref().unwrap_or(cookie);
        let members = self
            .members
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().unwrap_or_else(|| cookie.clone())));
        Json::object(members.collect())
    }

    /// Returns true if the cookie is no longer one of express-session, so that its expiry is ignored.
    pub(super) fn has_plain_cookie(&self) -> bool {
        self.plain_cookie.is_some()
    }

    /// What the end of the request throws, if anything.
    pub(super) fn throws(&self, session: &SessionData, is_changed: bool) -> Option<String> {
        let of_touch = throws_at_touch(session).then(|| NO_AGE.to_owned());
        let of_save = "req.session.save is not a function";
        let of_save = (self.breaks_save && is_changed).then(|| of_save.to_owned());
        self.throws.clone().or(of_touch).or(of_save)
    }
}

/// What the setter of `maxAge` throws for an age that is neither a number nor falsy.
pub(super) const NO_AGE: &str = "maxAge must be a number or Date";

/// Returns true if `cookie.maxAge = cookie.originalMaxAge` throws.
pub(super) fn throws_at_touch(session: &SessionData) -> bool {
    match session.cookie().raw(CookieMember::OriginalMaxAge) {
        JsValue::Number(_) => false,
        other => other.is_truthy(),
    }
}

/// Returns true if the expiry that Express computes from the age is an invalid date.
pub(super) fn has_no_date(session: &SessionData, now_ms: i64) -> bool {
    match session.cookie().raw(CookieMember::OriginalMaxAge) {
        JsValue::Number(ms) => {
            let at = now_ms as f64 + ms;
            !(at.is_finite() && at.abs() <= LAST_DATE_MS as f64)
        }
        _ => false,
    }
}
