//! A Redis server, and the operations on it for each row.

use std::time::Instant;

use cloakroom_core::{Clock, SessionData, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::RedisServer;
use redis::{Commands, Connection, RedisResult};
use tokio::runtime::Runtime;

use super::{
    Recorded, has_cookie, made_here, members_without_cookie, nothing_is_lost, refused,
    rule::{self, Options},
};
use crate::{
    json::Json,
    replay::{Outcome, report::Checks, script::Described},
};

const REPAIRED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: connect-redis writes it unchanged, here it gets a cookie",
);
const NO_DATE: Outcome = Outcome::PassedDifferently(
    "an expires that is not a date: connect-redis destroys the session, here it is ignored",
);
const NEWER_TTL: Outcome = Outcome::PassedDifferently(
    "a time to live of connect-redis 3, which counts down to the last second and does not read plain cookies: here it is that of 4 to 10",
);

/// A Redis server, and a clock that is set to the time of the recording.
pub(super) struct Bench {
    server: RedisServer,
    pub(super) raw: Connection,
    runtime: Runtime,
    clock: Clock,
    now_ms: i64,
}

/// The content of the database after a session was written.
pub(super) struct Written {
    pub(super) keys: Vec<String>,
    text: String,
    /// `PTTL`, which is negative for a record that does not expire, and the longest time since it was set.
    lives_ms: i64,
    passed_ms: i64,
}

impl Written {
    fn lives_for(&self, seconds: Option<i64>) -> bool {
        match seconds {
            Some(seconds) => {
                let ms = seconds * 1_000;
                (ms - self.passed_ms..=ms).contains(&self.lives_ms)
            }
            None => self.lives_ms == -1,
        }
    }
}

impl Bench {
    pub(super) fn start(now_ms: i64) -> Result<Self, String> {
        let server = RedisServer::start().map_err(|error| error.to_string())?;
        let raw = redis::Client::open(server.url())
            .and_then(|client| client.get_connection())
            .map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        Ok(Self { server, raw, runtime, clock: Clock::fixed(now_ms), now_ms })
    }

    pub(super) fn store(&self, given: &Options) -> Result<RedisStore, String> {
        let mut options = RedisOptions::default();
        options.prefix = given.prefix.clone();
        options.disable_ttl = given.disable_ttl;
        options.clock = self.clock.clone();
        // These checks are not about the duration of an answer.
        options.deadline = super::super::DEADLINE;
        if let Some(seconds) = given.ttl {
            options.ttl = std::time::Duration::from_secs(seconds.unsigned_abs()).into();
        }
        RedisStore::open_with(&self.server.url(), options).map_err(|error| error.to_string())
    }

