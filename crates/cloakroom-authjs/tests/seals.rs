//! Sealed and signed cookies on any input: nothing panics, no change goes unnoticed, and no refusal shows the content.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use cloakroom_authjs::{
    better_auth::{BetterAuth, BetterAuthLogin, BetterAuthOptions, CookieCache},
    cookie_session::CookieSession,
    iron_session::{IronSession, IronSessionOptions, MaxAge, Passwords},
    keygrip::{Keygrip, SignedCookies},
    koa_session::{KoaLogin, KoaMaxAge, KoaSession},
    sealed::{Content, Refusal},
};
use cloakroom_core::{Cookie, ErrorKind, SameSite};
use proptest::prelude::*;

const NOW_MS: i64 = 1_767_225_600_123;
const PASSWORD: &str = "HUSH a password of 32 characters";

fn iron() -> IronSession {
    IronSession::new("sid", Passwords::new(PASSWORD).unwrap()).unwrap()
}

fn keygrip() -> Keygrip {
    Keygrip::new(["HUSH new", "HUSH old"]).unwrap()
}

fn better_auth() -> BetterAuth {
    BetterAuth::new(["HUSH secret", "HUSH older"]).unwrap()
}

const CACHES: [CookieCache; 3] = [CookieCache::Compact, CookieCache::Jwt, CookieCache::Jwe];

/// Reads a header in every way.
fn read_all(header: &[u8], now_ms: i64) {
    let _ = iron().read(header, now_ms);
    let _ = CookieSession::new("sid", keygrip()).unwrap().read(header);
    let _ = KoaSession::with_key("sid", keygrip()).unwrap().read(header, now_ms);
    let auth = better_auth();
    let _ = (auth.token(header), auth.is_browser_session(header), auth.sign_out(header));
    for cache in CACHES {
        let _ = auth.cached(header, cache, now_ms);
    }
}

/// Text that resembles what the formats are made of.
fn alike() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "Fe26.2",
        "*",
        "~2",
        "~",
        "1",
        ".",
        "=",
        "e30",
        "eyJhIjoxfQ==",
        "%",
        "%3D",
        "\"",
        "99999999999999999999999",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0",
        "-",
        "é",
        "",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ]);
    prop::collection::vec(parts, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(value in alike(), bytes in prop::collection::vec(any::<u8>(), 0..80), now_ms in any::<i64>()) {
        for name in ["sid", "better-auth.session_token", "better-auth.session_data", "better-auth.session_data.0"] {
            read_all(format!("{name}={value}; sid.sig={value}; better-auth.session_token={value}").as_bytes(), now_ms);
            read_all(&[name.as_bytes(), b"=", &bytes].concat(), now_ms);
        }
        let text = String::from_utf8_lossy(&bytes);
        for cache in CACHES {
            let _ = (better_auth().open_cache(&value, cache, now_ms), better_auth().open_cache(&text, cache, now_ms));
        }
        for text in [&*value, &*text] {
            let _ = iron().unseal(text, now_ms);
            if let Ok(login) = BetterAuthLogin::from_json(text) {
                let _ = (login.check(text, now_ms), login.check_revoked(Some(text)), better_auth().renewal_ms(&login, now_ms));
            }
            let _ = (better_auth().session_cookie(text), SignedCookies::new(text, keygrip()));
            let _ = SignedCookies::new("sid", keygrip()).unwrap().set(text, Some(now_ms));
        }
        let _ = iron().seal(&Content::new(), now_ms);
        let _ = KoaSession::new(keygrip()).unwrap().save(&KoaLogin::new(Content::new()), now_ms);
    }

    #[test]
    fn what_is_sealed_is_opened_and_any_change_is_refused(name in ".{0,8}", value in any::<f64>(), place in 0..10_000_usize, bits in 1..128_u8) {
        let mut content = Content::new();
        content.set(&name, value).unwrap();
        content.set("secret", "HUSH content").unwrap();
        let seal = iron().seal(&content, NOW_MS).unwrap();
        let opened = iron().unseal(&seal, NOW_MS).unwrap();
        prop_assert_eq!(opened.as_json(), content.as_json());

        let mut bytes = seal.clone().into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= bits;
        if let Ok(changed) = String::from_utf8(bytes) {
            let refusal = iron().unseal(&changed, NOW_MS).unwrap_err();
            let told = format!("{refusal} {refusal:?}");
            prop_assert!(!told.contains("HUSH"));
        }
        // Without its suffix it is one of next-iron-session 4, without a member `persistent`.
        let cut = iron().unseal(&seal[..place], NOW_MS);
        prop_assert!(cut.is_err() || place == seal.len() - "~2".len() && cut == Ok(Content::new()));
    }

    #[test]
    fn what_is_signed_is_read_and_any_change_is_refused(number in any::<u32>(), place in 0..10_000_usize, bits in 1..16_u8) {
        let sessions = KoaSession::with_key("sid", keygrip()).unwrap();
        let mut content = Content::from_json(r#"{"kept": 1.0,"big":12345678901234567890}"#).unwrap();
        content.set("number", number).unwrap();
        let set_cookie = sessions.save(&KoaLogin::new(content.clone()), NOW_MS).unwrap();
        let header = set_cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned()).join("; ");
        let read = sessions.read(header.as_bytes(), NOW_MS).unwrap();
        prop_assert_eq!(read.content.as_json(), content.as_json());

        let mut bytes = header.into_bytes();
        let place = "sid=".len() + place % (bytes.len() - "sid=".len());
        bytes[place] ^= bits;
        prop_assert!(sessions.read(&bytes, NOW_MS).is_err());
    }
}

