//! Keys.

use zeroize::Zeroizing;

/// A key for AES-256, wiped when it is dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;
