//! Kind `kruptein`: what each version of kruptein encrypts, which version reads which, and which secrets it accepts.
//!
//! Each ciphertext is decrypted, rejected with another secret, and encrypted again with the recorded random bytes.

mod tampered;
mod version;

use cloakroom_core::{Error, ErrorKind};
use cloakroom_encryption::{
    Counterpart, EncodeAs, Encryption, Hashing, Kruptein, KrupteinAlgorithm, KrupteinOptions,
    KrupteinPlaintext, for_tests::EncryptWith,
};

use self::version::Version;
use super::{Kind, Outcome, Report, parallel, report::Checks};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "kruptein",
    about: "what each version of kruptein encrypted, and which reads which",
    replay,
};

const DAMAGED: Outcome = Outcome::PassedDifferently(
    "a text that kruptein 2.0 damaged before it encrypted it: an error here, and never written",
);
const READ: Outcome = Outcome::PassedDifferently(
    "a ciphertext that this version of kruptein cannot read: here it is read",
);
const OTHER_AAD: Outcome = Outcome::PassedDifferently(
    "a ciphertext of kruptein 2.0.8 to 2.0.10, whose additional data is derived from the key: here it is random bytes, as from 2.1 on",
);
/// The errors with which kruptein calls back.
const REFUSALS: [&str; 6] = [
    "Encrypted session was tampered with!",
    "Encrypted session was tampered with! (timing)",
    "Unable to decrypt ciphertext!",
    "Unable to parse ciphertext object!",
    "The supplied secret failed to meet complexity requirements!",
    "TypeError: Cannot read properties of null (reading 'length')",
];

fn replay(file: &Json, report: &mut Report) {
    let rows = |section| file.get(section).map_or(&[][..], Json::items);
    let Some(common) =
        rows("vectors").iter().find_map(|row| row.get("options")?.get("secret")?.text())
    else {
        return;
    };
    let form = |section| Outcome::failed("form of the row", section, "another");

    let outcomes = parallel::map(rows("vectors"), |row| {
        vector(row, &common).unwrap_or_else(|| form("vectors"))
    });
    for (row, outcome) in rows("vectors").iter().zip(outcomes) {
        let part = |name| row.get(name).and_then(Json::text).unwrap_or_default();
        let id = format!("{} {}: {}", part("version"), part("opts"), part("plain_kind"));
        report.add(id, outcome);
    }

    let readers = file.get("cross").map_or(&[][..], Json::members);
    let outcomes = parallel::map(readers, |(reader, row)| {
        reads_others(reader.to_str(), row, rows("vectors"), &common)
            .unwrap_or_else(|| vec![(String::new(), form("cross"))])
    });
    for ((reader, _), outcomes) in readers.iter().zip(outcomes) {
        for (writer, outcome) in outcomes {
            report.add(format!("{reader:?} reads {writer}"), outcome);
        }
    }

    let outcomes = parallel::map(rows("tamper"), |row| {
        tampered::check(row, &common).unwrap_or_else(|| form("tamper"))
    });
    for (row, outcome) in rows("tamper").iter().zip(outcomes) {
        report.add(row.stringify(), outcome);
    }
    for row in rows("complexity") {
        report.add(row.stringify(), complexity(row).unwrap_or_else(|| form("complexity")));
    }
}

/// Returns the options of a vector. They default to those of this version.
fn options(version: Version, given: &Json) -> Option<KrupteinOptions> {
    let mut options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
    options.version = version.generation();
    (options.encode_as, options.hashing, options.iv_size) =
        (version.encoding(), version.hashing(), None);
    set_options(&mut options, given)?;
    options.use_asn1 |= version.writes_der();
    Some(options)
}

/// Sets the given options, by their names in kruptein. Returns `None` for an unknown option.
pub(super) fn set_options(options: &mut KrupteinOptions, given: &Json) -> Option<()> {
    for (name, value) in given.members() {
        match (&*name.to_str()?, value) {
            ("secret", Json::String(_)) => {}
            ("algorithm", value) if *value == Json::from("aes-256-gcm") => {}
            ("algorithm", value) if *value == Json::from("aes-256-cbc") => {
                options.algorithm = KrupteinAlgorithm::InsecureAes256Cbc;
            }
            ("hashing", value) => options.hashing = hashing(&value.text()?)?,
            ("encodeas", value) => options.encode_as = encode_as(&value.text()?)?,
            ("use_asn1", Json::Bool(value)) => options.use_asn1 = *value,
            ("use_scrypt", Json::Bool(value)) => options.use_scrypt = *value,
            ("iv_size", Json::Number(size)) => options.iv_size = Some(*size as usize),
            ("key_size", Json::Number(32.0)) | ("at_size", Json::Number(16.0)) => {}
            _ => return None,
        }
    }
    Some(())
}

