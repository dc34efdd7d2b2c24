//! Encrypted tokens: written again byte for byte, read, and refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_authjs::{
    AuthJs, AuthJsOptions, AuthJsVersion, Claims, TokenRefusal,
    for_tests::{insecure_open, insecure_seal},
};
use cloakroom_core::ErrorKind;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use super::{Row, header, members, request, secrets};
use crate::replay::{Outcome, report::Checks};

const STRICTER: Outcome = Outcome::PassedDifferently(
    "a token that no honest writer makes, and that the package accepts: refused here",
);
const KINDER: Outcome = Outcome::PassedDifferently(
    "a token without the name of its key, written with another secret than the first: read here",
);

/// What the package accepts and this code refuses, by the name of the row.
const STRICTER_ROWS: [(&str, TokenRefusal); 7] = [
    ("padding added to tag", TokenRefusal::Malformed),
    ("trailing newline", TokenRefusal::Malformed),
    ("last char of tag, unused bits changed", TokenRefusal::Malformed),
    ("A128CBC-HS256 with the same 32 byte key", TokenRefusal::Algorithm),
    ("A256KW + A256GCM with the same 32 byte key", TokenRefusal::Malformed),
    ("A256GCMKW + A256GCM with the same 32 byte key", TokenRefusal::Malformed),
    ("payload with invalid utf-8", TokenRefusal::Payload),
];

/// What the package refuses and this code accepts.
const KINDER_ROWS: [&str; 2] = [
    "A256CBC-HS512 without kid, second secret of the array",
    "A256GCM without kid, second secret of the array",
];

/// Why this code refuses what the package refuses too, by the name of the row.
const REFUSALS: &[(&str, TokenRefusal)] = &[
    ("empty string", TokenRefusal::Malformed),
    ("wrong secret", TokenRefusal::Decryption),
    ("wrong salt", TokenRefusal::Decryption),
    ("cut by one", TokenRefusal::Malformed),
    ("cut to half", TokenRefusal::Malformed),
    ("four parts", TokenRefusal::Malformed),
    ("six parts", TokenRefusal::Malformed),
    ("non-empty encrypted key part", TokenRefusal::Malformed),
    ("header enc swapped", TokenRefusal::Algorithm),
    ("header alg none", TokenRefusal::Algorithm),
    ("unsecured jwt alg none", TokenRefusal::Malformed),
    ("HS256 jws with the derived key", TokenRefusal::Malformed),
    ("header crit unknown", TokenRefusal::Header),
    ("A128CBC-HS256, 32 byte key", TokenRefusal::Algorithm),
    ("A256KW + A256GCM, 32 byte key", TokenRefusal::Malformed),
    ("A256CBC-HS512, kid wrong", TokenRefusal::UnknownKey),
    ("A256CBC-HS512, kid empty string", TokenRefusal::UnknownKey),
    ("A256CBC-HS512, kid null", TokenRefusal::UnknownKey),
    ("exp = now - 15", TokenRefusal::Expired),
    ("exp = now - 16", TokenRefusal::Expired),
    ("exp string", TokenRefusal::ClaimType),
    ("exp null", TokenRefusal::ClaimType),
    ("nbf = now + 16", TokenRefusal::NotYetValid),
    ("nbf string", TokenRefusal::ClaimType),
    ("iat string", TokenRefusal::ClaimType),
    ("payload is a json array", TokenRefusal::Payload),
    ("payload is not json", TokenRefusal::Payload),
];

pub(super) fn jwt(row: &Row<'_>) -> Option<Outcome> {
    let codec = row.codec()?.ok()?;
    let token = row.output("jwe").as_str()?;
    let mut checks = Checks::default();
    let text = insecure_open(&codec, token);
    if row.is_accepted()? {
        let expected = row.output("payload_text").as_str()?;
        checks.equal("text", Ok(expected), text.as_deref());
        let iv = URL_SAFE_NO_PAD.decode(token.split('.').nth(2)?).ok()?;
        let again = insecure_seal(&codec, expected, &iv).map_err(|error| error.to_string());
        checks.equal("written again", Ok(token), again.as_deref());
        compare(&mut checks, row.output("decoded"), codec.decode(token, row.now_ms));
    } else {
        // The one row that is refused has not become valid yet, as its claims say.
        let code = row.output("error")["code"].as_str();
        checks.equal("code", Some("ERR_JWT_CLAIM_VALIDATION_FAILED"), code);
        let came = codec.decode(token, row.now_ms).err();
        checks.equal("refusal", Some(TokenRefusal::NotYetValid), came);
    }
    Some(checks.outcome())
}

