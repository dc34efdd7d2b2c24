//! better-auth 1.

use cloakroom_authjs::{
    better_auth::{BetterAuth, BetterAuthLogin, BetterAuthOptions, CookieCache},
    sealed::{Content, Refusal},
};
use cloakroom_core::find_cookie;

use super::{
    super::{Outcome, report::Checks},
    STRICTER, at, now_ms, printed, text_at, texts,
};
use crate::json::Json;

const ROTATED: Outcome = Outcome::PassedDifferently(
    "a cookie of an older secret, which better-auth refuses: read here as long as the secret is listed",
);

/// What better-auth accepts and we refuse, because it never writes it: the ending of the name, and the reason.
const STRICTER_CACHE: &[(&str, Refusal)] = &[
    (": padding added", Refusal::Malformed),
    (": padding added", Refusal::NotVerified),
    (": white space in the text", Refusal::NotVerified),
    (": standard base64 instead of base64url", Refusal::Malformed),
    (": alg HS512, same secret", Refusal::OtherAlgorithm),
    (": no exp", Refusal::InvalidContent),
];

fn auth(vector: &Json) -> Option<BetterAuth> {
    let mut options = BetterAuthOptions::default();
    let given = at(vector, &["inputs", "options"]);
    for (_, group) in given.map_or(&[][..], Json::members) {
        for (name, value) in group.members() {
            options = match (&*name.to_str()?, value) {
                ("useSecureCookies", Json::Bool(secure)) => options.with_secure_cookies(*secure),
                ("cookiePrefix", prefix) => options.with_cookie_prefix(prefix.text()?),
                ("expiresIn", seconds) => options.with_expires_in(seconds.number()? as i64),
                ("updateAge", seconds) => options.with_update_age(seconds.number()? as i64),
                ("cookieCache" | "storeSessionInDatabase", _) => options,
                _ => return None,
            };
        }
    }
    if let Some(version) = text_at(vector, &["inputs", "version"]) {
        options = options.with_cache_version(version);
    }
    BetterAuth::with_options([text_at(vector, &["inputs", "secret"])?], options).ok()
}

fn strategy(name: &str) -> Option<CookieCache> {
    match name {
        "compact" => Some(CookieCache::Compact),
        "jwt" => Some(CookieCache::Jwt),
        "jwe" => Some(CookieCache::Jwe),
        _ => None,
    }
}

/// The cookie before the attributes.
fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap_or_default()
}

pub(super) fn signed(vector: &Json) -> Option<Outcome> {
    let auth = auth(vector)?;
    let token = text_at(vector, &["inputs", "token"])?;
    let name = text_at(vector, &["name"])?;
    let verdict = text_at(vector, &["verdict"])?;
    let answer = text_at(vector, &["output", "body_text"])?;
    let mut checks = Checks::default();
    checks.equal("the verdict fits the answer", verdict == "reject", answer == "null");
    if let Some(value) = text_at(vector, &["output", "signed_value"]) {
        let cookie = auth.session_cookie(&token).ok()?;
        checks.equal(
            "signed",
            format!("better-auth.session_token={value}"),
            pair(&cookie).to_owned(),
        );
    }
    let ours = auth.token(text_at(vector, &["inputs", "cookie"])?.as_bytes());
    if name == "unused bits of the last character" {
        checks.equal("refusal", Err(Refusal::NotVerified), ours);
        return Some(checks.outcome_or(STRICTER));
    }
    // A session that does not exist has a cookie that is removed; its token is signed.
    let is_removed = !at(vector, &["output", "set_cookie"])?.items().is_empty();
    match ours {
        Ok(ours) => checks.equal(
            "a session of the token",
            verdict == "accept",
            ours == token && !is_removed,
        ),
        Err(_) => {
            checks.equal("refused", "reject", &*verdict);
            checks.holds("the token is not signed", !is_removed);
        }
    }
    Some(checks.outcome())
}

/// The login in an answer of `get-session`, if there is one.
fn login(step: &Json) -> Option<BetterAuthLogin> {
    BetterAuthLogin::from_json(&text_at(step, &["body_text"])?).ok()
}

