//! The secrets that kruptein accepts.

use cloakroom_core::Error;

use super::options::KrupteinVersion;
use crate::error::config;

/// Rejects a secret with which this generation does not encrypt.
///
/// In Node.js, connect-memcached 3 ignores kruptein's error and stores the session unencrypted. Nobody would want that,
/// so here it is an error when the store is opened.
pub(super) fn check(secret: &str, version: KrupteinVersion) -> Result<(), Error> {
    if version < KrupteinVersion::V3_1_1 {
        return Ok(());
    }
    // 3.4 dropped the backslash.
    let special = match version {
        KrupteinVersion::V3_4 => "!@#$%^&*()_+-=[]{};':\"|,.<>/?",
        _ => "!@#$%^&*()_+-=[]{};':\"\\|,.<>/?",
    };
    let count = |wanted: &dyn Fn(char) -> bool| secret.chars().filter(|char| wanted(*char)).count();
    // JavaScript's `length` counts UTF-16 units.
    let strong = secret.encode_utf16().count() >= 8
        && count(&|char| char.is_ascii_uppercase()) >= 2
        && count(&|char| char.is_ascii_lowercase()) >= 2
        && count(&|char| char.is_ascii_digit()) >= 2
        && count(&|char| special.contains(char)) >= 2;
    if strong {
        return Ok(());
    }
    Err(config(format!(
        "invalid option \"secret\": kruptein requires at least 8 characters, with 2 each of A-Z, a-z, 0-9 and {special}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_judged_as_kruptein_judges_them() {
        use KrupteinVersion::*;

        for (secret, v3_1, v3_4) in [
            ("S3cre+_Squ1rr3l", true, true),
            ("AAaa11!!", true, true),
            ("AAaa11\\\\", true, false),
            ("AAaa11 !", false, false),
            ("AAaa11~`", false, false),
            ("AAaa1!!", false, false),
            ("AAaa1!!😀", false, false),
            ("AAaa111!", false, false),
            ("ÄÄaa11!!", false, false),
            ("", false, false),
        ] {
            let strong =
                [V2, V3_0, V3_1_1, V3_1_3, V3_4].map(|version| check(secret, version).is_ok());
            assert_eq!(strong, [true, true, v3_1, v3_1, v3_4], "{secret:?}");
        }
    }
}
