//! Keys.

use zeroize::Zeroizing;

/// A key for AES-256. Dropping it erases the bytes.
pub(crate) type Key = Zeroizing<[u8; 32]>;
