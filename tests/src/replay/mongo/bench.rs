//! A mongod, and what is done to it for each row.

use std::time::Duration;

use cloakroom_core::{Clock, Session, Store};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client, Collection,
        bson::{Bson, Document, RawDocumentBuf, doc},
        error::Result,
    },
};
use cloakroom_test_support::Mongod;
use tokio::runtime::Runtime;

use super::{
    Recorded,
    expected::{document, has_regex, is_json, without, without_unset},
};
use crate::{
    json::Json,
    replay::{
        Outcome,
        redis::{has_cookie, members_without_cookie, nothing_is_lost},
        report::Checks,
    },
};

const MENDED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-mongo writes it again as it is, here it is mended",
);
const DESTROYED: Outcome = Outcome::PassedDifferently(
    "a session whose expiry has passed: connect-mongo stores it and hides it, here it is destroyed",
);
const NO_DATE: Outcome = Outcome::PassedDifferently(
    "an expires that is no date: connect-mongo stores 1970 and loses the session, here it counts as none",
);
const SHOWN: Outcome = Outcome::PassedDifferently(
    "a regular expression, which is {} in JSON: here it is shown as extended JSON",
);

/// A mongod of its own, and a clock.
pub(super) struct Bench {
    server: Mongod,
    raw: Collection<RawDocumentBuf>,
    runtime: Runtime,
    now_ms: i64,
    clock: Clock,
}

impl Bench {
    pub(super) fn start(now_ms: i64) -> std::result::Result<Self, String> {
        // Its clock is not the recording's, and what was recorded must not be removed by it.
        let server = Mongod::start_with(&["--setParameter", "ttlMonitorEnabled=false"])
            .map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let client = runtime
            .block_on(Client::with_uri_str(server.url()))
            .map_err(|error| error.to_string())?;
        let raw = client.database("test").collection("sessions");
        Ok(Self { server, raw, runtime, now_ms, clock: Clock::fixed(now_ms) })
    }

    fn store(&self, recorded: &Recorded) -> std::result::Result<MongoStore, String> {
        let mut options = MongoOptions::default();
        options.stringify = !recorded.options.document;
        options.touch_after = Duration::from_secs(recorded.options.touch_after_s);
        options.timestamps = recorded.options.timestamps;
        options.auto_remove = AutoRemove::Disabled;
        options.clock = self.clock.clone();
        if let Some(ttl_s) = recorded.options.ttl_s {
            options.ttl = Duration::from_secs(ttl_s);
        }
        MongoStore::open_with(&self.server.url(), options).map_err(|error| error.to_string())
    }

    pub(super) fn check(&self, recorded: &Recorded) -> Result<Outcome> {
        let _entered = self.runtime.enter();
        let store = match self.store(recorded) {
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
        let expires = document(&planted)
            .and_then(|planted| Some(planted.get_datetime("expires").ok()?.timestamp_millis()));
        checks.equal("expires", Some(recorded.expires_ms), expires);

        // What had expired already is read at a time when it had not.
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
        if let Some(text) = &recorded.text {
            self.written_from_text(recorded, &store, text, &mut checks)?;
        }
        Ok(checks.outcome_or(outcome))
    }

    /// What was written is what was recorded, or better on purpose.
    fn judge(
        &self,
        recorded: &Recorded,
        written: Option<&[u8]>,
        over: bool,
        checks: &mut Checks,
    ) -> Option<Outcome> {
        let no_date = recorded.expires_ms == 0;
        if recorded.expires_ms <= self.now_ms && !no_date {
            checks.holds("what has expired is gone", written.is_none());
            return Some(DESTROYED);
        }
        let Some(written) = written else {
            checks.holds("it was written", false);
            return None;
        };
        let expires_ms = document(written)
            .and_then(|document| Some(document.get_datetime("expires").ok()?.timestamp_millis()));
        let expected = if no_date { self.now_ms + 14 * 86_400_000 } else { recorded.expires_ms };
        checks.equal("expires that was written", Some(expected), expires_ms);
        if document(&recorded.document).is_some_and(|document| document.values().any(has_regex)) {
            // BSON asks for the options of a regular expression in order, which the driver of version 3 did not know.
            let shown = |bytes| document(bytes).map(|document| document.to_string());
            checks.equal("document", shown(&recorded.document), shown(written));
            return None;
        }
        if !recorded.options.has_times() && !no_date && has_usable_cookie(recorded) {
            checks.equal("bytes", &recorded.document[..], written);
            return None;
        }
        let mut volatile = vec!["lastModified", "updatedAt"];
        volatile.extend((!over).then_some("createdAt"));
        volatile.extend(no_date.then_some("expires"));
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
        match (no_date, has_usable_cookie(recorded)) {
            (true, _) => Some(NO_DATE),
            (false, false) => Some(MENDED),
            (false, true) => None,
        }
    }

    /// A session that JSON has words for becomes the recorded document from its text alone, as in Rust it began.
    fn written_from_text(
        &self,
        recorded: &Recorded,
        store: &MongoStore,
        text: &str,
        checks: &mut Checks,
    ) -> Result<()> {
        let session =
            document(&recorded.document).and_then(|document| document.get("session").cloned());
        let (Some(session @ Bson::Document(_)), Ok(as_text), Ok(got)) =
            (session, Json::parse(text), Json::parse(&recorded.got))
        else {
            return Ok(());
        };
        let lives = recorded.expires_ms > self.now_ms;
        // A cookie that is a plain object says in JSON that it is one of express-session's.
        let of_express = cookie_of(&session).is_some_and(|cookie| cookie.len() == 9);
        let says_all = as_text.stringify() == without_unset(&got).stringify();
        if !lives || !is_json(&session) || !of_express || !says_all {
            return Ok(());
        }
        self.plant(None)?;
        let written = match Session::from_json(text) {
            Ok(session) => self.runtime.block_on(store.set(&recorded.sid, &session)),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            checks.equal("set from a text", "an answer".to_owned(), error.to_string());
            return Ok(());
        }
        checks.equal("bytes from a text", Some(recorded.document.clone()), self.document()?);
        Ok(())
    }

    /// Leaves this document in the collection and nothing else, and returns its bytes.
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

/// Nothing of the session is lost, measured by what connect-mongo's `get` returned.
fn compare(recorded: &Recorded, session: &Session, checks: &mut Checks) -> Outcome {
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
    // Of what it lost, connect-mongo returned nothing; its text is in another set.
    let lost = recorded.expires_ms == 0 && recorded.got == "null";
    let got = recorded.text.as_ref().filter(|_| lost).unwrap_or(&recorded.got);
    let got = Json::parse(got).map(|got| without_unset(&got).stringify());
    let ours = Json::parse(session.loaded_json()).map(|ours| ours.stringify());
    checks.equal("what was read", got, ours);
    Outcome::Passed
}

fn cookie_of(session: &Bson) -> Option<&Document> {
    session.as_document()?.get_document("cookie").ok()
}

fn has_usable_cookie(recorded: &Recorded) -> bool {
    has_cookie(&recorded.got)
        || super::expected::text_of(&recorded.document).is_some_and(|text| has_cookie(&text))
}

/// The members of a session in either form, printed.
fn session_without_cookie(bytes: &[u8]) -> Option<String> {
    match document(bytes)?.get("session")?.clone() {
        Bson::String(text) => Some(format!("{:?}", members_without_cookie(&text))),
        Bson::Document(mut session) => {
            session.remove("cookie");
            Some(session.to_string())
        }
        _ => None,
    }
}
