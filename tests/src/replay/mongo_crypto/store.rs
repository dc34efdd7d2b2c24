//! What connect-mongo 6 reads through its adapters.

use std::sync::Arc;

use cloakroom_encryption::{Counterpart, Encryption, Kruptein, KrupteinOptions, WebCrypto};

use super::{
    super::{Outcome, not_applicable, report::Checks},
    given_to_webcrypto, refused, same_text,
    server::Bench,
};
use crate::json::Json;

/// Checks each answer of the section. The secret is that of a row in the section `webcrypto`.
pub(super) fn check(
    store: &Json,
    rows: &[Json],
    bench: Option<&Bench>,
) -> Option<Vec<(&'static str, Outcome)>> {
    let text = |name| store.get(name)?.text();
    let (stored, plaintext) = (text("session")?, text("plaintext")?);
    let mut options: Vec<&Json> = rows.iter().filter_map(|row| row.get("options")).collect();
    options.dedup();
    let mut given = options.into_iter().filter_map(given_to_webcrypto);
    let mut checks = Checks::default();
    checks.equal("type", store.get("type")?, &Json::from("string"));
    let Some((secret, options, webcrypto)) = given.find_map(|(secret, options)| {
        let webcrypto = WebCrypto::new(&secret, options.clone()).ok()?;
        webcrypto.decrypt(&stored).is_ok().then_some((secret, options, webcrypto))
    }) else {
        return Some(vec![("session", Outcome::failed("secret", "one of a row", "none"))]);
    };
    same_text("decrypted", &plaintext, webcrypto.decrypt(&stored), &mut checks);
    checks.equal("what connect-mongo read", read(store.get("got")?), Json::parse(&plaintext).ok());
    let mut outcomes = vec![("session", checks.outcome())];

    let mut checks = Checks::default();
    let other = WebCrypto::new(format!("{secret}x"), options).ok()?;
    refused("another secret", other.decrypt(&stored), &plaintext, &mut checks);
    is_operation_error(
        store.get("wrong"),
        "The operation failed for an operation-specific reason",
        &mut checks,
    );
    outcomes.push(("wrong", checks.outcome()));

    let mut checks = Checks::default();
    let plaintext = text("stringify_false_plaintext")?;
    same_text(
        "a round",
        &plaintext,
        webcrypto.decrypt(&webcrypto.encrypt(&plaintext).ok()?),
        &mut checks,
    );
    let found = read(store.get("stringify_false_get")?);
    checks.equal("what connect-mongo read", found, Json::parse(&plaintext).ok());
    outcomes.push(("stringify_false_get", checks.outcome()));

    let mut checks = Checks::default();
    refused("no ciphertext", webcrypto.decrypt(&plaintext), &plaintext, &mut checks);
    is_operation_error(
        store.get("reads_plain_string"),
        "The provided data is too small.",
        &mut checks,
    );
    outcomes.push(("reads_plain_string", checks.outcome()));

    let mut checks = Checks::default();
    let kruptein = Kruptein::new(&secret, KrupteinOptions::of(Counterpart::ConnectMongo6)).ok()?;
    refused("no ciphertext", kruptein.decrypt(&plaintext), &plaintext, &mut checks);
    let refusal = store.get("kruptein_reads_plain_string")?.items().first()?.get("v")?;
    checks.equal("error", &Json::from("Unable to parse ciphertext object!"), refusal);
    outcomes.push(("kruptein_reads_plain_string", checks.outcome()));

    if let (Some(calls), Some(bench)) = (store.get("reads_plain_object_stringify_false"), bench) {
        let outcome = bench.document(&read(calls)?, Arc::new(webcrypto));
        outcomes.push(("reads_plain_object_stringify_false", outcome));
    }
    if let Some(reason) = not_applicable::of_vector("webcrypto_store", store) {
        outcomes.push(("both_options", Outcome::NotApplicable(reason)));
    }
    Some(outcomes)
}

/// Checks that a callback got WebCrypto's error with this message.
fn is_operation_error(calls: Option<&Json>, message: &str, checks: &mut Checks) {
    let known = [("t", "Error"), ("name", "OperationError"), ("message", message)];
    let mut known: Vec<_> = known.map(|(name, text)| (name.into(), Json::from(text))).into();
    known.push(("code".into(), Json::Number(0.0)));
    checks.equal("error", Some(&Json::Array(vec![Json::object(known)])), calls);
}

/// Returns the value of a callback without an error.
fn read(calls: &Json) -> Option<Json> {
    match calls.items() {
        [error, value] if error.get("t") == Some(&Json::from("null")) => plain(value),
        _ => None,
    }
}

/// Returns the plain value of the notation that keeps types.
fn plain(value: &Json) -> Option<Json> {
    match &*value.get("t")?.text()? {
        "object" if value.get("proto") == Some(&Json::from("Object")) => {
            let members = value.get("keys")?.items().iter().map(|pair| match pair.items() {
                [Json::String(name), value] => Some((name.clone(), plain(value)?)),
                _ => None,
            });
            Some(Json::object(members.collect::<Option<_>>()?))
        }
        "number" | "string" => value.get("v").cloned(),
        _ => None,
    }
}
