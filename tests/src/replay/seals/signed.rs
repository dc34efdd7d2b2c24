//! keygrip, cookie-session 2 and koa-session 7.

use base64::{Engine, engine::general_purpose::STANDARD};
use cloakroom_authjs::{
    cookie_session::CookieSession,
    keygrip::{Keygrip, KeygripAlgorithm, KeygripEncoding, SignedCookies},
    koa_session::{KoaLogin, KoaMaxAge, KoaSession},
    sealed::{Content, Refusal},
};

use super::{
    super::{Outcome, report::Checks},
    at, compare, now_ms, text_at, texts,
};
use crate::json::Json;

const UNSIGNED: Outcome =
    Outcome::NotApplicable("a cookie without a signature, which anybody can write");
const NOT_WRITTEN: Outcome = Outcome::NotApplicable(
    "a session that the package does not write: here the application decides",
);

const KEPT: Outcome = Outcome::PassedDifferently(
    "a member that begins with `_`, which koa-session drops with the next change: kept here",
);

/// What cookie-session accepts and we refuse, because it never writes it.
const STRICTER_COOKIE_SESSION: &[(&str, Refusal)] = &[
    ("base64url without padding, signed", Refusal::InvalidContent),
    ("json null, signed", Refusal::InvalidContent),
    ("json number, signed", Refusal::InvalidContent),
    ("json string, signed", Refusal::InvalidContent),
    ("json array, signed", Refusal::InvalidContent),
    ("invalid utf-8, signed", Refusal::InvalidContent),
    ("base64 with trailing junk, signed", Refusal::InvalidContent),
];

/// What koa-session accepts and we refuse, because it never writes it.
const STRICTER_KOA_SESSION: &[(&str, Refusal)] = &[
    ("json number 5", Refusal::InvalidContent),
    ("json string", Refusal::InvalidContent),
    ("json array", Refusal::InvalidContent),
    ("maxAge member", Refusal::InvalidContent),
    ("base64url", Refusal::InvalidContent),
];

fn keys(keys: &Json) -> Option<Keygrip> {
    let Some(options) = keys.get("keygrip") else { return Keygrip::new(texts(keys)?).ok() };
    let algorithm = text_at(options, &["algorithm"])?;
    Some(self::keys(options.get("keys")?)?.with_algorithm(self::algorithm(&algorithm)?))
}

fn algorithm(name: &str) -> Option<KeygripAlgorithm> {
    match name {
        "sha1" => Some(KeygripAlgorithm::Sha1),
        "sha256" => Some(KeygripAlgorithm::Sha256),
        "sha512" => Some(KeygripAlgorithm::Sha512),
        _ => None,
    }
}

pub(super) fn keygrip(vector: &Json) -> Option<Outcome> {
    let encoding = match &*text_at(vector, &["inputs", "encoding"])? {
        "base64" => KeygripEncoding::Base64,
        "hex" => KeygripEncoding::Hex,
        _ => return None,
    };
    let given = texts(at(vector, &["inputs", "keys"])?)?;
    let algorithm = algorithm(&text_at(vector, &["inputs", "algorithm"])?)?;
    let new = |keys: &[String]| {
        let keygrip = Keygrip::new(keys).ok()?;
        Some(keygrip.with_algorithm(algorithm).with_encoding(encoding))
    };
    let (keygrip, last) = (new(&given)?, new(&given[given.len() - 1..])?);
    let data = text_at(vector, &["inputs", "data"])?;
    let signature = text_at(vector, &["output", "signature"])?;
    let mut checks = Checks::default();
    checks.equal("signature", &*signature, &*keygrip.sign(&data));
    let index =
        |signature: &str| keygrip.index(&data, signature).map_or(-1.0, |index| index as f64);
    for (name, came) in [
        ("index_of_own", index(&signature)),
        ("index_by_last_key", index(&last.sign(&data))),
        ("index_cut", index(&signature[..signature.len() - 1])),
        ("index_padded", index(&format!("{signature}="))),
    ] {
        checks.equal("index", at(vector, &["output", name])?.number(), Some(came));
    }
    Some(checks.outcome())
}

/// What is between the name and the attributes of the first `Set-Cookie`, decoded.
fn written(set_cookie: &[String]) -> Option<Content> {
    let (_, rest) = set_cookie.first()?.split_once('=')?;
    let bytes = STANDARD.decode(rest.split(';').next()?).ok()?;
    Content::from_json(String::from_utf8(bytes).ok()?).ok()
}

fn cookie_session(vector: &Json, options: &Json) -> Option<CookieSession> {
    let keys = options.get("keys").or_else(|| at(vector, &["inputs", "keys"]))?;
    let name = text_at(options, &["name"]).unwrap_or_else(|| "session".to_owned());
    let sessions = CookieSession::new(&name, self::keys(keys)?).ok()?;
    Some(match options.get("maxAge").and_then(Json::number) {
        Some(max_age) => sessions.with_max_age_ms(max_age as i64),
        None => sessions,
    })
}