pub(super) fn lifecycle(vector: &Json) -> Option<Outcome> {
    let auth = auth(vector)?;
    let mut checks = Checks::default();
    let steps = at(vector, &["output", "steps"])?.items();
    let first = texts(steps.first()?.get("set_cookie")?)?;
    let header = first.iter().map(|cookie| pair(cookie)).collect::<Vec<_>>().join("; ");
    let token = auth.token(header.as_bytes());
    checks.holds("the cookie is verified", token.is_ok());
    let token = token.ok()?;
    let is_browser = auth.is_browser_session(header.as_bytes());
    checks.equal("remembered", first.len() > 1, is_browser);
    let expected = match is_browser {
        true => auth.browser_session_cookies(&token).ok()?.to_vec(),
        false => vec![auth.session_cookie(&token).ok()?],
    };
    checks.equal("sign-up", first, expected);

    // The session as the step before has left it.
    let mut before: Option<BetterAuthLogin> = None;
    for step in steps {
        let set_cookie = texts(step.get("set_cookie")?)?;
        let now_ms = step.get("at_ms").and_then(Json::number).map(|ms| ms as i64);
        let after = login(step);
        let what = text_at(step, &["do"])?;
        if what.starts_with("get-session") {
            let now_ms = now_ms?;
            if let Some(before) = &before {
                checks.equal("alive", after.is_some(), before.check(&token, now_ms).is_ok());
                if let (Some(after), false) =
                    (&after, what.contains("disableRefresh") || is_browser)
                {
                    let renewed = auth.renewal_ms(before, now_ms);
                    checks.equal("renewed", !set_cookie.is_empty(), renewed.is_some());
                    let expiry = renewed.or(before.expires_ms());
                    checks.equal("expiry", after.expires_ms(), expiry);
                    let cookie = renewed.and_then(|_| auth.session_cookie(&token).ok());
                    checks.equal("cookie", set_cookie.first(), cookie.as_ref());
                }
            }
            if after.is_none() {
                checks.equal("removed", set_cookie, auth.sign_out(b"").ok()?);
            }
            before = after;
        } else if what == "sign-out" {
            checks.equal("sign-out", set_cookie, auth.sign_out(b"").ok()?);
        }
    }
    Some(checks.outcome())
}

pub(super) fn cache(vector: &Json) -> Option<Outcome> {
    let auth = auth(vector)?;
    let cache = at(vector, &["inputs", "options", "session", "cookieCache"])?;
    let strategy = strategy(&text_at(cache, &["strategy"])?)?;
    let steps = at(vector, &["output", "steps"])?.items();
    let cookies = texts(steps.first()?.get("set_cookie")?)?;
    let header = cookies.iter().map(|cookie| pair(cookie)).collect::<Vec<_>>().join("; ");
    let data = text_at(vector, &["output", "session_data"])?;
    let mut checks = Checks::default();
    if let Some((token, signature)) = data.rsplit_once('.') {
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let changed = format!("{token}.{other}{}", signature.get(1..)?);
        let refused = auth.open_cache(&changed, strategy, super::now_ms(vector)?);
        checks.equal("another signature or tag", Some(Refusal::NotVerified), refused.err());
    }
    checks.holds("the cookie", cookies.iter().any(|cookie| pair(cookie).ends_with(&data)));
    for step in steps {
        let Some(Json::Bool(from_cache)) = step.get("from_cache") else { continue };
        let now_ms = step.get("at_ms")?.number()? as i64;
        let ours = auth.cached(header.as_bytes(), strategy, now_ms);
        // `get-session` has no tolerance for the encrypted form, `getCookieCache` has 15 s, as we have.
        let max_age = cache.get("maxAge")?.number()? as i64 * 1_000;
        let age = now_ms - now_ms.min(super::now_ms(vector)?);
        if strategy == CookieCache::Jwe && !from_cache && age < max_age + 14_000 {
            checks.holds("within the tolerance", ours.is_ok());
            continue;
        }
        checks.equal("answered from the cache", *from_cache, ours.is_ok());
        if let (Ok(ours), Some(theirs)) = (ours, login(step)) {
            checks.equal("user", theirs.user_id(), ours.user_id());
            checks.equal("end", theirs.expires_ms(), ours.expires_ms());
        }
    }
    Some(checks.outcome())
}

pub(super) fn cache_verdict(vector: &Json) -> Option<Outcome> {
    let auth = auth(vector)?;
    let strategy = strategy(&text_at(vector, &["inputs", "strategy"])?)?;
    let (name, cookie) = (text_at(vector, &["name"])?, text_at(vector, &["inputs", "name"])?);
    let header = format!("{cookie}={}", text_at(vector, &["inputs", "value"])?);
    let value = find_cookie(header.as_bytes(), &cookie)?;
    let theirs = text_at(vector, &["output", "user_name"]);
    let verdict = text_at(vector, &["verdict"])?;
    let mut checks = Checks::default();
    checks.equal("answered", Some(&Json::Bool(true)), at(vector, &["output", "ok"]));
    checks.equal("the verdict fits the answer", verdict == "accept", theirs.is_some());
    let ours = auth.open_cache(&value, strategy, now_ms(vector)?);
    let is_stricter = |refusal| {
        let mut known = STRICTER_CACHE.iter();
        known.any(|(ending, reason)| name.ends_with(ending) && *reason == refusal)
    };
    if let (Some(_), Err(refusal)) = (&theirs, &ours)
        && is_stricter(*refusal)
    {
        return Some(checks.outcome_or(STRICTER));
    }
    let ours = ours.map(|login| login.user.get::<String>("name").ok().flatten());
    checks.equal("name of the user", theirs, ours.ok().flatten());
    Some(checks.outcome())
}

