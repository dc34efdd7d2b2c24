//! iron-session 8.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_authjs::{
    iron_session::{IronSession, IronSessionOptions, MaxAge, Passwords},
    sealed::{Content, Refusal},
};
use cloakroom_core::{Error, SameSite};

use super::{
    super::{Outcome, report::Checks},
    at, compare, now_ms, printed, text_at, texts,
};
use crate::json::Json;

const OTHER_PASSWORD: &str = "another password of 32 characters";

/// What iron-session accepts and we refuse, because no version of it writes it.
const STRICTER: &[(&str, Refusal)] = &[
    ("version 1 record, suffix ~1", Refusal::OtherVersion),
    ("suffix ~2x", Refusal::OtherVersion),
    ("suffix ~2~9", Refusal::OtherVersion),
    ("suffix ~02", Refusal::OtherVersion),
    ("plaintext invalid utf-8", Refusal::InvalidContent),
    ("plaintext byte order mark", Refusal::InvalidContent),
];

const NAMED_DEFAULT: Outcome = Outcome::NotApplicable(
    "a password named `default` for seals without an id, which iron-session never writes",
);
const ODD_TTL: Outcome = Outcome::NotApplicable("a ttl that is not a whole number of seconds");
const NOT_JSON: Outcome = Outcome::NotApplicable("a value that is not JSON");

/// The passwords of a vector: a text, or an object by id.
fn passwords(given: &Json) -> Option<Result<Passwords, Error>> {
    if let Some(password) = given.text() {
        return Some(Passwords::new(&password));
    }
    let pairs: Option<Vec<(u64, String)>> = given
        .members()
        .iter()
        .map(|(id, password)| Some((id.to_str()?.parse().ok()?, password.text()?)))
        .collect();
    Some(Passwords::with_ids(pairs?))
}

fn sessions(vector: &Json, options: IronSessionOptions) -> Option<Result<IronSession, Error>> {
    let passwords = passwords(at(vector, &["inputs", "password"])?)?;
    let name = text_at(vector, &["inputs", "cookieName"]).unwrap_or_else(|| "made_up".to_owned());
    Some(passwords.and_then(|passwords| IronSession::with_options(&name, passwords, options)))
}

/// Seals with the random bytes of a recorded seal.
fn seal_again(
    sessions: &IronSession,
    content: &Content,
    now_ms: i64,
    seal: &str,
) -> Option<Result<String, Error>> {
    let parts: Vec<&str> = seal.split('*').collect();
    let bytes = |hex: &str| -> Option<Vec<u8>> {
        let pair = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        (0..hex.len()).step_by(2).map(pair).collect()
    };
    let random =
        [bytes(parts.get(2)?)?, URL_SAFE_NO_PAD.decode(parts.get(3)?).ok()?, bytes(parts.get(6)?)?];
    let mut random = random.into_iter();
    let mut is_other = false;
    let sealed = sessions.insecure_seal_with(content, now_ms, &mut |out| match random.next() {
        Some(bytes) if bytes.len() == out.len() => out.copy_from_slice(&bytes),
        _ => is_other = true,
    });
    (!is_other).then_some(sealed)
}

fn with_ttl(ttl: Option<&Json>) -> Option<IronSessionOptions> {
    match ttl {
        None | Some(Json::Null) => Some(IronSessionOptions::default()),
        Some(Json::Number(ttl)) if ttl.fract() == 0.0 && *ttl >= 0.0 => {
            Some(IronSessionOptions::default().with_ttl(*ttl as u64))
        }
        Some(_) => None,
    }
}

pub(super) fn seal(vector: &Json) -> Option<Outcome> {
    let now_ms = now_ms(vector)?;
    let options = with_ttl(at(vector, &["inputs", "ttl"]))?;
    let sessions = sessions(vector, options)?.ok()?;
    let plaintext = text_at(vector, &["inputs", "plaintext"])?;
    let seal = text_at(vector, &["output", "seal"])?;
    let content = Content::from_json(&*plaintext).ok()?;
    let mut checks = Checks::default();
    checks.equal("verdict", Some("accept".to_owned()), text_at(vector, &["verdict"]));
    let opened = sessions.unseal(&seal, now_ms).map(|content| content.as_json().to_owned());
    checks.equal("opened", Ok(plaintext), opened);
    checks.equal(
        "data",
        printed(&content),
        at(vector, &["output", "unsealed"]).map(Json::stringify),
    );
    let again = seal_again(&sessions, &content, now_ms, &seal)?;
    checks.equal("sealed again", Ok(seal.clone()), again.map_err(|error| error.to_string()));

    let ids = at(vector, &["inputs", "password"])?.members();
    let ids = if ids.is_empty() {
        vec![1]
    } else {
        ids.iter().filter_map(|(id, _)| id.to_str()?.parse().ok()).collect()
    };
    let others = Passwords::with_ids(ids.into_iter().map(|id: u64| (id, OTHER_PASSWORD))).ok()?;
    let others = IronSession::new("made_up", others).ok()?;
    checks.equal(
        "another password",
        Some(Refusal::NotVerified),
        others.unseal(&seal, now_ms).err(),
    );
    Some(checks.outcome())
}

