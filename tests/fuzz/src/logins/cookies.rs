//! A `Cookie` header as anybody can send it.

use cloakroom_authjs::{better_auth::BetterAuthLogin, for_tests};

use super::{CACHES, NOW_MS, SITES, check_claims, check_content, request};
use crate::{runtime::block_on, session};

/// A `Cookie` header, which is also taken for the value of each cookie: every site finds a login in it or says why not,
/// and shows nothing of it.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(request) = request(input) {
        for (options, _, site) in &SITES.authjs {
            if let Ok(Some(claims)) = site.get_token(&request) {
                check_claims(&claims, input);
            }
            let answer = block_on(site.get_server_session(&request));
            let answer = answer.expect("the system has random bytes");
            session::check_shown(&format!("{:?} {:?}", answer.session(), answer.refusal()), input);
            // Whatever is not a session is removed from the browser.
            let is_sent = !for_tests::read_cookies(options, &request).is_empty();
            assert_eq!(is_sent, answer.session().is_some() || answer.refusal().is_some());
            assert_eq!(is_sent, !answer.set_cookies().is_empty());
        }
    }
    for (_, codec, _) in &SITES.authjs {
        if let Ok(claims) = codec.decode(&text, NOW_MS) {
            check_claims(&claims, input);
        }
    }
    for iron in &SITES.iron {
        let found = [iron.read(input, NOW_MS), iron.unseal(&text, NOW_MS)];
        found.iter().flatten().for_each(|content| check_content(content, input));
    }
    if let Ok(value) = SITES.signed.read(input) {
        session::check_shown(&format!("{value:?}"), input);
        assert!(value.value().len() <= input.len());
    }
    if let Ok(found) = SITES.cookie.read(input) {
        session::check_shown(&format!("{found:?}"), input);
        check_content(&found.content, input);
    }
    if let Ok(login) = SITES.koa.read(input, NOW_MS) {
        session::check_shown(&format!("{login:?}"), input);
        check_content(&login.content, input);
        let _ = login.is_half_over(NOW_MS);
    }
    better(input, &text);
}

/// The token of better-auth, and the three forms of its cache.
fn better(input: &[u8], text: &str) {
    let auth = &SITES.better;
    let token = auth.token(input);
    let _ = auth.is_browser_session(input);
    for strategy in CACHES {
        let login = auth.cached(input, strategy, NOW_MS);
        assert!(login.is_err() || token.is_ok(), "a cache without a token is a login");
        let alone = auth.open_cache(text, strategy, NOW_MS);
        login.iter().chain(&alone).for_each(|login| check_login(login, input));
    }
    if let Ok(login) = BetterAuthLogin::from_json(text) {
        check_login(&login, input);
    }
    let ended = auth.sign_out(input).expect("each name is one that was sent");
    assert!(ended.len() <= 3 + 100, "{} cookies", ended.len());
}

pub(super) fn check_login(login: &BetterAuthLogin, input: &[u8]) {
    session::check_shown(&format!("{login:?}"), input);
    check_content(&login.session, input);
    check_content(&login.user, input);
    let _ = (login.user_id(), login.created_ms(), login.check("a token", NOW_MS));
    let _ = login.check_revoked(Some("1767225600123"));
    let _ = SITES.better.renewal_ms(login, NOW_MS);
}