    /// Writes into an empty database. Repeats that if a short session ended before it was inspected.
    pub(super) fn write(
        &mut self,
        store: &RedisStore,
        sid: &str,
        session: &SessionData,
    ) -> RedisResult<Result<Written, String>> {
        loop {
            redis::cmd("FLUSHDB").exec(&mut self.raw)?;
            let started = Instant::now();
            if let Err(error) = self.runtime.block_on(store.set(sid, session)) {
                return Ok(Err(error.to_string()));
            }
            let keys: Vec<String> = self.raw.keys("*")?;
            let (mut text, mut lives_ms) = (Vec::new(), -2);
            if let Some(key) = keys.first() {
                text = self.raw.get(key)?;
                lives_ms = self.raw.pttl(key)?;
            }
            let passed_ms = started.elapsed().as_millis() as i64 + 1;
            if lives_ms == -2 && passed_ms >= 1_000 {
                continue;
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            return Ok(Ok(Written { keys, text, lives_ms, passed_ms }));
        }
    }

    /// Checks a row of a session that was not stored.
    pub(super) fn refused(
        &mut self,
        sid: &str,
        key: &str,
        session: &Described,
        options: &Options,
        mut checks: Checks,
    ) -> RedisResult<Outcome> {
        let store = match self.store(options) {
            Ok(store) => store,
            Err(error) => return Ok(Outcome::failed("open", "a store", error)),
        };
        if session.throws.is_some() {
            refused::is_refused(&mut checks);
            return Ok(checks.outcome());
        }
        let Some(ours) = &session.session else {
            return Ok(Outcome::failed(
                "code of the session",
                "one that Rust can build",
                "another",
            ));
        };
        let written = match self.write(&store, sid, ours)? {
            Ok(written) => written,
            Err(error) => return Ok(Outcome::failed("set", "an answer", error)),
        };
        let Some(seconds) = rule::ttl(session, options, self.now_ms) else {
            checks.equal("keys", Vec::<String>::new(), written.keys);
            return Ok(checks.outcome());
        };
        // Only an older version rejects what the newest one stores.
        checks.equal("keys", vec![key.to_owned()], written.keys.clone());
        checks.holds("time to live", written.lives_for(Some(seconds)));
        let text = session.text.as_deref().unwrap_or_default();
        checks.equal(
            "members",
            members_without_cookie(text),
            members_without_cookie(&written.text),
        );
        checks.holds("the record has a cookie", has_cookie(&written.text));
        let difference = match session.expires_ms() {
            Some(None) => NO_DATE,
            _ if has_cookie(text) => NEWER_TTL,
            _ => REPAIRED,
        };
        Ok(checks.outcome_or(difference))
    }

    pub(super) fn check(
        &mut self,
        recorded: &Recorded,
        described: Option<&Described>,
        options: &Options,
        mut checks: Checks,
    ) -> RedisResult<Outcome> {
        let _runtime = self.runtime.handle().clone();
        let _entered = _runtime.enter();
        let store = match self.store(options) {
            Ok(store) => store,
            Err(error) => return Ok(Outcome::failed("open", "a store", error)),
        };
        let mut text = String::from_utf8_lossy(&recorded.bytes).into_owned();

        redis::cmd("FLUSHDB").exec(&mut self.raw)?;
        let () = self.raw.set(&recorded.key, &recorded.bytes)?;
        let session = match self.runtime.block_on(store.get(&recorded.sid)) {
            Ok(session) => session,
            Err(error) => return Ok(Outcome::failed("get", "a session", error.to_string())),
        };
        let is_mark = recorded.version.merges() && text == "TOMBSTONE";
        let Some(session) = session else {
            // express-session treats every falsy value as "no session".
            checks.holds(
                "a record that Express takes for none",
                is_mark || ["", "null", "0", "false", "\"\""].contains(&&*text),
            );
            if let Some(described) = described.filter(|_| !is_mark) {
                checks.equal("record of the session", described.text.as_deref(), Some(&*text));
            }
            return Ok(checks.outcome());
        };
        nothing_is_lost(&session, &text, &mut checks);
        let session = made_here(&session);
        let mut outcome = self.written(recorded, &store, &session, &text, options, &mut checks)?;

        if let Some(described) = described {
            if recorded.version.merges() {
                text = refused::without_last_modified(&text);
            }
            checks.equal("record of the session", described.text.as_deref(), Some(&*text));
            if let Some(built) = &described.session
                && described.has_cookie_first()
            {
                let whole = Recorded { bytes: text.clone().into_bytes(), ..recorded.clone() };
                let again = self.written(&whole, &store, built, &text, options, &mut checks)?;
                if outcome == Outcome::Passed {
                    outcome = again;
                }
            }
        }
        Ok(checks.outcome_or(outcome))
    }

    /// Writes a session and compares the result with the recording.
    fn written(
        &mut self,
        recorded: &Recorded,
        store: &RedisStore,
        session: &SessionData,
        text: &str,
        options: &Options,
        checks: &mut Checks,
    ) -> RedisResult<Outcome> {
        let written = match self.write(store, &recorded.sid, session)? {
            Ok(written) => written,
            Err(error) => return Ok(Outcome::failed("set", "an answer", error)),
        };
        checks.equal("keys", vec![recorded.key.clone()], written.keys.clone());
        let mut outcome = Outcome::Passed;
        if has_cookie(text) {
            checks.equal("bytes", text, &*written.text);
        } else {
            let members = members_without_cookie;
            checks.equal("members", members(text), members(&written.text));
            checks.holds("the record has a cookie now", has_cookie(&written.text));
            outcome = REPAIRED;
        }
        let is_old = recorded.version.major() < 4 && !options.disable_ttl;
        if !written.lives_for(recorded.ttl) && is_old && written.lives_for(recorded.newest_ttl) {
            outcome = NEWER_TTL;
        } else if !written.lives_for(recorded.ttl) {
            let seconds = Json::from(&*format!("{:?} s", recorded.ttl));
            checks.equal("time to live", seconds, Json::from(&*format!("{} ms", written.lives_ms)));
        }
        Ok(outcome)
    }
}
