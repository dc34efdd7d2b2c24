//! The option `serializer`.

use std::fmt;

use cloakroom_core::{Error, SessionData};

/// How a session becomes the bytes of a record, and back: the option `serializer` of connect-redis.
///
/// Without one, the record is the JSON text that `JSON.stringify(req.session)` gives. Use one for an envelope of your
/// own, such as encryption. Both sides of a shared store need the same.
///
/// ```
/// use cloakroom_redis::{RedisOptions, Serializer};
/// use cloakroom_core::{Error, ErrorKind, SessionData};
///
/// /// Puts the text behind a version, so that it can be changed one day.
/// struct Versioned;
///
/// impl Serializer for Versioned {
///     fn stringify(&self, session: &SessionData) -> Result<Vec<u8>, Error> {
///         Ok(format!("v1:{}", session.to_json()).into_bytes())
///     }
///
///     fn parse(&self, record: &[u8]) -> Result<Option<SessionData>, Error> {
///         match record.strip_prefix(b"v1:") {
///             Some(json) => SessionData::from_record(json.to_vec()),
///             None => Err(Error::new(ErrorKind::Corrupt, "versioned", "parse", "no version")),
///         }
///     }
/// }
///
/// let mut options = RedisOptions::default();
/// options.serializer = Some(std::sync::Arc::new(Versioned));
/// ```
pub trait Serializer: Send + Sync {
    /// The bytes of the record.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being stored; nothing is sent then. The error must not print session data.
    fn stringify(&self, session: &SessionData) -> Result<Vec<u8>, Error>;

    /// The session in a record. `None` for one that stands for "no session".
    ///
    /// # Errors
    ///
    /// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) for a record that is not one of ours. The error must not print
    /// session data.
    fn parse(&self, record: &[u8]) -> Result<Option<SessionData>, Error>;
}

impl fmt::Debug for dyn Serializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serializer")
    }
}
