//! A mongod, and the operations on it for each row.

use std::time::Duration;

use cloakroom_core::{Clock, SessionData, Store};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client, Collection,
        bson::{Bson, RawDocumentBuf, doc},
        error::Result,
    },
};
use cloakroom_test_support::Mongod;
use tokio::runtime::Runtime;

use super::{
    Options, Recorded, Version, document as theirs,
    expected::{
        cookie_of, document, has_regex, has_usable_cookie, is_json, session_without_cookie,
        without, without_unset,
    },
    refused::{Refusal, refusal},
};
use crate::{
    json::Json,
    replay::{
        Outcome,
        redis::{nothing_is_lost, refused::is_refused},
        report::Checks,
        script::{CookieKind, Described},
    },
};

const REPAIRED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-mongo writes it unchanged, here it gets a cookie",
);
const DESTROYED: Outcome = Outcome::PassedDifferently(
    "a session whose expiry has passed: connect-mongo stores it and hides it, here it is destroyed",
);
const EXTENDED: Outcome = Outcome::PassedDifferently(
    "a session that is read and written again: connect-mongo uses its old expires, here it is extended by its max age or the ttl",
);
const NO_DATE: Outcome = Outcome::PassedDifferently(
    "an expires that is not a date: connect-mongo stores 1970 and loses the session, here it is ignored",
);
const SHOWN: Outcome = Outcome::PassedDifferently(
    "a regular expression, which is {} in JSON: here it is shown as extended JSON",
);

/// A mongod and a clock.
pub(super) struct Bench {
    server: Mongod,
    raw: Collection<RawDocumentBuf>,
    runtime: Runtime,
    now_ms: i64,
    clock: Clock,
}

impl Bench {
    pub(super) fn start(now_ms: i64) -> std::result::Result<Self, String> {
        // The server's clock is later than that of the recording, and it must not remove the recorded sessions.
        let server = Mongod::start_with(&["--setParameter", "ttlMonitorEnabled=false"])
            .map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let client = runtime
            .block_on(Client::with_uri_str(server.url()))
            .map_err(|error| error.to_string())?;
        let raw = client.database("test").collection("sessions");
        Ok(Self { server, raw, runtime, now_ms, clock: Clock::fixed(now_ms) })
    }

    fn store(&self, given: Options) -> std::result::Result<MongoStore, String> {
        let mut options = MongoOptions::default();
        options.stringify = !given.document;
        options.touch_after = Duration::from_secs(given.touch_after_s);
        options.timestamps = given.timestamps;
        // These checks are not about the duration of an answer.
        options.deadline = super::super::DEADLINE;
        options.auto_remove = AutoRemove::Disabled;
        options.clock = self.clock.clone();
        if let Some(ttl_s) = given.ttl_s {
            options.ttl = Duration::from_secs(ttl_s);
        }
        MongoStore::open_with(&self.server.url(), options).map_err(|error| error.to_string())
    }

    /// Checks a session that connect-mongo could not store.
    pub(super) fn refused(
        &self,
        sid: &str,
        described: &Described,
        options: Options,
        version: Version,
        error: &Json,
    ) -> Result<Outcome> {
        let mut checks = Checks::default();
        match (refusal(described, options, version, error), &described.session) {
            (None, _) => {
                checks.equal("error", "one that the session explains", &*error.stringify())
            }
            (Some(Refusal::ByInsert), _) => is_refused(&mut checks),
            (Some(Refusal::BySet), None) => checks.holds("a session that Rust can build", false),
            (Some(Refusal::BySet), Some(session)) => {
                let _entered = self.runtime.enter();
                let store = match self.store(options) {
                    Ok(store) => store,
                    Err(error) => return Ok(Outcome::failed("open", "a store", error)),
                };
                self.plant(None)?;
                let set = self.runtime.block_on(store.set(sid, session));
                checks.holds("set is an error", set.is_err());
                checks.holds("nothing is stored", self.document()?.is_none());
            }
        }
        Ok(checks.outcome())
    }