pub(super) fn cookie_session_write(vector: &Json) -> Option<Outcome> {
    let options = at(vector, &["inputs", "options"])?;
    let theirs = texts(at(vector, &["output", "set_cookie"])?)?;
    if options.get("signed") == Some(&Json::Bool(false)) {
        return Some(UNSIGNED);
    }
    if theirs.is_empty() {
        return Some(NOT_WRITTEN);
    }
    let sessions = cookie_session(vector, options)?;
    let content = Content::from_json(text_at(vector, &["inputs", "plaintext"])?).ok()?;
    let mut checks = Checks::default();
    checks.equal("verdict", Some("accept".to_owned()), text_at(vector, &["verdict"]));
    let ours = sessions.save(&content, now_ms(vector)?).ok()?;
    checks.equal("cookies", theirs, ours.to_vec());
    Some(checks.outcome())
}

/// What a package that signs with keygrip answered to a cookie, beside ours: the session, and the cookie of the signature.
fn signed_verdict(
    vector: &Json,
    ours: Result<(Content, Option<String>), Refusal>,
    removal: String,
    stricter: &[(&str, Refusal)],
) -> Option<Outcome> {
    let verdict = text_at(vector, &["verdict"])?;
    let set_cookie = texts(at(vector, &["output", "set_cookie"])?)?;
    let mut checks = Checks::default();
    let status = at(vector, &["output", "status"])?.number()?;
    let is_new = at(vector, &["output", "isNew"])?;
    checks.equal("status", if verdict == "error" { 500.0 } else { 200.0 }, status);
    let fits = if verdict == "error" { Json::Null } else { Json::Bool(verdict == "reject") };
    checks.equal("the verdict fits the answer", is_new, &fits);
    // A package that rewrites the whole session sends two.
    let alone = if set_cookie.len() == 1 { set_cookie.first().cloned() } else { None };
    let signature = match &ours {
        Ok((_, sign_again)) => sign_again.clone(),
        Err(Refusal::NotVerified) => Some(removal).filter(|_| is_sent(vector)),
        Err(_) => None,
    };
    // Theirs compares the signature of a value that is not what it would have written, and ours does not.
    if !matches!(ours, Err(Refusal::Malformed)) {
        checks.equal("the signature", alone, signature);
    }
    let theirs = at(vector, &["output", "session"]).filter(|_| verdict == "accept");
    let name = text_at(vector, &["name"])?;
    compare(&name, theirs, ours.map(|(content, _)| content), stricter, checks)
}

/// Returns true if the request had a signature.
fn is_sent(vector: &Json) -> bool {
    text_at(vector, &["inputs", "cookie"]).is_some_and(|cookie| cookie.contains(".sig="))
}

pub(super) fn cookie_session_verdict(vector: &Json) -> Option<Outcome> {
    let sessions = cookie_session(vector, &Json::Null)?;
    let header = text_at(vector, &["inputs", "cookie"])?;
    let ours = sessions.read(header.as_bytes()).map(|found| (found.content, found.sign_again));
    signed_verdict(vector, ours, sessions.remove_signature(), STRICTER_COOKIE_SESSION)
}

pub(super) fn cookie_session_save(vector: &Json) -> Option<Outcome> {
    let name = text_at(vector, &["name"])?;
    let mut sessions = cookie_session(vector, at(vector, &["inputs"])?)?;
    if name == "sessionOptions.maxAge" {
        sessions = sessions.with_max_age_ms(1_000);
    }
    let mut checks = Checks::default();
    let mut is_written = false;
    for member in ["with_cookie", "without_cookie"] {
        let theirs = texts(at(vector, &["output", member])?)?;
        if theirs.is_empty() {
            continue;
        }
        is_written = true;
        let ours = match name == "null" {
            true => sessions.end(),
            false => sessions.save(&written(&theirs)?, now_ms(vector)?).ok()?,
        };
        checks.equal("cookies", theirs, ours.to_vec());
    }
    Some(if is_written { checks.outcome() } else { NOT_WRITTEN })
}

fn koa_session(keys: &Json, options: &Json) -> Option<KoaSession> {
    let key = text_at(options, &["key"]).unwrap_or_else(|| "koa.sess".to_owned());
    let sessions = KoaSession::with_key(&key, self::keys(keys)?).ok()?;
    Some(match options.get("maxAge") {
        Some(Json::Number(ms)) => sessions.with_max_age(KoaMaxAge::Ms(*ms as i64)),
        Some(_) => sessions.with_max_age(KoaMaxAge::Session),
        None => sessions,
    })
}