pub(super) fn rotation(vector: &Json) -> Option<Outcome> {
    let secrets: Option<Vec<String>> = at(vector, &["inputs", "read_with"])?
        .items()
        .iter()
        .map(|row| row.items()[1].text())
        .collect();
    let secrets = secrets?;
    let header = text_at(vector, &["inputs", "cookie"])?;
    let strategy = strategy(text_at(vector, &["name"])?.rsplit(' ').next()?)?;
    let now_ms = now_ms(vector)?;
    let mut checks = Checks::default();
    checks.equal(
        "it is recorded that better-auth refuses it",
        Some("null".to_owned()),
        text_at(vector, &["output", "rotated"]),
    );
    let both = BetterAuth::new(&secrets).ok()?;
    checks.holds("read with both", both.cached(header.as_bytes(), strategy, now_ms).is_ok());
    let first = BetterAuth::new(&secrets[..1]).ok()?;
    let refused = first.cached(header.as_bytes(), strategy, now_ms).err();
    checks.equal("read with the new one alone", Some(Refusal::NotVerified), refused);
    Some(checks.outcome_or(ROTATED))
}

/// The keys and values of the store after each step.
pub(super) fn secondary(vector: &Json) -> Option<Outcome> {
    let options = BetterAuthOptions::default().with_key_prefix("");
    let auth = BetterAuth::with_options([text_at(vector, &["inputs", "secret"])?], options).ok()?;
    let mut checks = Checks::default();
    let mut seen = 0;
    for step in at(vector, &["output", "steps"])?.items() {
        for (key, value) in step.get("store").map_or(&[][..], Json::members) {
            let (key, value) = (key.to_str()?, value.text()?);
            let Ok(login) = BetterAuthLogin::from_json(&value) else {
                checks.holds("the list of a user's sessions", key.starts_with("active-sessions-"));
                continue;
            };
            seen += 1;
            checks.equal("key", &key, &auth.session_key(&key));
            checks.equal("session", Ok(()), login.check(&key, now_ms(vector)?));
            let user = login.user_id()?;
            let list = auth.active_sessions_key(&user);
            let listed = step.get("store")?.get(&list)?.text()?;
            let entry = format!("\"token\":\"{key}\",\"expiresAt\":{}", login.expires_ms()?);
            checks.holds("listed with its expiry", listed.contains(&entry));
        }
        // What is read after the session: the time of the last end of all sessions.
        for call in step.get("calls").map_or(&[][..], Json::items) {
            let key = call.items().get(1).and_then(Json::text)?;
            if let Some(user) = key.strip_prefix("revoked-sessions-before-") {
                checks.equal("key", &key, &auth.revoked_key(user));
            }
        }
    }
    checks.holds("sessions", seen > 0);
    Some(checks.outcome())
}

/// The keys that redis-storage makes of those of better-auth.
pub(super) fn redis(vector: &Json) -> Option<Outcome> {
    let auth = BetterAuth::new(["secret"]).ok()?;
    let mut checks = Checks::default();
    let calls = at(vector, &["inputs", "calls"])?.items();
    let keys = at(vector, &["output", "keys"])?.members();
    checks.equal("number of keys", calls.len(), keys.len());
    for call in calls {
        let key = auth.session_key(&call.items().get(1)?.text()?);
        checks.holds("key", keys.iter().any(|(known, _)| *known == *key));
    }
    Some(checks.outcome())
}

pub(super) fn sqlite(vector: &Json) -> Option<Outcome> {
    let auth = auth(vector)?;
    let value = at(vector, &["output", "value"])?;
    let row = |name| Content::from_json(value.get(name)?.items().first()?.stringify()).ok();
    let login = BetterAuthLogin::from_rows(row("rows")?, row("user_rows")?).ok()?;
    let cookie = texts(value.get("set_cookie")?)?.pop()?;
    let mut checks = Checks::default();
    let token = auth.token(pair(&cookie).as_bytes()).unwrap_or_default();
    checks.equal("the row of the cookie", Ok(()), login.check(&token, now_ms(vector)?));
    checks.equal("id of the user", login.user.get::<String>("id").ok().flatten(), login.user_id());
    let expires_ms = now_ms(vector)? + 604_800_000;
    checks.equal("expiry", Some(expires_ms), login.expires_ms());
    checks.equal(
        "row",
        value.get("rows")?.items().first().map(Json::stringify),
        printed(&login.session),
    );
    Some(checks.outcome())
}