pub(super) fn verdict(row: &Row<'_>) -> Option<Outcome> {
    let name = row.name();
    let token = row.input("jwe").as_str()?;
    let mut checks = Checks::default();
    let is_accepted = row.is_accepted()?;
    // For an empty token the packages return null, without an error.
    let gave = row.output("ok").as_bool()? && !row.output("value").is_null();
    checks.equal("verdict", gave, is_accepted);
    checks.equal("ok", row.json["output"].get("value").is_some(), row.output("ok") == true);
    let codec = match row.codec()? {
        Ok(codec) => codec,
        Err(error) => {
            checks.equal("secret", (ErrorKind::Config, false), (error.kind(), is_accepted));
            return Some(checks.outcome());
        }
    };
    let came = codec.decode(token, row.now_ms);
    if is_accepted
        && let Some((_, refusal)) = STRICTER_ROWS.iter().find(|(known, _)| *known == name)
    {
        checks.equal("refusal", Some(*refusal), came.err());
        checks.holds("it is recorded what the package read", row.output("value").is_object());
        return Some(checks.outcome_or(STRICTER));
    }
    if is_accepted {
        compare(&mut checks, row.output("value"), came);
        return Some(checks.outcome());
    }
    if KINDER_ROWS.contains(&name) {
        checks.holds("read", came.is_ok());
        return Some(checks.outcome_or(KINDER));
    }
    checks.holds("refused", came.is_err());
    let known = REFUSALS.iter().find(|(known, _)| *known == name);
    let is_of_4 = row.version == AuthJsVersion::NextAuth4;
    // Auth.js 5 finds no key by the name of one that was derived from something else.
    if let Some((_, refusal)) = known.filter(|_| is_of_4 || !name.starts_with("wrong ")) {
        checks.equal("refusal", Some(*refusal), came.err());
    }
    Some(checks.outcome())
}

fn compare(checks: &mut Checks, expected: &Value, came: Result<Claims, TokenRefusal>) {
    let read = |claims: Claims| serde_json::from_str::<Value>(&claims.to_json()).ok();
    checks.equal("claims", Ok(Some(expected)), came.map(read).as_ref().map(Option::as_ref));
}

pub(super) fn secret(row: &Row<'_>) -> Option<Outcome> {
    let Some(secrets) = secrets(row.input("secret")) else {
        return Some(Outcome::NotApplicable("a secret that has another type in Rust"));
    };
    if secrets.len() != 1 {
        return Some(Outcome::NotApplicable("a list of secrets, which next-auth 4 does not take"));
    }
    let mut checks = Checks::default();
    let is_accepted = row.is_accepted()?;
    checks.equal("verdict", row.output("ok").as_bool()?, is_accepted);
    match row.codec()? {
        Ok(codec) => {
            checks.holds("accepted", is_accepted);
            let text = insecure_open(&codec, row.output("value").as_str()?);
            checks.holds("read", text.is_ok());
        }
        Err(error) => {
            checks.equal("kind", (ErrorKind::Config, false), (error.kind(), is_accepted));
        }
    }
    Some(checks.outcome())
}

pub(super) fn get_token(row: &Row<'_>) -> Option<Outcome> {
    let inputs = &row.json["inputs"];
    let Some(secrets) = secrets(&inputs["secret"]) else {
        return Some(Outcome::NotApplicable("a site without a secret"));
    };
    if inputs["raw"] == true {
        return Some(Outcome::NotApplicable("a token that is not checked"));
    }
    let site = |options: AuthJsOptions| AuthJs::jwt(options, secrets.clone()).ok();
    let mut options = row.options();
    options = options.with_secure_cookies(inputs["secureCookie"] == true);
    if let Some(name) = inputs["cookieName"].as_str() {
        options = options.with_cookie_name(name);
    }
    if let Some(salt) = inputs["salt"].as_str() {
        options = options.with_salt(salt);
    }
    let auth = site(options)?;
    let given = inputs.get("req").unwrap_or(inputs);
    let mut headers: HeaderMap = match given.get("cookies") {
        Some(cookies) => request(members(cookies)?)?,
        None => header(given["headers"]["cookie"].as_str().unwrap_or_default())?,
    };
    if let Some(bearer) = given["headers"]["authorization"].as_str() {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(bearer).ok()?);
    }
    let came = auth.get_token(&headers);
    let mut checks = Checks::default();
    checks.holds("ok", row.output("ok") == true);
    if row.is_accepted()? {
        compare(&mut checks, row.output("value"), came.map(Option::unwrap_or_default));
    } else {
        checks.equal("value", Some(&Value::Null), row.json["output"].get("value"));
        checks.holds("refused", !matches!(came, Ok(Some(_))));
    }
    Some(checks.outcome())
}
