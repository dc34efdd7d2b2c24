//! A folder, and the operations on it for each row.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use cloakroom_core::{Clock, Enumerate, ErrorKind, SessionData, Store, Touched};
use cloakroom_encryption::{Counterpart, EncodeAs, Encryption, Kruptein, KrupteinOptions};
use cloakroom_file::{FileOptions, FileStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::record::Record;
use crate::{
    json::Json,
    replay::{
        DEADLINE, Outcome,
        redis::{has_cookie, made_here, members_without_cookie, nothing_is_lost},
        report::Checks,
        script::{CookieKind, Described, Given},
    },
};

const REPAIRED: Outcome = Outcome::PassedDifferently(
    "a record without a usable cookie: session-file-store writes it unchanged, here it gets a cookie",
);
const EXPIRED: Outcome = Outcome::PassedDifferently(
    "a session whose expiry has passed: session-file-store writes it, here it is destroyed",
);
const DATED: Outcome = Outcome::PassedDifferently(
    "a cookie with a date alone: session-file-store gives the session its ttl, here it lives until then",
);
const TIMELESS: Outcome = Outcome::PassedDifferently(
    "a record without a time: session-file-store never lets it expire, here it gets one when it is written",
);

/// The options of the file's store.
pub(super) struct Options {
    ttl: Duration,
    file_extension: String,
    encryption: Option<Arc<dyn Encryption>>,
}

impl Options {
    /// Returns `None` for an option that session-file-store does not have, or that is not supported here.
    pub(super) fn of(store: &Json) -> Option<Self> {
        let mut options = Self {
            ttl: Duration::from_secs(3_600),
            file_extension: ".json".to_owned(),
            encryption: None,
        };
        for (name, value) in store.get("options").map_or(&[][..], Json::members) {
            match &*name.to_str()? {
                "ttl" => options.ttl = Duration::try_from_secs_f64(value.number()?).ok()?,
                "fileExtension" => options.file_extension = value.text()?,
                "secret" => {
                    let mut kruptein =
                        KrupteinOptions::of(Counterpart::ConnectMongo4 { stringify: true });
                    (kruptein.use_scrypt, kruptein.encode_as) = (true, EncodeAs::Binary);
                    options.encryption =
                        Some(Arc::new(Kruptein::new(&value.text()?, kruptein).ok()?));
                }
                // These do not change a file.
                "path" | "retries" | "factor" | "minTimeout" | "maxTimeout" | "reapInterval"
                | "reapMaxConcurrent" | "reapAsync" | "reapSyncFallback" | "encoding" => {}
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The options of the store, and the time of the recording.
pub(super) struct Bench {
    runtime: Runtime,
    options: Options,
    ttl_ms: i64,
    now_ms: i64,
}

/// A store in an empty folder, and the file of a session in it.
struct Row<'a> {
    _folder: TempDir,
    store: FileStore,
    clock: Clock,
    path: PathBuf,
    sid: &'a str,
}

impl Bench {
    pub(super) fn start(options: Options, now_ms: i64) -> io::Result<Self> {
        let ttl_ms = i64::try_from(options.ttl.as_millis()).map_err(io::Error::other)?;
        Ok(Self { runtime: Runtime::new()?, options, ttl_ms, now_ms })
    }

    fn row<'a>(&self, sid: &'a str) -> Result<Row<'a>, String> {
        let clock = Clock::fixed(self.now_ms);
        let mut options = FileOptions::default()
            .with_clock(clock.clone())
            .with_ttl(self.options.ttl)
            .with_file_extension(&*self.options.file_extension)
            .with_reap_interval(None)
            .with_durable(false)
            .with_deadline(DEADLINE);
        options.encryption.clone_from(&self.options.encryption);
        let folder = tempfile::tempdir().map_err(told)?;
        let path = folder.path().join(format!("{sid}{}", self.options.file_extension));
        let store = FileStore::in_folder(folder.path(), options).map_err(told)?;
        Ok(Row { _folder: folder, store, clock, path, sid })
    }

    /// Checks that no call takes this id.
    pub(super) fn refuses(&self, sid: &str) -> Outcome {
        let refused = self.row(sid).map(|row| {
            let session = SessionData::new();
            let mut checks = Checks::default();
            self.runtime.block_on(async {
                for (call, error) in [
                    ("get", row.store.get(sid).await.err()),
                    ("set", row.store.set(sid, &session).await.err()),
                    ("destroy", row.store.destroy(sid).await.err()),
                    ("touch", row.store.touch(sid, &session).await.err()),
                ] {
                    let kind = error.map(|error| error.kind());
                    checks.equal(call, Some(ErrorKind::InvalidId), kind);
                }
            });
            checks.outcome()
        });
        refused.unwrap_or_else(|error| Outcome::failed("folder", "an answer", error))
    }

    /// Checks a session that was stored as this text.
    pub(super) fn check(&self, sid: &str, raw: &str, described: Option<&Described>) -> Outcome {
        self.runtime
            .block_on(self.try_check(sid, raw, described))
            .unwrap_or_else(|error| Outcome::failed("folder", "an answer", error))
    }

    async fn try_check(
        &self,
        sid: &str,
        raw: &str,
        described: Option<&Described>,
    ) -> Result<Outcome, String> {
        let text = self.decrypted(raw)?;
        let record =
            Record::of(&text).ok_or("what was stored is not what JSON.stringify prints")?;
        let row = self.row(sid)?;
        let mut checks = Checks::default();
        if let Some(described) = described {
            is_recorded(described, &record, &text, &mut checks);
        }
        self.is_read_until_its_end(&row, raw, &record, &mut checks).await?;
        self.is_touched(&row, &record, &mut checks).await?;
        self.stays_when_it_is_cut_off(&row, &text, &mut checks).await?;

        let session = SessionData::from_json(record.session()).map_err(told)?;
        let outcome = self.is_written(&row, &record, &made_here(&session), &mut checks).await?;
        let built = described.filter(|described| described.has_cookie_first());
        if let Some(session) = built.and_then(|described| described.session.as_ref()) {
            self.is_written(&row, &record, session, &mut checks).await?;
        }
        Ok(checks.outcome_or(outcome))
    }

    /// Node.js gives the session this long, and Rust does, too. Then a reap removes it.
    async fn is_read_until_its_end(
        &self,
        row: &Row<'_>,
        raw: &str,
        record: &Record,
        checks: &mut Checks,
    ) -> Result<(), String> {
        fs::write(&row.path, raw).map_err(told)?;
        let (last_ms, life_ms) = (record.last_ms(), record.life_ms(self.ttl_ms));
        let begin_ms = last_ms.unwrap_or(self.now_ms);
        let end_ms = begin_ms.saturating_add(life_ms);
        for now_ms in [begin_ms, end_ms, end_ms + 1] {
            row.clock.set(now_ms);
            let is_live = last_ms.is_none() || now_ms <= end_ms;
            let read = row.store.get(row.sid).await.map_err(told)?;
            checks.equal("it is live", is_live, read.is_some());
            if let Some(session) = read {
                nothing_is_lost(&session, &record.session(), checks);
            }
            checks.equal("length", u64::from(is_live), row.store.length().await.map_err(told)?);
            checks.equal(
                "removed",
                u64::from(!is_live),
                row.store.remove_expired().await.map_err(told)?,
            );
            checks.equal("the file is there", is_live, row.path.exists());
            fs::write(&row.path, raw).map_err(told)?;
        }
        Ok(())
    }

    /// A touch changes the time, and no other byte.
    async fn is_touched(
        &self,
        row: &Row<'_>,
        record: &Record,
        checks: &mut Checks,
    ) -> Result<(), String> {
        let life_ms = record.life_ms(self.ttl_ms);
        // At a time when it is live, however short its life is.
        let now_ms = self.now_ms + life_ms.clamp(0, 500) / 2;
        self.put(row, &record.at(self.now_ms))?;
        row.clock.set(now_ms);
        let session = row.store.get(row.sid).await.map_err(told)?;
        let Some(session) = session else {
            checks.holds("what is not live has expired", life_ms < 0);
            return Ok(());
        };
        let touched = row.store.touch(row.sid, &session).await.map_err(told)?;
        checks.equal("touch", Touched::Extended, touched);
        let expires_ms = record.touched_expiry_ms(now_ms, self.ttl_ms);
        let text = self.decrypted(&fs::read_to_string(&row.path).map_err(told)?)?;
        checks.equal("what a touch writes", record.at(expires_ms - life_ms), text);
        Ok(())
    }

    /// Node.js deletes what it cannot parse.
    async fn stays_when_it_is_cut_off(
        &self,
        row: &Row<'_>,
        text: &str,
        checks: &mut Checks,
    ) -> Result<(), String> {
        let half = &text[..text.len() - 1];
        self.put(row, half)?;
        let kind = row.store.get(row.sid).await.err().map(|error| error.kind());
        checks.equal("what is cut off", Some(ErrorKind::Corrupt), kind);
        row.store.remove_expired().await.map_err(told)?;
        let kept = self.decrypted(&fs::read_to_string(&row.path).map_err(told)?)?;
        checks.equal("what is left of it", half, &*kept);
        fs::remove_file(&row.path).map_err(told)
    }

    /// Writes the session at the time of the recording, and compares the file.
    async fn is_written(
        &self,
        row: &Row<'_>,
        record: &Record,
        session: &SessionData,
        checks: &mut Checks,
    ) -> Result<Outcome, String> {
        row.clock.set(self.now_ms);
        row.store.set(row.sid, session).await.map_err(told)?;
        let Some(expires_ms) = record.expiry_ms(self.now_ms, self.ttl_ms) else {
            checks.holds("no file is there", !row.path.exists());
            return Ok(EXPIRED);
        };
        let text = self.decrypted(&fs::read_to_string(&row.path).map_err(told)?)?;
        let written =
            Record::of(&text).ok_or("what was written is not what JSON.stringify prints")?;
        let last_ms = expires_ms - record.life_ms(self.ttl_ms);
        checks.equal("time", Some(last_ms), written.last_ms());
        let (wanted, came) = (record.session(), written.session());
        let read = row.store.get(row.sid).await.map_err(told)?;
        checks.equal("read again", Some(&*came), read.as_ref().map(|read| read.loaded_json()));
        if !has_cookie(&wanted) {
            checks.equal("members", members_without_cookie(&wanted), members_without_cookie(&came));
            checks.holds("the record has a cookie now", has_cookie(&came));
            return Ok(REPAIRED);
        }
        checks.equal("text", &wanted, &came);
        // In its place, if a program has given it one.
        let has_own = session.contains("__lastAccess");
        let wanted = if has_own { record.at(last_ms) } else { with_time(&wanted, last_ms) };
        checks.equal("bytes", wanted, text);
        Ok(match record.last_ms() {
            None => TIMELESS,
            Some(_) if last_ms != self.now_ms => DATED,
            Some(_) => Outcome::Passed,
        })
    }

    /// Writes a text as session-file-store has it in a file.
    fn put(&self, row: &Row<'_>, text: &str) -> Result<(), String> {
        let text = match &self.options.encryption {
            Some(encryption) => encryption.encrypt(text).map_err(told)?,
            None => text.to_owned(),
        };
        fs::write(&row.path, text).map_err(told)
    }

    fn decrypted(&self, text: &str) -> Result<String, String> {
        match &self.options.encryption {
            Some(encryption) => encryption.decrypt(text).map_err(told),
            None => Ok(text.to_owned()),
        }
    }
}

/// The session with the time at its end.
fn with_time(session: &str, last_ms: i64) -> String {
    let comma = if session.len() > 2 { "," } else { "" };
    format!("{}{comma}\"__lastAccess\":{last_ms}}}", &session[..session.len() - 1])
}

/// The recording must be what the code of the session makes.
fn is_recorded(described: &Described, record: &Record, text: &str, checks: &mut Checks) {
    checks.equal("error", None, described.throws.as_deref());
    let Some(made) = &described.text else {
        return checks.holds("the session has a text", false);
    };
    // A session with a `toJSON` of its own decides itself what is stored.
    let made = match (&described.value, record.last_ms(), Record::of(made)) {
        (Given::Replaced(..), None, _) | (_, None, _) | (_, _, None) => made.clone(),
        (_, Some(last_ms), Some(made)) => made.at(last_ms),
    };
    checks.equal("text of the session", &*made, text);
    let is_express = described.cookie_kind == CookieKind::Express;
    checks.holds("a cookie of Express is an object", !is_express || has_cookie(text));
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