pub(super) fn hashing(name: &str) -> Option<Hashing> {
    match name {
        "sha256" => Some(Hashing::Sha256),
        "sha384" => Some(Hashing::Sha384),
        "sha512" => Some(Hashing::Sha512),
        _ => None,
    }
}

pub(super) fn encode_as(name: &str) -> Option<EncodeAs> {
    match name {
        "base64" => Some(EncodeAs::Base64),
        "base64url" => Some(EncodeAs::Base64Url),
        "hex" => Some(EncodeAs::Hex),
        "binary" => Some(EncodeAs::Binary),
        _ => None,
    }
}

/// Compares what was decrypted with what Node.js found in the same text.
pub(super) fn same_text(
    what: &'static str,
    expected: &str,
    came: Result<String, Error>,
    checks: &mut Checks,
) {
    let came = came.map_err(|error| error.to_string());
    checks.equal(what, Ok(expected.to_owned()), came);
}

/// Checks that another secret leads to an error that reveals nothing.
pub(super) fn refused(
    what: &'static str,
    came: Result<String, Error>,
    hidden: &str,
    checks: &mut Checks,
) {
    let shown = format!("{came:?}");
    checks.equal(what, Some(ErrorKind::Corrupt), came.err().map(|error| error.kind()));
    checks.holds("the error shows nothing", hidden.len() < 5 || !shown.contains(hidden));
}

fn is_refusal(call: &Json) -> bool {
    matches!(call.members(), [(name, error)] if name == "err" && is_known_refusal(error))
}

fn is_known_refusal(error: &Json) -> bool {
    error.text().is_some_and(|error| REFUSALS.contains(&&*error))
}

/// Returns the value of the callback, if it was called with one.
fn value(calls: &Json) -> Option<&Json> {
    match calls.items() {
        [call] => match call.members() {
            [(name, value)] if name == "v" => Some(value),
            _ => None,
        },
        _ => None,
    }
}

/// Returns true if kruptein called back with a known error, and after that at most once more, with `undefined`.
fn is_refused(calls: &Json) -> bool {
    let undefined = Json::parse(r#"{"v":{"undefined":true}}"#).ok();
    match calls.items() {
        [call] => is_refusal(call),
        [call, again] => is_refusal(call) && Some(again) == undefined.as_ref(),
        _ => false,
    }
}

fn vector(row: &Json, common: &str) -> Option<Outcome> {
    let given = row.get("options")?;
    let version = Version::parse(&row.get("version")?.text()?)?;
    let mut options = options(version, given)?;
    let secret = given.get("secret").map_or(Some(common.to_owned()), Json::text)?;
    let stored = value(row.get("set")?)?.text()?;
    let plaintext = row.get("plaintext")?;
    let (session, form) = match plaintext.text() {
        Some(text) => (text, KrupteinPlaintext::Text),
        None => (plaintext.stringify(), KrupteinPlaintext::Object),
    };
    options.plaintext = form;
    let kruptein = match Kruptein::new(&secret, options.clone()) {
        Ok(kruptein) => kruptein,
        Err(error) => return Some(Outcome::failed("new", "an instance", error.to_string())),
    };

    let mut checks = Checks::default();
    let wrong = Kruptein::insecure_with_weak_secret(&format!("{secret}x"), options).ok()?;
    checks.holds(
        "it is recorded that another secret is rejected",
        is_refused(row.get("get_wrong_secret")?),
    );
    refused("another secret", wrong.decrypt(&stored), &session, &mut checks);

    let got = row.get("get")?;
    let found = version.value(value(got));
    if version.damages() {
        let garbage = value(got)?.text()?;
        checks.holds("it is recorded that kruptein damaged it", found.as_ref() != Some(plaintext));
        let came = kruptein.decrypt(&stored);
        if garbage.contains('\u{fffd}') {
            let error = came.err().map(|error| error.to_string());
            let expected = "encryption: decrypt: the decrypted text is not valid UTF-8";
            checks.equal("damaged text", Some(expected), error.as_deref());
        } else {
            same_text("damaged text", &garbage, came, &mut checks);
        }
        return Some(checks.outcome_or(DAMAGED));
    }

    // Written first, so that the key of the salt is remembered for reading.
    let mut calls = Vec::new();
    let written = kruptein.insecure_encrypt_with(&session, &mut |bytes| {
        calls.push(bytes.len() as f64);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (7 * at + 13 * calls.len()) as u8;
        }
    });
    let mut passed = Outcome::Passed;
    if version.makes_data_of_key() && calls.len() == 3 {
        // Decrypting shows that the additional data belongs to the ciphertext.
        checks.equal("written again", without_data(&stored)?, without_data(&written)?);
        calls.pop();
        passed = OTHER_AAD;
    } else {
        checks.equal("written again", &stored, &written);
    }
    let calls = Json::Array(calls.into_iter().map(Json::Number).collect());
    checks.equal("lengths of the random bytes", row.get("random_calls")?, &calls);
    same_text("decrypted", &session, kruptein.decrypt(&stored), &mut checks);
    if found.is_some() {
        checks.equal("what kruptein read", found.as_ref(), Some(plaintext));
        return Some(checks.outcome_or(passed));
    }
    checks.holds("it is recorded that kruptein could not read it", is_refused(got));
    Some(checks.outcome_or(READ))
}