pub(super) fn koa_session_write(vector: &Json) -> Option<Outcome> {
    let options = at(vector, &["inputs", "options"])?;
    let theirs = texts(at(vector, &["output", "set_cookie"])?)?;
    if options.get("signed") == Some(&Json::Bool(false)) {
        return Some(UNSIGNED);
    }
    if theirs.is_empty() {
        return Some(NOT_WRITTEN);
    }
    let keys = at(vector, &["inputs", "keys"]).or_else(|| options.get("keys"));
    let one_key = Json::Array(vec![Json::from("made-up-key-1")]);
    let sessions = koa_session(keys.unwrap_or(&one_key), options)?;
    let (mut checks, now_ms) = (Checks::default(), now_ms(vector)?);
    let read = sessions.read(header(&theirs)?.as_bytes(), now_ms);
    checks.holds("it is read", read.is_ok());
    checks.equal("verdict", Some("accept".to_owned()), text_at(vector, &["verdict"]));
    let text = text_at(vector, &["output", "plaintext"])?;
    checks.equal("text", Some(text), written(&theirs).map(|content| content.as_json().to_owned()));
    if let Ok(login) = read {
        let session = at(vector, &["inputs", "session"])?;
        checks.equal("session", session.stringify(), super::printed(&login.content)?);
        let ours = sessions.save(&KoaLogin::new(login.content), now_ms).ok()?;
        checks.equal("cookies", theirs, ours.to_vec());
    }
    Some(checks.outcome())
}

/// The `Cookie` header of a browser that received these.
fn header(set_cookie: &[String]) -> Option<String> {
    let pairs: Option<Vec<&str>> =
        set_cookie.iter().map(|cookie| cookie.split(';').next()).collect();
    Some(pairs?.join("; "))
}

pub(super) fn koa_session_verdict(vector: &Json) -> Option<Outcome> {
    let sessions = koa_session(at(vector, &["inputs", "keys"])?, &Json::Null)?;
    let header = text_at(vector, &["inputs", "cookie"])?;
    let mut login = sessions.read(header.as_bytes(), now_ms(vector)?);
    if let Ok(login) = &mut login
        && login.content.remove("_x")
    {
        let ours = Ok((login.content.clone(), None));
        let outcome = signed_verdict(vector, ours, sessions.remove_signature(), &[]);
        return outcome.map(|outcome| if outcome == Outcome::Passed { KEPT } else { outcome });
    }
    let ours = login.map(|login| (login.content, login.sign_again));
    signed_verdict(vector, ours, sessions.remove_signature(), STRICTER_KOA_SESSION)
}

pub(super) fn koa_session_save(vector: &Json) -> Option<Outcome> {
    let options = at(vector, &["inputs", "options"])?;
    let sessions = koa_session(at(vector, &["inputs", "keys"])?, options)?;
    let (mut checks, now_ms) = (Checks::default(), now_ms(vector)?);
    let name = text_at(vector, &["name"])?;
    let theirs = texts(at(vector, &["output", "set_cookie"])?)?;
    let mut login =
        sessions.read(text_at(vector, &["inputs", "cookie"])?.as_bytes(), now_ms).ok()?;
    if options.get("renew").is_some() && name.ends_with("read") {
        checks.equal("half of its life is over", !theirs.is_empty(), login.is_half_over(now_ms));
    }
    let is_untouched = name.ends_with("read") && options.get("rolling").is_none();
    if theirs.is_empty() {
        return Some(if is_untouched { checks.outcome() } else { NOT_WRITTEN });
    }
    if name.ends_with("null") {
        checks.equal("cookies", theirs, sessions.end().to_vec());
        return Some(checks.outcome());
    }
    let mut content = written(&theirs)?;
    let text = text_at(vector, &["output", "plaintext"])?;
    checks.equal("text", &*text, content.as_json());
    if name.ends_with("5000") {
        login.max_age = Some(KoaMaxAge::Ms(5_000));
    }
    for own in ["_expire", "_maxAge", "_session"] {
        content.remove(own);
    }
    login.content = content;
    let ours = sessions.save(&login, now_ms).ok()?;
    checks.equal("cookies", theirs, ours.to_vec());
    Some(checks.outcome())
}

/// With an external store, the cookie holds an id, which is the key in the store.
pub(super) fn koa_session_store(vector: &Json) -> Option<Outcome> {
    let cookies = SignedCookies::new("koa.sess", keys(at(vector, &["inputs", "keys"])?)?).ok()?;
    let mut checks = Checks::default();
    let one = at(vector, &["output"])?;
    let steps = one.get("steps").map_or(std::slice::from_ref(one), Json::items);
    let mut last = None;
    for step in steps {
        let set_cookie = texts(step.get("set_cookie")?)?;
        if !set_cookie.is_empty() {
            let value = cookies.read(header(&set_cookie)?.as_bytes());
            checks.holds("the id is verified", value.is_ok());
            last = value.ok().map(|value| value.value().to_owned());
        }
        for call in step.get("calls").map_or(&[][..], Json::items) {
            if call.items().first()?.text()? == "set" {
                checks.equal("key in the store", last.clone(), call.items().get(1)?.text());
            }
        }
    }
    checks.holds("a cookie was set", last.is_some());
    Some(checks.outcome())
}
