//! The content encryption algorithms of NextAuth and Auth.js.

/// A content encryption algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Written by next-auth 4, and read by Auth.js 5.
    A256Gcm,
    /// Written by Auth.js 5.
    A256CbcHs512,
}

impl Encryption {
    /// Returns its name in the header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::A256Gcm => "A256GCM",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }

    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    pub(crate) const fn iv_length(self) -> usize {
        match self {
            Self::A256Gcm => 12,
            Self::A256CbcHs512 => 16,
        }
    }
}