/// Returns the container of version 2 without the additional data and the tag that depends on it.
fn without_data(stored: &str) -> Option<Json> {
    let container = Json::parse(stored).ok()?;
    let members = container.members().iter().filter(|(name, _)| name != "aad" && name != "at");
    Some(Json::object(members.cloned().collect()))
}

/// Checks one version of kruptein against the same text with the same options, encrypted by each other version.
fn reads_others(
    reader: Option<String>,
    row: &Json,
    vectors: &[Json],
    common: &str,
) -> Option<Vec<(String, Outcome)>> {
    let reader = Version::parse(&reader?)?;
    let is_first = |writer: &str| {
        vectors
            .iter()
            .find(|vector| vector.get("version").and_then(Json::text).as_deref() == Some(writer))
    };
    let mut kruptein = None;
    let mut outcomes = Vec::new();
    for (name, result) in row.members() {
        let name = name.to_str()?;
        let (writer, vector) = (Version::parse(&name)?, is_first(&name)?);
        if kruptein.is_none() {
            let options = options(reader, vector.get("options")?)?;
            kruptein = Kruptein::insecure_with_weak_secret(common, options).ok();
        }
        let came = kruptein.as_ref()?.decrypt(&value(vector.get("set")?)?.text()?);
        let result = result.text()?;
        let once = result.strip_suffix(" [cb x2]").unwrap_or(&result);
        let mut checks = Checks::default();
        let passed = if writer.damages() {
            refused("damaged text", came, "cookie", &mut checks);
            let garbage = value(vector.get("get")?)?.stringify();
            let read =
                result.strip_prefix("OTHER ").is_some_and(|start| garbage.starts_with(start));
            checks.holds("a known result", read || REFUSALS.contains(&once));
            if read { DAMAGED } else { Outcome::Passed }
        } else {
            same_text("decrypted", &vector.get("plaintext")?.text()?, came, &mut checks);
            let read = ["JSON-quoted string", "same string"].contains(&&*result);
            checks.holds("a known result", read || REFUSALS.contains(&once));
            if read { Outcome::Passed } else { READ }
        };
        outcomes.push((name, checks.outcome_or(passed)));
    }
    Some(outcomes)
}

/// Checks whether a version accepts a secret.
fn complexity(row: &Json) -> Option<Outcome> {
    let [version, secret, result] = row.items() else { return None };
    let version = Version::parse(&version.text()?)?;
    let came = Kruptein::new(&secret.text()?, options(version, &Json::Null)?);
    let mut checks = Checks::default();
    let kind = came.err().map(|error| error.kind());
    match &*result.text()? {
        "ok" => checks.equal("secret", None, kind),
        _ => {
            checks.equal("secret", Some(ErrorKind::Config), kind);
            checks.holds("a known result", is_known_refusal(result));
        }
    }
    Some(checks.outcome())
}