pub(super) fn verdict(vector: &Json) -> Option<Outcome> {
    let name = text_at(vector, &["name"])?;
    if at(vector, &["inputs", "password", "default"]).is_some() {
        return Some(NAMED_DEFAULT);
    }
    let options = with_ttl(at(vector, &["inputs", "ttl"]))?;
    let seal = text_at(vector, &["inputs", "seal"])?;
    let verdict = text_at(vector, &["verdict"])?;
    let theirs = at(vector, &["output", "value"]);
    let mut checks = Checks::default();
    let is_ok = at(vector, &["output", "ok"]) == Some(&Json::Bool(true));
    checks.equal("the verdict fits the answer", is_ok, verdict != "reject");
    let Ok(sessions) = sessions(vector, options)? else {
        checks.equal("an unusable password", "reject", &*verdict);
        return Some(checks.outcome());
    };
    let ours = sessions.unseal(&seal, now_ms(vector)?);
    // iron-session gives an empty session where it refuses.
    if verdict == "empty" && ours.is_err() {
        checks.equal("nothing was read", Some("{}".to_owned()), theirs.map(Json::stringify));
        return Some(checks.outcome());
    }
    compare(&name, theirs, ours, STRICTER, checks)
}

/// The result of `sealData` and what `unsealData` made of it.
fn sealed(vector: &Json, text: &str, sessions: Option<IronSession>) -> Option<Outcome> {
    let now_ms = now_ms(vector)?;
    let mut checks = Checks::default();
    let accepted = at(vector, &["output", "seal", "ok"]) == Some(&Json::Bool(true));
    let verdict = text_at(vector, &["verdict"])?;
    checks.equal("the verdict fits the answer", accepted, verdict == "accept");
    checks.equal("options accepted", accepted, sessions.is_some());
    if let (true, Some(sessions)) = (accepted, sessions) {
        let seal = text_at(vector, &["output", "seal", "value"])?;
        let content = Content::from_json(text).ok()?;
        let again = seal_again(&sessions, &content, now_ms, &seal)?;
        checks.equal("sealed", Ok(seal.clone()), again.map_err(|error| error.to_string()));
        let opened = sessions.unseal(&seal, now_ms).ok();
        let theirs = at(vector, &["output", "unseal", "value"]).map(Json::stringify);
        checks.equal("opened", theirs, opened.and_then(|opened| printed(&opened)));
    }
    Some(checks.outcome())
}

pub(super) fn options(vector: &Json) -> Option<Outcome> {
    let Some(options) = with_ttl(at(vector, &["inputs", "ttl"])) else { return Some(ODD_TTL) };
    let sessions = sessions(vector, options).and_then(Result::ok);
    let text = at(vector, &["output", "unseal", "value"]).map_or("{}".to_owned(), Json::stringify);
    sealed(vector, &text, sessions)
}

pub(super) fn data(vector: &Json) -> Option<Outcome> {
    let name = text_at(vector, &["name"])?;
    if ["undefined", "bigint"].contains(&&*name) {
        return Some(NOT_JSON);
    }
    let given = text_at(vector, &["inputs", "data"])?;
    let text = if name == "string" { format!("\"{given}\"") } else { given };
    sealed(vector, &text, sessions(vector, IronSessionOptions::default())?.ok())
}

pub(super) fn cookie(vector: &Json) -> Option<Outcome> {
    let now_ms = now_ms(vector)?;
    let mut options = with_ttl(at(vector, &["inputs", "ttl"]))?;
    for (name, value) in at(vector, &["inputs", "cookieOptions"]).map_or(&[][..], Json::members) {
        let cookie = &mut options.cookie;
        match (&*name.to_str()?, value) {
            ("maxAge", Json::Number(seconds)) => options.max_age = MaxAge::Seconds(*seconds as i64),
            ("maxAge", Json::String(_)) => options.max_age = MaxAge::Browser,
            ("secure", Json::Bool(secure)) => cookie.set_secure(Some(*secure)),
            ("sameSite", _) => cookie.set_same_site(Some(SameSite::Strict)),
            ("domain", domain) => cookie.set_domain(Some(&domain.text()?)),
            ("path", path) => cookie.set_path(Some(&path.text()?)),
            _ => return None,
        }
    }
    let sessions = sessions(vector, options)?;
    let theirs = at(vector, &["output", "value"]);
    let mut checks = Checks::default();
    if let Some(length) = at(vector, &["inputs", "d_length"]) {
        let mut content = Content::new();
        content.set("d", "x".repeat(length.number()? as usize)).ok()?;
        let length = at(vector, &["output", "value", "set_cookie_length"]).and_then(Json::number);
        let saved = sessions.ok()?.save(&content, now_ms);
        checks.equal("length", length, saved.ok().map(|cookie| cookie.len() as f64));
        return Some(checks.outcome());
    }
    let (Some(theirs), Ok(sessions)) = (theirs, &sessions) else {
        checks.equal("options accepted", theirs.is_some(), sessions.is_ok());
        return Some(checks.outcome());
    };
    let set_cookie = texts(theirs.get("set_cookie")?)?.pop()?;
    let (pair, attributes) = set_cookie.split_once(';')?;
    let (name, seal) = pair.split_once('=')?;
    let content = sessions.read(pair.as_bytes(), now_ms);
    let text = content.as_ref().ok().and_then(printed);
    checks.equal("read back", theirs.get("read_back").map(Json::stringify), text);
    let again = seal_again(sessions, &content.ok()?, now_ms, seal)?.ok()?;
    checks.equal(
        "expiration",
        text_at(theirs, &["expiration_in_seal"]),
        again.split('*').nth(5).map(str::to_owned),
    );
    checks.equal("cookie", pair, &*format!("{name}={again}"));
    let saved = sessions.save(&Content::new(), now_ms).ok()?;
    checks.equal(
        "attributes",
        Some(attributes),
        saved.split_once(';').map(|(_, attributes)| attributes),
    );
    checks.equal(
        "destroy",
        texts(theirs.get("destroy")?),
        sessions.destroy().ok().map(|cookie| vec![cookie]),
    );
    Some(checks.outcome())
}