#[test]
fn hostile_lengths_are_refused_before_anything_else() {
    let long = "x".repeat(3_000_000);
    assert_eq!(iron().unseal(&long, NOW_MS).unwrap_err(), Refusal::TooLong);
    let header = format!("better-auth.session_token={long}; sid={long}; sid.sig=x");
    assert_eq!(better_auth().token(header.as_bytes()), Err(Refusal::TooLong));
    assert_eq!(iron().read(header.as_bytes(), NOW_MS).unwrap_err(), Refusal::TooLong);
    let koa = KoaSession::with_key("sid", keygrip()).unwrap();
    assert_eq!(koa.read(header.as_bytes(), NOW_MS).unwrap_err(), Refusal::TooLong);
    // Neither the rounds nor the lengths of the salts are up to the seal.
    let seal = iron().seal(&Content::new(), NOW_MS).unwrap();
    let parts: Vec<&str> = seal.split('*').collect();
    for salt in ["", "0", &parts[2].to_uppercase(), &"0".repeat(60_000)] {
        let mut parts = parts.clone();
        parts[2] = salt;
        assert_eq!(iron().unseal(&parts.join("*"), NOW_MS).unwrap_err(), Refusal::Malformed);
    }
    for prefix in ["Fe26.1", "fe26.2", "", "Fe26.2 "] {
        let mut parts = parts.clone();
        parts[0] = prefix;
        assert_eq!(iron().unseal(&parts.join("*"), NOW_MS).unwrap_err(), Refusal::OtherVersion);
    }
}

#[test]
fn nothing_shows_a_secret_or_a_session() {
    let content = Content::from_json(r#"{"user":"HUSH"}"#).unwrap();
    let mut koa = KoaLogin::new(content.clone());
    koa.max_age = Some(KoaMaxAge::Session);
    koa.sign_again = Some("sid.sig=HUSH".to_owned());
    let login = BetterAuthLogin::from_rows(content.clone(), content.clone()).unwrap();
    let mut told = vec![
        format!("{:?}", iron()),
        format!("{:?}", keygrip()),
        format!("{:?}", better_auth()),
        format!("{content:?} {koa:?} {login:?}"),
    ];
    told.push(format!("{:?}", Content::from_json("HUSH").unwrap_err()));
    told.push(content.read::<Vec<u8>>().unwrap_err().to_string());
    told.push(content.get::<u8>("user").unwrap_err().to_string());
    told.push(Passwords::new("HUSH").unwrap_err().to_string());
    for told in told {
        assert!(!told.contains("HUSH"), "{told}");
    }
}

#[test]
fn a_cookie_that_cannot_be_set_is_refused_when_it_is_chosen() {
    for name in ["", "a b", "a;", "é"] {
        let kind = |error: cloakroom_core::Error| error.kind();
        let passwords = Passwords::new(PASSWORD).unwrap();
        assert_eq!(
            IronSession::new(name, passwords).map_err(kind).err(),
            Some(ErrorKind::InvalidData)
        );
        // npm's cookies accepts more names than npm's cookie.
        let signed = CookieSession::new(name, keygrip()).map_err(kind).err();
        assert_eq!(signed, (name != "a b").then_some(ErrorKind::InvalidData), "{name}");
        let options = BetterAuthOptions::default().with_cookie_prefix(format!("{name};"));
        let auth = BetterAuth::with_options(["secret"], options);
        assert_eq!(auth.map_err(kind).err(), Some(ErrorKind::InvalidData));
    }
    let mut cookie = Cookie::new();
    cookie.set_path(Some("/;"));
    let options = IronSessionOptions::default().with_cookie(cookie.clone());
    assert!(IronSession::with_options("sid", Passwords::new(PASSWORD).unwrap(), options).is_err());
    assert!(SignedCookies::new("sid", keygrip()).unwrap().with_cookie(cookie).is_err());
}

#[test]
fn attributes_have_the_order_and_the_case_of_each_package() {
    let mut cookie = Cookie::new();
    cookie.set_domain(Some("example.test"));
    cookie.set_secure(Some(true));
    cookie.set_same_site(Some(SameSite::None));
    cookie.set_priority(Some("High"));
    cookie.set_partitioned(Some(true));
    let signed = SignedCookies::new("sid", keygrip()).unwrap().with_cookie(cookie.clone()).unwrap();
    let [value, signature] = signed.set("x", Some(1_000)).unwrap();
    let attributes = "; path=/; expires=Thu, 01 Jan 1970 00:00:01 GMT; domain=example.test; priority=high; \
        samesite=none; secure; httponly; partitioned";
    assert_eq!(value, format!("sid=x{attributes}"));
    assert!(signature.starts_with("sid.sig=") && signature.ends_with(attributes), "{signature}");

    let options = IronSessionOptions::default().with_cookie(cookie).with_max_age(MaxAge::Browser);
    let sessions =
        IronSession::with_options("sid", Passwords::new(PASSWORD).unwrap(), options).unwrap();
    let set_cookie = sessions.save(&Content::new(), NOW_MS).unwrap();
    let (_, attributes) = set_cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Domain=example.test; Path=/; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None"
    );
    assert!(sessions.read(set_cookie.as_bytes(), i64::MAX).is_ok(), "it never expires");
    let options = IronSessionOptions::default().with_ttl(u64::MAX);
    let sessions =
        IronSession::with_options("sid", Passwords::new(PASSWORD).unwrap(), options).unwrap();
    assert_eq!(sessions.save(&Content::new(), NOW_MS).unwrap_err().kind(), ErrorKind::Config);
}
