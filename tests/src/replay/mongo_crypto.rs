//! Kind `mongo-crypto`: what connect-mongo 6 encrypts with WebCrypto, and connect-mongo 3 with its own code.

mod server;
mod store;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use cloakroom_encryption::{
    ConnectMongo3, ConnectMongo3Options, Encryption, WebCrypto, WebCryptoAlgorithm,
    WebCryptoOptions, for_tests::EncryptWith,
};

use super::{
    Kind, Outcome, Report,
    kruptein::{encode_as, hashing, refused, same_text},
    notation::unhex,
    parallel,
    report::Checks,
};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "mongo-crypto",
    about: "what connect-mongo encrypted with WebCrypto, and version 3 by itself (starts a mongod of its own)",
    replay,
};

/// Checks a row. Returns `None` if it is malformed.
type Check = fn(&Json) -> Option<Outcome>;

fn replay(file: &Json, report: &mut Report) {
    let rows = |section| file.get(section).map_or(&[][..], Json::items);
    let form = || Outcome::failed("form", "that of the kind", "another");
    let sections: [(&str, Check); 2] = [("webcrypto", webcrypto), ("cm3_crypto", connect_mongo_3)];
    for (section, check) in sections {
        let outcomes = parallel::map(rows(section), |row| check(row).unwrap_or_else(form));
        for (row, outcome) in rows(section).iter().zip(outcomes) {
            let label = row.get("label").and_then(Json::text).unwrap_or_default();
            report.add(format!("{section} {label}"), outcome);
        }
    }
    let store = file.get("webcrypto_store");
    let document = store.and_then(|store| store.get("reads_plain_object_stringify_false"));
    let bench = if document.is_some() || !rows("index_conflict").is_empty() {
        match server::Bench::start() {
            Ok(bench) => Some(bench),
            Err(error) => {
                return report.add("mongod", Outcome::failed("start", "a server", error));
            }
        }
    } else {
        None
    };
    for row in rows("index_conflict") {
        let outcome = bench.as_ref().and_then(|bench| bench.index(row));
        let label = row.get("label").and_then(Json::text).unwrap_or_default();
        report.add(format!("index_conflict {label}"), outcome.unwrap_or_else(form));
    }
    if let Some(store) = store {
        let outcomes = store::check(store, rows("webcrypto"), bench.as_ref());
        for (id, outcome) in outcomes.unwrap_or_else(|| vec![("", form())]) {
            report.add(format!("webcrypto_store {id}"), outcome);
        }
    }
}

/// Returns the secret and the options of a row.
fn given_to_webcrypto(given: &Json) -> Option<(String, WebCryptoOptions)> {
    let mut secret = None;
    let mut options = WebCryptoOptions::default();
    for (name, value) in given.members() {
        match &*name.to_str()? {
            "secret" => secret = value.text(),
            "algorithm" => {
                options.algorithm = match &*value.text()? {
                    "AES-GCM" => WebCryptoAlgorithm::AesGcm,
                    "AES-CBC" => WebCryptoAlgorithm::InsecureAesCbc,
                    _ => return None,
                }
            }
            "encoding" => options.encoding = encode_as(&value.text()?)?,
            "salt" => options.salt = value.text()?.into(),
            "iterations" => options.iterations = value.number()? as u32,
            "ivLength" => options.iv_length = Some(value.number()? as usize),
            _ => return None,
        }
    }
    Some((secret?, options))
}

fn webcrypto(row: &Json) -> Option<Outcome> {
    let (secret, options) = given_to_webcrypto(row.get("options")?)?;
    let (plaintext, stored) = (row.get("plaintext")?.text()?, row.get("stored")?.text()?);
    let webcrypto = match WebCrypto::new(&secret, options.clone()) {
        Ok(webcrypto) => webcrypto,
        Err(error) => return Some(Outcome::failed("new", "an instance", error.to_string())),
    };
    let mut checks = Checks::default();
    same_text(
        "decrypted",
        &row.get("decrypts_to")?.text()?,
        webcrypto.decrypt(&stored),
        &mut checks,
    );

    // The IV comes first.
    let bytes = decode(&stored, row.get("options")?.get("encoding"))?;
    let written = webcrypto.insecure_encrypt_with(&plaintext, &mut |iv| {
        if let Some(recorded) = bytes.get(..iv.len()) {
            iv.copy_from_slice(recorded);
        }
    });
    checks.equal("written again", &stored, &written);

    if let Some(error) = row.get("wrong_secret") {
        let refusal = "OperationError: The operation failed for an operation-specific reason";
        checks.equal("error of another secret", error, &Json::from(refusal));
    }
    let other = WebCrypto::new(format!("{secret}x"), options).ok()?;
    refused("another secret", other.decrypt(&stored), &plaintext, &mut checks);
    Some(checks.outcome())
}

/// Decodes a text, from base64 by default.
fn decode(text: &str, encoding: Option<&Json>) -> Option<Vec<u8>> {
    match &*encoding.map_or(Some("base64".to_owned()), Json::text)? {
        "base64" => BASE64_STANDARD.decode(text).ok(),
        "base64url" => BASE64_URL_SAFE_NO_PAD.decode(text).ok(),
        "hex" => unhex(text),
        _ => None,
    }
}

fn connect_mongo_3(row: &Json) -> Option<Outcome> {
    let given = row.get("options")?;
    let mut secret = None;
    let mut options = ConnectMongo3Options::default();
    for (name, value) in given.members() {
        match &*name.to_str()? {
            "secret" => secret = value.text(),
            "hashing" => options.hashing = hashing(&value.text()?)?,
            "encodeas" => options.encode_as = encode_as(&value.text()?)?,
            _ => return None,
        }
    }
    let secret = secret?;
    let new = |secret: &str| ConnectMongo3::new(secret, options.clone());
    let connect_mongo_3 = match new(&secret) {
        Ok(connect_mongo_3) => connect_mongo_3,
        Err(error) => return Some(Outcome::failed("new", "an instance", error.to_string())),
    };
    let session = row.get("session")?.stringify();
    let ciphertext = row.get("ciphertext")?.text()?;
    let field = row.get("stored_field_stringify_true")?.text()?;

    let mut checks = Checks::default();
    checks.equal("what connect-mongo read", &row.get("get")?.text()?, &session);
    same_text("ciphertext", &session, connect_mongo_3.decrypt(&ciphertext), &mut checks);
    same_text("field", &session, connect_mongo_3.decrypt(&field), &mut checks);
    refused(
        "another secret",
        new(&format!("{secret}x")).ok()?.decrypt(&field),
        &session,
        &mut checks,
    );

    let hex = Json::from("hex");
    let iv = Json::parse(&ciphertext).ok()?.get("iv")?.text()?;
    let iv = decode(&iv, Some(given.get("encodeas").unwrap_or(&hex)))?;
    let written = connect_mongo_3.insecure_encrypt_with(&session, &mut |bytes| {
        if bytes.len() == iv.len() {
            bytes.copy_from_slice(&iv);
        }
    });
    checks.equal("written again", &field, &written);
    checks.equal("field of the ciphertext", &field, &Json::from(&*ciphertext).stringify());
    Some(checks.outcome())
}
