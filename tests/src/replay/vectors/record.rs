//! Section `record`: a request loads a stored record, and may read it or set members.
//!
//! A session here keeps unchanged members byte for byte, whereas Express prints everything again. So the comparison
//! uses what Node.js sees in our text: the text as Node.js parses and prints it.

use cloakroom_core::{Cookie, CookieMember, ErrorKind, JsValue, Secrets, SessionData, parse_date};

use super::{
    super::{
        Outcome,
        express_cookie::{new_cookie, options},
        report::Checks,
        script::{Given, Step},
    },
    differences,
    handler::{self, Expressed, NO_AGE, has_no_date},
    read_cookie::{NEW_SID, name},
    set_cookie::{cookie_for, is_secure, list},
    signature::secrets,
};
use crate::json::{Json, Text};

/// The id of the session in all records of `express-vectors.json`.
const DEFAULT_SID: &str = "abc";

/// One vector, and what is known about it before this code runs.
struct Vector<'a> {
    row: &'a Json,
    expected: &'a Json,
    /// The store calls after the `get`.
    calls: &'a [Json],
    sid: String,
    now_ms: i64,
    secrets: Secrets,
    /// The record as Node.js parses it.
    stored: Json,
}

pub(super) fn check(row: &Json) -> Option<Outcome> {
    let text = row.get("stored")?.text()?;
    let expected = row.get("expect")?;
    let (get, calls) = expected.get("calls")?.items().split_first()?;
    let sid = row.get("sid").and_then(Json::text).unwrap_or_else(|| DEFAULT_SID.to_owned());
    let now_ms = row.get("clock")?.number()? as i64;
    let stored = Json::parse(&text).ok()?;
    let mut checks = Checks::default();
    checks.equal("first call", get, &Json::Array(["get", &*sid].map(Json::from).into()));
    let vector = Vector { row, expected, calls, sid, now_ms, secrets: secrets(row)?, stored };
    let passed = match SessionData::from_record(text.into_bytes()) {
        Ok(None) => vector.absent(&mut checks)?,
        Ok(Some(session)) => match vector.failure_of_express() {
            Some(_) => vector.repaired(&mut checks, session)?,
            None => vector.served(&mut checks, session)?,
        },
        Err(error) => {
            checks.equal("kind of the error", ErrorKind::Corrupt, error.kind());
            vector.failed_in_express(&mut checks);
            Outcome::Passed
        }
    };
    Some(checks.outcome_or(passed))
}

