//! The limit on the size of a record.

use cloakroom_core::{Error, ErrorKind};

use crate::Operation;

/// The default limit on the size of a record in bytes, 16 MiB: that of a MongoDB document, and sixteen times that of a
/// Memcached item.
pub const MAX_RECORD: u64 = 16 * 1_024 * 1_024;

/// Begins no record: JSON has no NUL, and no ciphertext begins with one.
const LEFT_OUT: &[u8] = b"\0left out: ";

/// Returns what a connection passes on instead of a value that exceeds the limit and that it does not keep.
/// [`Operation::check_value`] recognises it.
#[must_use]
pub fn left_out(bytes: u64) -> Vec<u8> {
    [LEFT_OUT, bytes.to_string().as_bytes()].concat()
}

/// Returns how many bytes the value had that was [left out](left_out), or `None` for any other value.
///
/// ```
/// use cloakroom_backend::{left_out, left_out_bytes};
///
/// assert_eq!(left_out_bytes(&left_out(52_428_800)), Some(52_428_800));
/// assert_eq!(left_out_bytes(b"{}"), None);
/// ```
#[must_use]
pub fn left_out_bytes(value: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(value.strip_prefix(LEFT_OUT)?).ok()?;
    number.parse().ok()
}

impl Operation {
    /// Rejects a record that is too large, before it is written.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) if the record has more than `most` bytes. The message has both numbers.
    pub fn check_size(&self, bytes: usize, most: u64) -> Result<(), Error> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes <= most { Ok(()) } else { Err(self.above_limit(bytes, most)) }
    }

    /// Rejects a stored value that is too large, or that was [left out](left_out) for that reason, before it is parsed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_backend::{Idempotency, Operation, left_out};
    ///
    /// let operation = Operation::start("redis", "get", Idempotency::Read, Duration::from_secs(5));
    /// assert!(operation.check_value(b"{}", 10).is_ok());
    /// assert_eq!(
    ///     operation.check_value(&left_out(52_428_800), 16_777_216).unwrap_err().to_string(),
    ///     "redis: get: the record is 52428800 bytes long; the limit is 16777216 (maxRecord)",
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`check_size`](Self::check_size).
    pub fn check_value(&self, value: &[u8], most: u64) -> Result<(), Error> {
        match left_out_bytes(value) {
            Some(bytes) => Err(self.above_limit(bytes, most)),
            None => self.check_size(value.len(), most),
        }
    }

    /// Returns the error for a record of this size.
    #[must_use]
    pub fn above_limit(&self, bytes: u64, most: u64) -> Error {
        let message = format!("the record is {bytes} bytes long; the limit is {most} (maxRecord)");
        self.error(ErrorKind::TooLarge, message)
    }
}
