//! What is signed or encrypted with the right secret.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cloakroom_authjs::{
    TokenRefusal,
    better_auth::CookieCache,
    for_tests,
    sealed::{Content, Refusal},
};
use cloakroom_core::ErrorKind;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use super::{
    BETTER_AUTH_SECRET, NOW_MS, SITES, check_claims, check_content, cookies::check_login, request,
    sent_back,
};
use crate::session;

/// The first byte chooses the kind of login, the second one a place. The rest is what the application, or whoever has
/// its secret, puts into the cookie: it comes back, or is refused as no session, and a cookie that is changed in this
/// place is refused.
pub(crate) fn check(input: &[u8]) {
    let [choice, place, content @ ..] = input else { return };
    let place = usize::from(*place);
    let text = String::from_utf8_lossy(content);
    match choice % 9 {
        number @ 0..=1 => token(usize::from(number), &text, place),
        number @ 2..=3 => iron(usize::from(number) - 2, &text, place),
        4 => signed(&text, place),
        5 => cookie_session(content, place),
        6 => koa_session(content, place),
        7 => better_token(&text, place),
        _ => better_cache(content, &text, place),
    }
}

/// Returns the text with another character in a place of 256, or `None` if it is empty.
fn changed(text: &str, place: usize) -> Option<String> {
    let mut characters: Vec<char> = text.chars().collect();
    let at = place * characters.len() / 256;
    let character = characters.get_mut(at)?;
    *character = if *character == 'A' { 'B' } else { 'A' };
    Some(characters.into_iter().collect())
}

fn token(number: usize, text: &str, place: usize) {
    let (options, codec, site) = &SITES.authjs[number];
    let iv = [7; 16];
    let token = match for_tests::insecure_seal(codec, text, &iv[..[12, 16][number]]) {
        Ok(token) => token,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::TooLarge),
    };
    let opened = for_tests::insecure_open(codec, &token).expect("it was encrypted here");
    assert_eq!(opened, text.strip_prefix('\u{feff}').unwrap_or(text));
    let decoded = codec.decode(&token, NOW_MS);
    match &decoded {
        Ok(claims) => {
            check_claims(claims, text.as_bytes());
            match codec.encode(claims, options.max_age, NOW_MS) {
                Ok(token) => {
                    let again = codec.decode(&token, NOW_MS).expect("what is written is read");
                    assert!(again.len() >= claims.len());
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge),
            }
        }
        Err(refusal) => assert!(
            [
                TokenRefusal::Payload,
                TokenRefusal::ClaimType,
                TokenRefusal::Expired,
                TokenRefusal::NotYetValid
            ]
            .contains(refusal),
            "{refusal}"
        ),
    }
    // In one cookie or in several, it comes back as it was written.
    let set = for_tests::write_cookies(options, &HeaderMap::new(), &token, NOW_MS);
    let set: Vec<&str> = set.iter().filter_map(|cookie| cookie.to_str().ok()).collect();
    let request = request(sent_back(set).as_bytes()).expect("cookies are a header");
    assert_eq!(for_tests::read_cookies(options, &request), [&*token]);
    assert_eq!(site.get_token(&request), decoded.map(Some));
    if let Some(changed) = changed(&token, place) {
        assert!(codec.decode(&changed, NOW_MS).is_err(), "{changed}");
    }
}

fn iron(number: usize, text: &str, place: usize) {
    let iron = &SITES.iron[number];
    let Ok(content) = Content::from_json(text) else { return };
    let seal = iron.seal(&content, NOW_MS).expect("the system has random bytes");
    match iron.unseal(&seal, NOW_MS) {
        Ok(read) if text == "null" => assert_eq!(read, Content::new()),
        Ok(read) => assert_eq!(read, content),
        Err(refusal) => assert_eq!(refusal, Refusal::TooLong),
    }
    // A seal of an earlier version has the session in a member.
    if let Ok(persistent) = iron.unseal(seal.trim_end_matches("~2"), NOW_MS) {
        check_content(&persistent, text.as_bytes());
    }
    if let Some(changed) = changed(&seal, place) {
        assert!(iron.unseal(&changed, NOW_MS).is_err(), "{changed}");
    }
    match iron.save(&content, NOW_MS) {
        Ok(cookie) => {
            let header = sent_back([&*cookie]);
            assert!(iron.read(header.as_bytes(), NOW_MS).is_ok(), "{header}");
        }
        // iron-session takes an object or `null`, and replaces members of these names.
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            let is_replaced = |name| content.get_json(name).is_some();
            let is_object = text.trim_start().starts_with('{');
            assert!(!is_object || ["save", "destroy", "updateConfig"].into_iter().any(is_replaced));
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge),
    }
}

fn signed(text: &str, place: usize) {
    let [cookie, signature] = match SITES.signed.set(text, Some(NOW_MS)) {
        Ok(both) => both,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            return session::check_error(&error, text.as_bytes());
        }
    };
    let header = sent_back([&*cookie, &*signature]);
    match SITES.signed.read(header.as_bytes()) {
        Ok(read) => assert!(read.value() == text && !read.is_outdated()),
        Err(refusal) => assert_eq!(refusal, Refusal::TooLong),
    }
    if let Some(changed) = changed(&header, place) {
        assert!(SITES.signed.read(changed.as_bytes()).is_err(), "{changed}");
    }
}