impl Vector<'_> {
    /// Returns the error of Express for a record whose cookie it cannot read, or `None`.
    fn failure_of_express(&self) -> Option<&'static str> {
        match self.stored.get("cookie") {
            None => Some("Cannot read properties of undefined (reading 'expires')"),
            Some(Json::Null) => Some("Cannot read properties of null (reading 'expires')"),
            Some(cookie @ Json::Object(_)) => cookie
                .get("maxAge")
                .is_some_and(|age| !matches!(age, Json::Number(_)) && is_truthy(age))
                .then_some(NO_AGE),
            Some(Json::Array(_)) => None,
            Some(value) => is_truthy(value).then_some("argument options must be a object"),
        }
    }

    fn failed_in_express(&self, checks: &mut Checks) {
        checks.equal(
            "nextError",
            self.expected.get("nextError"),
            self.failure_of_express().map(Json::from).as_ref(),
        );
        checks.equal("status", self.expected.get("status"), Some(&Json::Number(500.0)));
        checks.equal("seen", self.expected.get("seen"), Some(&Json::Null));
        checks.equal("setCookie", self.expected.get("setCookie"), Some(&Json::Null));
        checks.equal("calls", self.calls, &[]);
    }

    /// Checks a record that means "no session": the request gets a new one.
    fn absent(&self, checks: &mut Checks) -> Option<Outcome> {
        let given = self.row.get("cookie").map(options).unwrap_or_default();
        let mut session = SessionData::with_cookie(new_cookie(&given, self.now_ms).ok()?);
        checks.equal("status", self.expected.get("status"), Some(&Json::Number(200.0)));
        self.seen(checks, &session, NEW_SID);
        self.write(&mut session).ok()?;
        session.touch(self.now_ms);
        let is_changed = session.is_changed();
        self.call(checks, is_changed.then_some("set"), NEW_SID, &node_text(&session)?);
        self.sent(checks, &session, NEW_SID, is_changed);
        Some(Outcome::Passed)
    }

    /// Checks a record that Express cannot serve: all its members are found, and the written record has a cookie.
    fn repaired(&self, checks: &mut Checks, mut session: SessionData) -> Option<Outcome> {
        self.failed_in_express(checks);
        self.write(&mut session).ok()?;
        let ours = Json::parse(&session.to_json()).ok()?;
        let stored_cookie =
            self.stored.get("cookie").filter(|cookie| matches!(cookie, Json::Object(_)));
        let default = Json::parse(&Cookie::new().to_json()).ok();
        checks.equal("cookie", stored_cookie.or(default.as_ref()), ours.get("cookie"));
        checks.equal(
            "members",
            self.with_writes(|_| true),
            without(&ours, |name| name == "cookie"),
        );
        Some(differences::RECORD_WITHOUT_COOKIE)
    }

    /// Checks a record that Express serves.
    fn served(&self, checks: &mut Checks, mut session: SessionData) -> Option<Outcome> {
        let reserved = |name: &Text| name != "cookie" && is_reserved(name);
        let has_reserved = self.stored.members().iter().any(|(name, _)| reserved(name));
        let mut passed = if has_reserved { differences::RESERVED_MEMBER } else { Outcome::Passed };
        if self.seen(checks, &session, &self.sid) {
            passed = differences::MAX_AGE_BESIDE_ORIGINAL;
        }
        let steps = match self.steps() {
            Ok(steps) => steps,
            Err(outcome) => return Some(outcome),
        };
        let expressed = Expressed::of(&without(&self.stored, reserved), &steps);
        let refused = handler::apply(&mut session, &steps, self.now_ms, checks);
        if let Some(refused) = &refused {
            passed = refused.clone();
        }
        // Express compares with the record before it drops the reserved members.
        let after = without(&expressed.record(&Json::Null), |name| name == "cookie");
        let is_changed_to_express = after != without(&self.stored, |name| name == "cookie");
        if let Some(message) = expressed.throws(&session, is_changed_to_express) {
            return Some(self.thrown(checks, &message, refused));
        }
        let is_changed = session.is_changed();
        let has_no_date = has_no_date(&session, self.now_ms);
        session.touch_as_express(self.now_ms).ok()?;

        checks.equal("status", self.expected.get("status"), Some(&Json::Number(200.0)));
        checks.equal("threw", self.expected.get("threw"), None);
        let ours = Json::parse(&node_text(&session)?).ok()?;
        let cookie_is = |expected: &Json| ours.get("cookie") == Some(expected);
        let mut as_express = without(&ours, reserved);
        let stored_cookie = self.stored.get("cookie")?;
        if stored_cookie.get("toJSON").is_some() {
            checks.holds("no toJSON in our cookie", ours.get("cookie")?.get("toJSON").is_none());
            set_cookie_member(&mut as_express, insides(session.cookie(), stored_cookie)?);
            passed = differences::COOKIE_WITH_TO_JSON;
        } else if !matches!(stored_cookie, Json::Object(_)) {
            checks.holds(
                "our cookie is the default one",
                cookie_is(&Json::parse(&Cookie::new().to_json()).ok()?),
            );
            set_cookie_member(
                &mut as_express,
                Json::parse(r#"{"httpOnly":true,"path":"/"}"#).ok()?,
            );
            passed = differences::COOKIE_NO_OBJECT;
        }
        let record = expressed.record(as_express.get("cookie")?).stringify();
        if refused.is_none() {
            checks.equal("changed", is_changed || has_reserved, is_changed_to_express);
            checks.equal("record", &record, &as_express.stringify());
        }
        let call = if is_changed_to_express { "set" } else { "touch" };
        self.call(checks, Some(call), &self.sid, &record);
        for (name, value) in self.stored.members().iter().filter(|(name, _)| reserved(name)) {
            checks.equal("reserved member", Some(value), ours.get(&name.to_str()?));
        }
        if expressed.has_plain_cookie() {
            checks.equal("setCookie", self.expected.get("setCookie"), Some(&Json::Null));
            checks.equal("nextError", self.expected.get("nextError"), None);
        } else if has_no_date && self.sends(&session, &self.sid, is_changed_to_express, true) {
            // Express gets an invalid date, which it cannot send.
            let error = Json::from("option expires is invalid");
            checks.equal("nextError", self.expected.get("nextError"), Some(&error));
            checks.equal("setCookie", self.expected.get("setCookie"), Some(&Json::Null));
            passed = differences::EXPIRY_BEYOND_DATES;
        } else {
            self.sent(checks, &session, &self.sid, is_changed_to_express);
        }
        Some(passed)
    }

    /// Returns what the request does to the session: it sets members, or its handler runs code.
    fn steps(&self) -> Result<Vec<Step>, Outcome> {
        if let Some(code) = self.row.get("handler").and_then(Json::text) {
            return handler::steps(&code, &self.stored.stringify(), self.now_ms);
        }
        let written = self.row.get("write").map_or(&[][..], Json::members).iter();
        Ok(written
            .map(|(name, value)| {
                Step::Set(name.to_str().unwrap_or_default(), Given::Json(value.clone()), None)
            })
            .collect())
    }

    /// Checks a request at whose end Express throws, and stores and sends nothing.
    fn thrown(&self, checks: &mut Checks, message: &str, refused: Option<Outcome>) -> Outcome {
        checks.equal("threw", self.expected.get("threw"), Some(&Json::from(message)));
        checks.equal("status", self.expected.get("status"), Some(&Json::Null));
        checks.equal("setCookie", self.expected.get("setCookie"), Some(&Json::Null));
        checks.equal("nextError", self.expected.get("nextError"), None);
        checks.equal("calls", self.calls, &[]);
        refused.unwrap_or(differences::NO_AGE)
    }

    fn write(&self, session: &mut SessionData) -> Result<(), cloakroom_core::Error> {
        for (name, value) in self.row.get("write").map_or(&[][..], Json::members) {
            session.insert(&name.to_str().unwrap_or_default(), value)?;
        }
        Ok(())
    }

    /// Returns the members of the record without the cookie, after the request.
    fn with_writes(&self, keep: impl Fn(&Text) -> bool) -> Json {
        let written = self.row.get("write").map_or(&[][..], Json::members);
        let all = self.stored.members().iter().chain(written);
        Json::object(all.filter(|(name, _)| name != "cookie" && keep(name)).cloned().collect())
    }

    /// Compares what the request saw first. Returns true if Express showed an expiry that it computed.
    fn seen(&self, checks: &mut Checks, session: &SessionData, sid: &str) -> bool {
        let cookie = session.cookie();
        let parsed = Json::parse(&session.to_json()).ok();
        let names = parsed.iter().flat_map(Json::members).map(|(name, _)| name);
        let visible = names.filter(|name| *name == "cookie" || !is_reserved(name));
        let keys = Json::Array(visible.cloned().map(Json::String).collect());
        let mut iterated: Vec<String> =
            session.iter().map(|member| member.name().to_owned()).collect();
        let mut parsed_names: Vec<String> =
            parsed.iter().flat_map(Json::members).map(|(name, _)| name.shown()).collect();
        parsed_names.retain(|name| name != "cookie");
        iterated.sort();
        parsed_names.sort();
        checks.equal("names that iter gives", parsed_names, iterated);

        let seen = |member: &str| self.expected.get("seen").and_then(|seen| seen.get(member));
        checks.equal("seen sessionID", seen("sessionID"), Some(&Json::from(sid)));
        checks.equal("seen keys", seen("keys"), Some(&keys));
        let stored_cookie = self.stored.get("cookie");
        let usable = matches!(stored_cookie, Some(Json::Object(_)) | None);
        let original = if usable {
            printed(cookie.raw(CookieMember::OriginalMaxAge))
        } else {
            Json::from("$undefined")
        };
        checks.equal("seen originalMaxAge", seen("originalMaxAge"), Some(&original));

        let max_age = stored_cookie.and_then(|cookie| cookie.get("maxAge")).and_then(Json::number);
        let own =
            max_age.filter(|_| !matches!(cookie.raw(CookieMember::Expires), JsValue::String(_)));
        let expires = match (own, cookie.raw(CookieMember::Expires)) {
            (Some(age), _) => date(self.now_ms as f64 + age),
            (None, JsValue::String(text)) => {
                date(parse_date(text).map_or(f64::NAN, |ms| ms as f64))
            }
            (None, JsValue::Undefined) => Json::Null,
            (None, other) => printed(other),
        };
        let left = match expires.get("$date") {
            Some(ms) => Json::Number(ms.number().map_or(f64::NAN, |ms| ms - self.now_ms as f64)),
            None => expires.clone(),
        };
        let print = |json: Option<&Json>| json.map(Json::stringify);
        checks.equal("seen expires", print(seen("expires")), print(Some(&expires)));
        checks.equal("seen maxAge", print(seen("maxAge")), print(Some(&left)));
        own.is_some()
    }

    /// Compares the write, or checks that nothing was written.
    fn call(&self, checks: &mut Checks, operation: Option<&str>, sid: &str, text: &str) {
        let call =
            operation.map(|operation| Json::Array([operation, sid, text].map(Json::from).into()));
        checks.equal("calls", self.calls, call.as_slice());
    }

    /// Compares the cookie that is sent to the browser.
    fn sent(&self, checks: &mut Checks, session: &SessionData, sid: &str, is_changed: bool) {
        let is_persistent = !matches!(
            session.cookie().raw(CookieMember::Expires),
            JsValue::Undefined | JsValue::Null
        );
        let sends = self.sends(session, sid, is_changed, is_persistent);
        let cookie = if sends {
            cookie_for(session, &name(self.row), sid, &self.secrets, is_secure(self.row))
        } else {
            Ok(None)
        };
        match cookie {
            Ok(text) => {
                let expected = self.expected.get("setCookie").map(list);
                checks.equal("setCookie", expected, Some(text.into_iter().collect()));
                checks.equal("nextError", self.expected.get("nextError"), None);
            }
            Err(error) => {
                let told = self.expected.get("nextError").and_then(Json::text).unwrap_or_default();
                checks.refusal(&told, &error);
                checks.equal("setCookie", self.expected.get("setCookie"), Some(&Json::Null));
            }
        }
    }

    /// Returns true if the response gets a cookie: for a new session if it was changed, for another session with
    /// `rolling`, or if it was changed and has an expiry.
    fn sends(
        &self,
        session: &SessionData,
        sid: &str,
        is_changed: bool,
        is_persistent: bool,
    ) -> bool {
        let is_rolling = self.row.get("rolling").is_some_and(is_truthy);
        let sends = match sid == self.sid {
            true => is_rolling || is_persistent && is_changed,
            false => is_changed,
        };
        sends && (is_secure(self.row) || !session.cookie().secure())
    }
}