    pub(super) fn check(
        &self,
        recorded: &Recorded,
        described: Option<&Described>,
    ) -> Result<Outcome> {
        let _entered = self.runtime.enter();
        let store = match self.store(recorded.options) {
            Ok(store) => store,
            Err(error) => return Ok(Outcome::failed("open", "a store", error)),
        };
        let Ok(raw) = RawDocumentBuf::from_bytes(recorded.document.clone()) else {
            return Ok(Outcome::failed("form of the row", "a document", "other bytes"));
        };
        let planted = self.plant(Some(raw.clone()))?;
        let mut checks = Checks::default();
        let keys = document(&planted).map(|planted| planted.keys().cloned().collect::<Vec<_>>());
        checks.equal("fields", Some(recorded.fields.clone()), keys);
        let fields: Vec<String> =
            recorded.options.fields().into_iter().map(str::to_owned).collect();
        checks.equal("fields by the options", &fields, &recorded.fields);
        let expires = document(&planted)
            .and_then(|planted| Some(planted.get_datetime("expires").ok()?.timestamp_millis()));
        checks.equal("expires", Some(recorded.expires_ms), expires);

        if let Some(described) = described {
            theirs::check(recorded, described, self.now_ms, &mut checks);
        }

        // A session that had already expired is read at an earlier time.
        let lives = recorded.expires_ms > self.now_ms;
        self.clock.set(if lives { self.now_ms } else { recorded.expires_ms - 1 });
        let session = match self.runtime.block_on(store.get(&recorded.sid)) {
            Ok(session) => session,
            Err(error) => return Ok(Outcome::failed("get", "a session", error.to_string())),
        };
        self.clock.set(self.now_ms);
        let Some(session) = session else {
            checks.holds("a record that Express takes for none", recorded.got == "null");
            return Ok(checks.outcome());
        };
        let mut outcome = compare(recorded, &session, &mut checks);

        for before in [Some(raw), None] {
            let over = before.is_some();
            self.plant(before)?;
            if let Err(error) = self.runtime.block_on(store.set(&recorded.sid, &session)) {
                return Ok(Outcome::failed("set", "an answer", error.to_string()));
            }
            let written = self.document()?;
            if let Some(other) = self.judge(recorded, written.as_deref(), over, &mut checks) {
                outcome = other;
            }
        }
        if let Some(text) = &recorded.text
            && let Some(other) = self.written_from_text(recorded, &store, text, &mut checks)?
        {
            outcome = other;
        }
        if let Some(described) = described
            && let Some(other) = self.written_as_built(recorded, &store, described, &mut checks)?
        {
            outcome = other;
        }
        Ok(checks.outcome_or(outcome))
    }

    /// Returns the expiry of a session that was read and is written again. It never becomes earlier.
    fn extended_ms(&self, recorded: &Recorded) -> i64 {
        let got =
            super::expected::text_of(&recorded.document).or_else(|| Some(recorded.got.clone()));
        let cookie = got.and_then(|got| Json::parse(&got).ok()?.get("cookie").cloned());
        let member = |name| cookie.as_ref().and_then(|cookie| cookie.get(name));
        let age = member("originalMaxAge").and_then(Json::number);
        let by_default = self.now_ms + recorded.options.ttl_ms();
        let has_cookie_expiry = match member("expires") {
            Some(Json::String(_)) => recorded.expires_ms != 0,
            Some(Json::Number(ms)) => *ms != 0.0,
            _ => false,
        };
        match age.filter(|age| *age > 0.0) {
            Some(age) if has_cookie_expiry => (self.now_ms + age as i64).max(recorded.expires_ms),
            Some(age) => self.now_ms + age as i64,
            None if has_cookie_expiry && recorded.expires_ms > self.now_ms => recorded.expires_ms,
            None => by_default,
        }
    }

    /// Checks that the written document is the recorded one, or better on purpose.
    fn judge(
        &self,
        recorded: &Recorded,
        written: Option<&[u8]>,
        over: bool,
        checks: &mut Checks,
    ) -> Option<Outcome> {
        let Some(written) = written else {
            checks.holds("it was written", false);
            return None;
        };
        let expires_ms = document(written)
            .and_then(|document| Some(document.get_datetime("expires").ok()?.timestamp_millis()));
        let expected = self.extended_ms(recorded);
        checks.equal("expires that was written", Some(expected), expires_ms);
        let is_extended = expected != recorded.expires_ms;
        if document(&recorded.document).is_some_and(|document| document.values().any(has_regex)) {
            // BSON requires sorted options of a regular expression, which the driver of version 3 did not write.
            let shown = |bytes| document(bytes).map(|document| document.to_string());
            checks.equal("document", shown(&recorded.document), shown(written));
            return None;
        }
        if !recorded.options.has_times() && !is_extended && has_usable_cookie(recorded) {
            checks.equal("bytes", &recorded.document[..], written);
            return None;
        }
        let mut volatile = vec!["lastModified", "updatedAt"];
        volatile.extend((!over).then_some("createdAt"));
        volatile.extend(is_extended.then_some("expires"));
        if !has_usable_cookie(recorded) {
            let members = |bytes: &[u8]| session_without_cookie(bytes);
            checks.equal("members", members(&recorded.document), members(written));
            volatile.push("session");
        }
        checks.equal(
            "bytes but for the times",
            without(&recorded.document, &volatile),
            without(written, &volatile),
        );
        let fields = document(written).map(|written| written.keys().cloned().collect::<Vec<_>>());
        checks.equal("fields that were written", Some(recorded.fields.clone()), fields);
        match (recorded.expires_ms, has_usable_cookie(recorded)) {
            (0, _) => Some(NO_DATE),
            (_, false) => Some(REPAIRED),
            (_, true) => is_extended.then_some(EXTENDED),
        }
    }

