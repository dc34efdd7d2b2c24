//! The three forms of the cookie cache, and its chunks.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::{CookieParser, json};

use super::{jwe, keys::Keys, login::BetterAuthLogin};
use crate::sealed::{Content, Refusal, cookies};

/// The chunks of a cache have the numbers below this.
const CHUNKS: usize = 100;

/// `getCookieCache` gives encrypted tokens this tolerance, in seconds.
const TOLERANCE: i64 = 15;

/// What is checked of a verified cache.
#[derive(Clone, Copy)]
pub(super) struct Checks<'a> {
    pub(super) now_ms: i64,
    pub(super) version: &'a str,
}

impl Checks<'_> {
    /// Makes a login of `{"session","user","updatedAt","version"}`.
    fn login(self, content: &Content) -> Result<BetterAuthLogin, Refusal> {
        let login = BetterAuthLogin::of(content)?;
        login.check_expiry(self.now_ms)?;
        // A cache without a version has the default one.
        let version = content.get_json("version").map_or(Some("1".into()), json::unquote);
        if version.as_deref() == Some(self.version) {
            Ok(login)
        } else {
            Err(Refusal::OtherVersion)
        }
    }

    /// Checks the times of a token, which are in whole seconds.
    fn claims(self, content: &Content, tolerance: i64) -> Result<(), Refusal> {
        let now = self.now_ms.div_euclid(1_000) as f64;
        let time = |name| match content.get_json(name) {
            Some(json) => json.parse::<f64>().map(Some).map_err(|_| Refusal::InvalidContent),
            None => Ok(None),
        };
        let expires = time("exp")?.ok_or(Refusal::InvalidContent)?;
        if expires <= now - tolerance as f64 {
            return Err(Refusal::Expired);
        }
        match time("nbf")? {
            Some(not_before) if not_before > now + tolerance as f64 => Err(Refusal::NotYetValid),
            _ => Ok(()),
        }
    }
}

/// `{"session":P,"expiresAt":ms,"signature":mac}`: P is signed with the expiry as its last member.
pub(super) fn compact(
    keys: &Keys,
    value: &str,
    checks: Checks<'_>,
) -> Result<BetterAuthLogin, Refusal> {
    let content = decode(value).ok_or(Refusal::Malformed)?;
    let member = |name| content.get_json(name).ok_or(Refusal::Malformed);
    let (inner, expires) = (member("session")?, member("expiresAt")?);
    let signature = json::unquote(member("signature")?).ok_or(Refusal::Malformed)?;
    let open = inner.strip_suffix('}').ok_or(Refusal::Malformed)?;
    let comma = if open == "{" { "" } else { "," };
    let signed = [open, comma, "\"expiresAt\":", expires, "}"].map(str::as_bytes);
    if !keys.verifies(&signed, &signature) {
        return Err(Refusal::NotVerified);
    }
    let expires: f64 = expires.parse().map_err(|_| Refusal::InvalidContent)?;
    if expires < checks.now_ms as f64 {
        return Err(Refusal::Expired);
    }
    checks.login(&Content::from_json(inner).map_err(|_| Refusal::InvalidContent)?)
}

/// A JSON Web Token with HS256.
pub(super) fn jwt(
    keys: &Keys,
    value: &str,
    checks: Checks<'_>,
) -> Result<BetterAuthLogin, Refusal> {
    let parts: Vec<&str> = value.splitn(4, '.').collect();
    let [header, payload, signature] = parts[..] else { return Err(Refusal::Malformed) };
    let head = decode(header).ok_or(Refusal::Malformed)?;
    if head.get_json("alg") != Some("\"HS256\"") || head.get_json("crit").is_some() {
        return Err(Refusal::OtherAlgorithm);
    }
    if !keys.verifies(&[header.as_bytes(), b".", payload.as_bytes()], signature) {
        return Err(Refusal::NotVerified);
    }
    let content = decode(payload).ok_or(Refusal::InvalidContent)?;
    checks.claims(&content, 0)?;
    checks.login(&content)
}

/// An encrypted token.
pub(super) fn jwe(
    keys: &Keys,
    value: &str,
    checks: Checks<'_>,
) -> Result<BetterAuthLogin, Refusal> {
    let parts: Vec<&str> = value.splitn(6, '.').collect();
    let [header, "", iv, ciphertext, tag] = parts[..] else { return Err(Refusal::Malformed) };
    let head = decode(header).ok_or(Refusal::Malformed)?;
    let is = |name, value| head.get_json(name) == Some(value);
    let other = ["crit", "zip"].iter().any(|name| head.get_json(name).is_some());
    if other || !is("alg", "\"dir\"") || !is("enc", "\"A256CBC-HS512\"") {
        return Err(Refusal::OtherAlgorithm);
    }
    let kid = match head.get_json("kid") {
        Some(kid) => Some(json::unquote(kid).ok_or(Refusal::UnknownKey)?),
        None => None,
    };
    let token = jwe::Token { header, iv, ciphertext, tag };
    let bytes = token.open(keys.encryption_keys(), kid.as_deref())?;
    let content = content(bytes).ok_or(Refusal::InvalidContent)?;
    checks.claims(&content, TOLERANCE)?;
    checks.login(&content)
}

/// Returns the JSON object in a part of a token.
fn decode(part: &str) -> Option<Content> {
    content(URL_SAFE_NO_PAD.decode(part).ok()?)
}

fn content(bytes: Vec<u8>) -> Option<Content> {
    Content::from_json(String::from_utf8(bytes).ok()?).ok().filter(Content::is_object)
}

/// Returns the number in the name of a chunk, if it is one of the cookie `name`.
pub(super) fn chunk_number(cookie: &str, name: &str) -> Option<usize> {
    let number = cookie.strip_prefix(name)?.strip_prefix('.')?;
    let parsed: usize = number.parse().ok().filter(|parsed| *parsed < CHUNKS)?;
    (parsed.to_string() == number).then_some(parsed)
}

/// Joins the chunks of a cookie in the order of their numbers. `None` if there are no chunks. The first cookie of a name
/// counts.
pub(super) fn join(cookie_header: &[u8], name: &str) -> Result<Option<String>, Refusal> {
    let mut chunks = vec![None; CHUNKS];
    let mut count = 0;
    for (cookie, value) in CookieParser::new().pairs(cookie_header) {
        if let Some(number) = chunk_number(&cookie, name)
            && chunks[number].is_none()
        {
            chunks[number] = Some(value);
            count += 1;
        }
    }
    if count == 0 {
        return Ok(None);
    }
    let mut joined = String::new();
    for chunk in &chunks[..count] {
        // With a hole in between, a later chunk is beyond the count.
        joined.push_str(chunk.as_deref().ok_or(Refusal::Malformed)?);
        cookies::check_length(&joined)?;
    }
    Ok(Some(joined))
}