/// Returns the session as Node.js prints it after parsing it.
fn node_text(session: &SessionData) -> Option<String> {
    Some(Json::parse(&session.to_json()).ok()?.stringify())
}

fn is_reserved(name: &Text) -> bool {
    name.to_str().is_some_and(|name| SessionData::new().insert(&name, 0).is_err())
}

fn is_truthy(json: &Json) -> bool {
    match json {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(value) => *value != 0.0,
        Json::String(text) => text != "",
        Json::Array(_) | Json::Object(_) => true,
    }
}

fn without(object: &Json, drop: impl Fn(&Text) -> bool) -> Json {
    Json::object(object.members().iter().filter(|(name, _)| !drop(name)).cloned().collect())
}

fn set_cookie_member(record: &mut Json, cookie: Json) {
    if let Json::Object(members) = record {
        for (_, value) in members.iter_mut().filter(|(name, _)| name == "cookie") {
            *value = cookie.clone();
        }
    }
}

/// Returns what Express writes for a cookie whose `toJSON` is not a function: the object's own members, those of its
/// constructor first.
fn insides(cookie: &Cookie, stored: &Json) -> Option<Json> {
    let ours = Json::parse(&cookie.to_json()).ok()?;
    let mut members: Vec<(Text, Json)> = [
        ("path", "path"),
        ("_expires", "expires"),
        ("originalMaxAge", "originalMaxAge"),
        ("httpOnly", "httpOnly"),
    ]
    .into_iter()
    .filter_map(|(name, known)| Some((name.into(), ours.get(known)?.clone())))
    .collect();
    let made = ["path", "expires", "originalMaxAge", "httpOnly", "maxAge", "data"];
    let others =
        stored.members().iter().filter(|(name, _)| made.iter().all(|known| name != *known));
    members.extend(others.cloned());
    Some(Json::object(members))
}

fn printed(value: &JsValue) -> Json {
    match value {
        JsValue::Null => Json::Null,
        JsValue::Bool(value) => Json::Bool(*value),
        JsValue::Number(value) => Json::Number(*value),
        JsValue::String(text) => Json::from(&**text),
        JsValue::Other(json) => Json::parse(json).unwrap_or(Json::Null),
        _ => Json::from("$undefined"),
    }
}

fn date(ms: f64) -> Json {
    Json::object(vec![("$date".into(), if ms.is_nan() { Json::Null } else { Json::Number(ms) })])
}
