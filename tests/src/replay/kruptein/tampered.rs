//! Texts that were modified, and texts of another instance.

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_encryption::{Encryption, Kruptein, KrupteinPlaintext};

use super::{
    super::{Outcome, report::Checks},
    READ, Version, is_refused, options, refused, same_text, value,
};
use crate::json::Json;

const REFUSED: Outcome = Outcome::PassedDifferently(
    "a changed HMAC that this version of kruptein accepts: here it is an error",
);

/// Checks a text that was modified, or one that another instance wrote.
pub(super) fn check(row: &Json, secret: &str) -> Option<Outcome> {
    let version = Version::parse(&row.get("version")?.text()?)?;
    let mut given = vec![];
    if let Some(algorithm) = row.get("alg") {
        given.push(("algorithm".into(), algorithm.clone()));
    }
    let mut options = options(version, &Json::object(given))?;
    options.plaintext = KrupteinPlaintext::Text;
    let new = || Kruptein::insecure_with_weak_secret(secret, options.clone()).ok();
    let (a, b) = (new()?, new()?);

    let mut checks = Checks::default();
    let result = row.get("result")?;
    let found = version.value(value(result));
    match &*row.get("test")?.text()? {
        "instance a (has written) reads what instance b wrote" => {
            let text = found.as_ref().map_or(Some("B".to_owned()), Json::text)?;
            a.encrypt("A").ok()?;
            same_text("what b wrote", &text, a.decrypt(&b.encrypt(&text).ok()?), &mut checks);
            checks.holds("a known result", found.is_some() || is_refused(result));
            Some(checks.outcome_or(if found.is_some() { Outcome::Passed } else { READ }))
        }
        "first byte of hmac changed" => {
            let text = found.as_ref().map_or(Some("hello".to_owned()), Json::text)?;
            let stored = b.encrypt(&text).ok()?;
            let changed = with_changed_hmac(&stored)?;
            refused("a changed HMAC", b.decrypt(&changed), &text, &mut checks);
            same_text("the same unchanged", &text, b.decrypt(&stored), &mut checks);
            checks.holds("a known result", found.is_some() || is_refused(result));
            Some(checks.outcome_or(if found.is_some() { REFUSED } else { Outcome::Passed }))
        }
        _ => None,
    }
}

/// Returns the DER with another first byte in its second string.
fn with_changed_hmac(stored: &str) -> Option<String> {
    let mut der = BASE64_STANDARD.decode(stored).ok()?;
    let (sequence, _) = content(&der, 0)?;
    let (_, ciphertext_end) = content(&der, sequence)?;
    let (hmac, _) = content(&der, ciphertext_end)?;
    let first = der.get_mut(hmac)?;
    *first = if *first == b'A' { b'B' } else { b'A' };
    Some(BASE64_STANDARD.encode(der))
}

/// Returns where the content of the item at this place begins and ends.
fn content(der: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *der.get(at + 1)?;
    if first < 0x80 {
        return Some((at + 2, at + 2 + usize::from(first)));
    }
    let start = at + 2 + usize::from(first & 0x7f);
    let length =
        der.get(at + 2..start)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((start, start + length))
}
