//! csrf-sync 4.2.

use cloakroom_core::Error;
use subtle::ConstantTimeEq;

/// The package's option `size` is 128 bytes by default. A token of any other size is checked as well.
pub(super) fn secret() -> Result<String, Error> {
    Ok(super::random::<128>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn is_valid(secret: &str, token: &str) -> bool {
    secret.as_bytes().ct_eq(token.as_bytes()).into()
}
