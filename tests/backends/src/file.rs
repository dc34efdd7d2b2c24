//! The files of a folder, as session-file-store 1.5.0 reads and writes them.

use std::{fmt, fs, io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::Clock;

type Transform = Arc<dyn Fn(&str) -> Result<String, AccessError> + Send + Sync>;

const NAME: &str = r#""__lastAccess":"#;
/// The option `ttl`, which is not set.
const HOUR_MS: f64 = 3_600_000.0;

/// The records of session-file-store in a folder.
#[derive(Clone)]
pub struct RawFiles {
    folder: PathBuf,
    clock: Clock,
    encrypt: Transform,
    decrypt: Transform,
}

impl fmt::Debug for RawFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawFiles").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl RawFiles {
    /// The records in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let as_it_is: Transform = Arc::new(|text| Ok(text.to_owned()));
        Self {
            folder: folder.into(),
            clock: Clock::system(),
            encrypt: Arc::clone(&as_it_is),
            decrypt: as_it_is,
        }
    }

    /// The same access for a store that goes by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same access to records that are encrypted.
    #[must_use]
    pub fn with_encryption(
        mut self,
        encrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
        decrypt: impl Fn(&str) -> Result<String, AccessError> + Send + Sync + 'static,
    ) -> Self {
        (self.encrypt, self.decrypt) = (Arc::new(encrypt), Arc::new(decrypt));
        self
    }

    fn path(&self, sid: &str) -> PathBuf {
        self.folder.join(format!("{sid}.json"))
    }

    fn text(&self, sid: &str) -> Result<Option<String>, AccessError> {
        match fs::read_to_string(self.path(sid)) {
            Ok(text) => (self.decrypt)(&text).map(Some),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }
}

#[async_trait]
impl RawAccess for RawFiles {
    /// The member goes last, where session-file-store has it.
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        let is_session = record.starts_with('{') && record.ends_with('}');
        let text = if is_session {
            // Two hours ahead, so that a session with a short max age lives as long as is asked for.
            let last_ms = self.clock.now_ms() + 7_200_000;
            format!("{},{NAME}{last_ms}}}", &record[..record.len() - 1])
        } else {
            record.to_owned()
        };
        fs::create_dir_all(&self.folder)?;
        let text = if text.is_empty() { text } else { (self.encrypt)(&text)? };
        Ok(fs::write(self.path(sid), text)?)
    }

    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.path(sid), (self.encrypt)(record)?)?;
        Ok(true)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        let Some(text) = self.text(sid)? else { return Ok(None) };
        let Some((before, behind)) = text.rsplit_once(NAME) else { return Ok(Some(text)) };
        let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit() || "-.".contains(c));
        // It has its place in the middle once Node.js has read the session and added a member.
        let before = before.strip_suffix(',').unwrap_or(before);
        Ok(Some([before, behind].concat()))
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        let Some(text) = self.text(sid)? else { return Ok(None) };
        let number = |name: &str| {
            let (_, behind) = text.rsplit_once(name)?;
            behind.split([',', '}']).next()?.parse::<f64>().ok()
        };
        let Some(last_ms) = number(NAME) else { return Ok(None) };
        let life_ms = number(r#""originalMaxAge":"#).unwrap_or(HOUR_MS);
        let left_ms = last_ms + life_ms - self.clock.now_ms() as f64;
        Ok(Some(Duration::from_secs_f64((left_ms / 1_000.0).max(0.0))))
    }
}