/// Returns the two cookies of a value that whoever has the key signed.
fn by_key(name: &str, content: &[u8]) -> String {
    let pair = format!("{name}={}", STANDARD.encode(content));
    let signature = SITES.keygrip.sign(&pair);
    format!("{pair}; {name}.sig={signature}")
}

fn cookie_session(content: &[u8], place: usize) {
    let header = by_key("session", content);
    let sessions = &SITES.cookie;
    match sessions.read(header.as_bytes()) {
        Ok(found) => {
            check_content(&found.content, content);
            let both = sessions.save(&found.content, NOW_MS).expect("what was read is saved");
            let header = sent_back(both.iter().map(|cookie| &**cookie));
            let again = sessions.read(header.as_bytes()).expect("what is saved is read");
            assert_eq!(again.content, found.content);
        }
        Err(refusal) => assert!(
            [Refusal::InvalidContent, Refusal::TooLong].contains(&refusal),
            "{refusal} {header}"
        ),
    }
    if let Some(changed) = changed(&header, place) {
        assert!(sessions.read(changed.as_bytes()).is_err(), "{changed}");
    }
}

fn members(content: &Content) -> Vec<(String, Option<&str>)> {
    content.names().map(|name| (name.clone().into_owned(), content.get_json(&name))).collect()
}

fn koa_session(content: &[u8], place: usize) {
    let header = by_key("koa.sess", content);
    let sessions = &SITES.koa;
    match sessions.read(header.as_bytes(), NOW_MS) {
        Ok(login) => {
            check_content(&login.content, content);
            let _ = login.is_half_over(NOW_MS);
            match sessions.save(&login, NOW_MS) {
                Ok(both) => {
                    let header = sent_back(both.iter().map(|cookie| &**cookie));
                    match sessions.read(header.as_bytes(), NOW_MS) {
                        // Spaces between members are lost where koa-session's own are added.
                        Ok(again) => assert_eq!(members(&again.content), members(&login.content)),
                        // Its `_maxAge` is below zero, or it was close to the limit.
                        Err(refusal) => {
                            assert!([Refusal::Expired, Refusal::TooLong].contains(&refusal));
                        }
                    }
                }
                // Its `_maxAge` is beyond the last date.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidData);
                    session::check_error(&error, content);
                }
            }
        }
        Err(refusal) => assert!(
            [Refusal::InvalidContent, Refusal::Expired, Refusal::TooLong].contains(&refusal),
            "{refusal} {header}"
        ),
    }
    if let Some(changed) = changed(&header, place) {
        assert!(sessions.read(changed.as_bytes(), NOW_MS).is_err(), "{changed}");
    }
}

fn better_token(text: &str, place: usize) {
    let auth = &SITES.better;
    let header = sent_back([&*auth.session_cookie(text).expect("every value is encoded")]);
    match auth.token(header.as_bytes()) {
        Ok(token) => assert_eq!(token, text),
        Err(refusal) => assert_eq!(refusal, Refusal::TooLong),
    }
    if let Some(changed) = changed(&header, place) {
        assert!(auth.token(changed.as_bytes()).is_err(), "{changed}");
    }
}

/// The cache as a signed token, whatever is in it, and in its own form, if an object is.
fn better_cache(content: &[u8], text: &str, place: usize) {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(content));
    let token = format!("{signed}.{}", mac(&signed));
    cache(CookieCache::Jwt, &token, content, place);

    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let Ok(true) = Content::from_json(text).map(|inner| inner.is_object()) else { return };
    let open = &text[..text.len() - 1];
    let comma = if open == "{" { "" } else { "," };
    let expires = NOW_MS + 1_000;
    let signature = mac(&format!(r#"{open}{comma}"expiresAt":{expires}}}"#));
    let whole = format!(r#"{{"session":{text},"expiresAt":{expires},"signature":"{signature}"}}"#);
    cache(CookieCache::Compact, &URL_SAFE_NO_PAD.encode(whole), content, place);
}

fn cache(strategy: CookieCache, value: &str, content: &[u8], place: usize) {
    let auth = &SITES.better;
    match auth.open_cache(value, strategy, NOW_MS) {
        Ok(login) => check_login(&login, content),
        Err(refusal) => assert!(
            [
                Refusal::InvalidContent,
                Refusal::Expired,
                Refusal::NotYetValid,
                Refusal::OtherVersion,
                Refusal::TooLong
            ]
            .contains(&refusal),
            "{refusal} {value}"
        ),
    }
    if let Some(changed) = changed(value, place) {
        assert!(auth.open_cache(&changed, strategy, NOW_MS).is_err(), "{changed}");
    }
}

fn mac(text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(BETTER_AUTH_SECRET.as_bytes());
    let mac = mac.expect("HMAC takes a key of any length").chain_update(text);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