    /// Writes the session as a Rust program builds it, and compares it with the recording.
    fn written_as_built(
        &self,
        recorded: &Recorded,
        store: &MongoStore,
        described: &Described,
        checks: &mut Checks,
    ) -> Result<Option<Outcome>> {
        let Some(session) = described.session.as_ref().filter(|_| described.has_cookie_first())
        else {
            return Ok(None);
        };
        let of_express = described.cookie_kind == CookieKind::Express;
        let stored = document(&recorded.document).and_then(|found| found.get("session").cloned());
        let is_same = match &stored {
            Some(Bson::String(_)) => true,
            // For values that JSON cannot express, the Node.js driver stores a form of its own.
            Some(session) => {
                of_express
                    && is_json(session)
                    && described.text.as_deref().is_some_and(|text| {
                        let got = Json::parse(&recorded.got).map(|got| without_unset(&got));
                        Json::parse(text).map(|text| text.stringify())
                            == got.map(|got| got.stringify())
                    })
            }
            None => false,
        };
        if !is_same || recorded.expires_ms == 0 {
            return Ok(None);
        }
        self.plant(None)?;
        if let Err(error) = self.runtime.block_on(store.set(&recorded.sid, session)) {
            checks.equal("set of a built session", "an answer".to_owned(), error.to_string());
            return Ok(None);
        }
        let written = self.document()?;
        if recorded.expires_ms <= self.now_ms {
            checks.holds("what has expired is gone", written.is_none());
            return Ok(Some(DESTROYED));
        }
        let times = ["createdAt", "lastModified", "updatedAt"];
        checks.equal(
            "bytes of a built session",
            without(&recorded.document, &times),
            written.as_deref().and_then(|written| without(written, &times)),
        );
        Ok(None)
    }

    /// Checks that the text alone leads to the recorded document, if JSON can express the session.
    fn written_from_text(
        &self,
        recorded: &Recorded,
        store: &MongoStore,
        text: &str,
        checks: &mut Checks,
    ) -> Result<Option<Outcome>> {
        let session =
            document(&recorded.document).and_then(|document| document.get("session").cloned());
        let (Some(session @ Bson::Document(_)), Ok(as_text), Ok(got)) =
            (session, Json::parse(text), Json::parse(&recorded.got))
        else {
            return Ok(None);
        };
        let lives = recorded.expires_ms > self.now_ms;
        // The JSON of a plain object can look like that of an express-session cookie.
        let of_express = cookie_of(&session).is_some_and(|cookie| cookie.len() == 9);
        let says_all = as_text.stringify() == without_unset(&got).stringify();
        if !lives || !is_json(&session) || !of_express || !says_all {
            return Ok(None);
        }
        self.plant(None)?;
        let written = match SessionData::from_json(text) {
            Ok(session) => self.runtime.block_on(store.set(&recorded.sid, &session)),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            checks.equal("set from a text", "an answer".to_owned(), error.to_string());
            return Ok(None);
        }
        checks.equal("bytes from a text", Some(recorded.document.clone()), self.document()?);
        Ok(None)
    }

    /// Makes this document the only one of the collection, and returns its bytes.
    fn plant(&self, document: Option<RawDocumentBuf>) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            self.raw.delete_many(doc! {}).await?;
            if let Some(document) = document {
                self.raw.insert_one(document).await?;
            }
            Ok(self
                .raw
                .find_one(doc! {})
                .await?
                .map(RawDocumentBuf::into_bytes)
                .unwrap_or_default())
        })
    }

    fn document(&self) -> Result<Option<Vec<u8>>> {
        let found = self.runtime.block_on(async { self.raw.find_one(doc! {}).await })?;
        Ok(found.map(RawDocumentBuf::into_bytes))
    }
}

/// Checks that nothing of the session is lost, compared with what connect-mongo's `get` returned.
fn compare(recorded: &Recorded, session: &SessionData, checks: &mut Checks) -> Outcome {
    if let Some(text) = super::expected::text_of(&recorded.document) {
        nothing_is_lost(session, &text, checks);
        return Outcome::Passed;
    }
    let stored = document(&recorded.document).and_then(|document| document.get("session").cloned());
    if stored.is_some_and(|stored| has_regex(&stored)) {
        checks.holds(
            "it is shown",
            session.loaded_json().contains(r#"{"$regularExpression":{"pattern":"#),
        );
        return SHOWN;
    }
    // connect-mongo returned nothing for a session that it lost; the session's text is in another set.
    let lost = recorded.expires_ms == 0 && recorded.got == "null";
    let got = recorded.text.as_ref().filter(|_| lost).unwrap_or(&recorded.got);
    let got = Json::parse(got).map(|got| without_unset(&got).stringify());
    let ours = Json::parse(session.loaded_json()).map(|ours| ours.stringify());
    checks.equal("what was read", got, ours);
    Outcome::Passed
}
