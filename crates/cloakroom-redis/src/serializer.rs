//! The option `serializer`.

use std::fmt;

use cloakroom_core::{Error, SessionData};

/// Converts sessions to the bytes of a record and back: the option `serializer` of connect-redis.
///
/// By default, the record is the JSON text of the session, as `JSON.stringify(req.session)` prints it. Implement this
/// trait for another format, such as encryption. Both sides of a shared store must use the same format.
///
/// ```
/// use cloakroom_redis::{RedisOptions, Serializer};
/// use cloakroom_core::{Error, ErrorKind, SessionData};
///
/// /// Writes a version before the text, so that the format can change later.
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
    /// Returns the bytes of the record.
    ///
    /// # Errors
    ///
    /// The implementation's own errors; nothing is stored then. An error must not contain session data.
    fn stringify(&self, session: &SessionData) -> Result<Vec<u8>, Error>;

    /// Returns the session in a record, or `None` for a record that means "no session".
    ///
    /// # Errors
    ///
    /// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) for a record in another format. The error must not contain
    /// session data.
    fn parse(&self, record: &[u8]) -> Result<Option<SessionData>, Error>;
}

impl fmt::Debug for dyn Serializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serializer")
    }
}
