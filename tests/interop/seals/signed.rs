//! cookie-session 2 and koa-session 7, with several keys.

use base64::{Engine, engine::general_purpose::STANDARD};
use cloakroom_authjs::{
    cookie_session::CookieSession,
    keygrip::{Keygrip, KeygripAlgorithm, KeygripEncoding, SignedCookies},
    koa_session::{KoaLogin, KoaMaxAge, KoaSession},
    sealed::{Content, Refusal},
};
use cloakroom_core::{Cookie, json};
use serde_json::{Value, json};

use super::{NOW_MS, Npm, damaged, header, json_of, random_session, seed};

const KEYS: [&str; 2] = ["the new key", "the old key €"];

fn content(session: &Value) -> Content {
    Content::from_json(json::stringify(session).unwrap()).unwrap()
}

fn cookie_line(cookie: &str, keys: &[&str]) -> Value {
    let options = json!({ "name": "login", "keys": keys, "maxAge": 60_000 });
    json!({ "package": "cookie-session", "now_ms": NOW_MS, "options": options, "cookie": cookie })
}

fn koa_line(cookie: &str, keys: &[&str]) -> Value {
    let options = json!({ "key": "login", "maxAge": 60_000 });
    json!({ "package": "koa-session", "now_ms": NOW_MS, "keys": keys, "options": options, "cookie": cookie })
}

fn cookie_session(keys: &[&str]) -> CookieSession {
    CookieSession::new("login", Keygrip::new(keys).unwrap()).unwrap().with_max_age_ms(60_000)
}

fn koa_session(keys: &[&str]) -> KoaSession {
    let sessions = KoaSession::with_key("login", Keygrip::new(keys).unwrap()).unwrap();
    sessions.with_max_age(KoaMaxAge::Ms(60_000))
}

#[test]
#[ignore = "needs the npm packages"]
fn keygrip_signs_and_verifies_as_we_do_with_each_algorithm() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    for (algorithm, ours) in [
        ("sha1", KeygripAlgorithm::Sha1),
        ("sha256", KeygripAlgorithm::Sha256),
        ("sha512", KeygripAlgorithm::Sha512),
    ] {
        for (encoding, our_encoding) in
            [("base64", KeygripEncoding::Base64), ("hex", KeygripEncoding::Hex)]
        {
            let ours = |keys: &[&str]| {
                let keygrip = Keygrip::new(keys).unwrap();
                keygrip.with_algorithm(ours).with_encoding(our_encoding)
            };
            let data = random_session(&mut dice).to_string();
            let [first, old] = [ours(&KEYS), ours(&KEYS[1..])].map(|keygrip| keygrip.sign(&data));
            let padded = format!("{old}=");
            for (signature, index) in
                [(&first, 0), (&old, 1), (&padded, -1), (&old[1..].to_owned(), -1)]
            {
                let answer = npm.ask(&json!({
                    "package": "keygrip", "now_ms": NOW_MS, "keys": KEYS, "algorithm": algorithm, "encoding": encoding,
                    "data": data, "signature": signature,
                }));
                assert_eq!(answer.0, json!({ "signature": first, "index": index }), "{algorithm}");
                let found = ours(&KEYS).index(&data, signature).map_or(-1, |index| index as i64);
                assert_eq!(found, index, "{algorithm} {encoding}");
            }
        }
    }
}

/// With the same change of the session on both sides, the `Set-Cookie` values are the same, byte for byte.
#[test]
#[ignore = "needs the npm packages"]
fn cookie_session_and_koa_session_write_the_same_bytes_as_we_do() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    for _ in 0..20 {
        let mut session = random_session(&mut dice);
        session["first"] = json!(1);
        let mut more = session.clone();
        more["zz"] = json!("é");

        let ours = cookie_session(&KEYS);
        let cookie =
            header(ours.save(&content(&session), NOW_MS).unwrap().iter().map(String::as_str));
        let mut line = cookie_line(&cookie, &KEYS);
        line["set"] = json!({ "zz": "é" });
        let answer = npm.ask(&line);
        assert_eq!(json_of(answer.session().unwrap()), session);
        let read = ours.read(answer.cookie().as_bytes()).unwrap();
        assert_eq!(json_of(read.content.as_json()), more);
        assert_eq!(read.sign_again, None);
        assert_eq!(answer.set_cookie(), ours.save(&read.content, NOW_MS).unwrap());
        line["set"] = json!(null);
        assert_eq!(npm.ask(&line).set_cookie(), ours.end());

        let ours = koa_session(&KEYS);
        let login = KoaLogin::new(content(&session));
        let cookie = header(ours.save(&login, NOW_MS).unwrap().iter().map(String::as_str));
        let mut line = koa_line(&cookie, &KEYS);
        line["set"] = json!({ "zz": "é" });
        let answer = npm.ask(&line);
        assert_eq!(json_of(answer.session().unwrap()), session);
        let read = ours.read(answer.cookie().as_bytes(), NOW_MS).unwrap();
        assert_eq!(json_of(read.content.as_json()), more);
        assert_eq!(
            (read.expires_ms, read.max_age),
            (Some(NOW_MS + 60_000), Some(KoaMaxAge::Ms(60_000)))
        );
        assert_eq!(answer.set_cookie(), ours.save(&read, NOW_MS).unwrap());
        line["set"] = json!(null);
        assert_eq!(npm.ask(&line).set_cookie(), ours.end());
    }
}

/// A rotation: what the old key signed is read by both sides, and signed again with the new one.
#[test]
#[ignore = "needs the npm packages"]
fn a_cookie_of_an_older_key_is_signed_again_as_npm_does() {
    let mut npm = Npm::start(&[]);
    let session = Content::from_json(r#"{"user":"ann"}"#).unwrap();
    let old = cookie_session(&KEYS[1..]).save(&session, NOW_MS).unwrap();
    let cookie = header(old.iter().map(String::as_str));
    let read = cookie_session(&KEYS).read(cookie.as_bytes()).unwrap();
    let answer = npm.ask(&cookie_line(&cookie, &KEYS));
    assert_eq!(answer.session(), Ok(read.content.as_json()));
    assert_eq!(answer.set_cookie(), [read.sign_again.unwrap()]);

    let old = koa_session(&KEYS[1..]).save(&KoaLogin::new(session), NOW_MS).unwrap();
    let cookie = header(old.iter().map(String::as_str));
    let read = koa_session(&KEYS).read(cookie.as_bytes(), NOW_MS).unwrap();
    let answer = npm.ask(&koa_line(&cookie, &KEYS));
    assert_eq!(answer.session(), Ok(read.content.as_json()));
    assert_eq!(answer.set_cookie(), [read.sign_again.unwrap()]);
}

#[test]
#[ignore = "needs the npm packages"]
fn cookie_session_and_koa_session_refuse_what_we_refuse() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    let session = Content::from_json(r#"{"user":"ann","roles":["admin"]}"#).unwrap();
    let (ours, koa) = (cookie_session(&KEYS[..1]), koa_session(&KEYS[..1]));
    let pair = |[value, signature]: [String; 2]| header([&*value, &*signature]);
    let good = pair(ours.save(&session, NOW_MS).unwrap());
    let other_key = pair(cookie_session(&KEYS[1..]).save(&session, NOW_MS).unwrap());
    let unsigned = good.split(';').next().unwrap().to_owned();
    let mut cookies = vec![other_key, unsigned];
    cookies.extend((0..60).map(|_| damaged(&mut dice, &good, "login=".len())));
    for cookie in cookies {
        let (read, answer) =
            (ours.read(cookie.as_bytes()), npm.ask(&cookie_line(&cookie, &KEYS[..1])));
        assert_eq!(answer.0["is_new"], read.is_err(), "{cookie} {read:?} {answer:?}");
        if let Err(Refusal::NotVerified) = read
            && cookie.split_once("; login.sig=").is_some_and(|(_, signature)| !signature.is_empty())
        {
            assert_eq!(answer.set_cookie(), [ours.remove_signature()], "{cookie}");
        }
    }

    let good = pair(koa.save(&KoaLogin::new(session.clone()), NOW_MS).unwrap());
    for (now_ms, expected) in [(NOW_MS + 60_000, Ok(())), (NOW_MS + 60_001, Err(Refusal::Expired))]
    {
        assert_eq!(koa.read(good.as_bytes(), now_ms).map(drop), expected);
        let mut line = koa_line(&good, &KEYS[..1]);
        line["now_ms"] = json!(now_ms);
        assert_eq!(npm.ask(&line).0["is_new"], expected.is_err());
    }
    for _ in 0..60 {
        let cookie = damaged(&mut dice, &good, "login=".len());
        let (read, answer) =
            (koa.read(cookie.as_bytes(), NOW_MS), npm.ask(&koa_line(&cookie, &KEYS[..1])));
        assert_eq!(answer.0["is_new"], read.is_err(), "{cookie} {read:?} {answer:?}");
    }

    // What would be lost or break the other side is not written.
    for (name, in_cookie_session) in
        [("toJSON", true), ("isNew", false), ("__proto__", false), ("maxAge", true)]
    {
        let mut session = session.clone();
        session.set(name, 1).unwrap();
        assert_eq!(ours.save(&session, NOW_MS).is_ok(), in_cookie_session, "{name}");
        let error = koa.save(&KoaLogin::new(session), NOW_MS).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("admin"), "{error}");
    }
}

/// The members that koa-session drops from the cookie, or with which it or its methods fail.
#[test]
#[ignore = "needs the npm packages"]
fn what_koa_session_would_lose_is_not_stored() {
    let mut npm = Npm::start(&[]);
    let (ours, pair) = (koa_session(&KEYS), cookies("login"));
    let names = "user _ _x __proto__ __defineGetter__ _expire _maxAge _requireSave _session commit constructor \
        externalKey hasOwnProperty inspect isNew length manuallyCommit maxAge populated regenerate save toJSON toString";
    for name in names.split_whitespace() {
        let session = format!(r#"{{"kept":1,"{name}":{{"a":1}}}}"#);
        let value = STANDARD.encode(&session);
        let cookie = header(pair.set(&value, None).unwrap().iter().map(String::as_str));
        let answer = npm.ask(&koa_line(&cookie, &KEYS));
        let is_kept = answer.session() == Ok(&session) && answer.0["has_methods"] == true;
        let saved = ours.save(&KoaLogin::new(Content::from_json(session).unwrap()), NOW_MS);
        assert_eq!(saved.is_ok(), is_kept, "{name} {answer:?}");
        match saved {
            Err(error) => assert!(error.to_string().contains(&format!("{name:?}")), "{error}"),
            Ok(_) => assert!(
                ["user", "constructor", "hasOwnProperty", "inspect", "toString"].contains(&name)
            ),
        }
        // What it drops when it reads is dropped here, so that the session can be stored again.
        if let (Ok(theirs), Ok(login)) = (answer.session(), ours.read(cookie.as_bytes(), NOW_MS)) {
            assert_eq!(login.content.as_json(), theirs, "{name}");
        }
    }
}

fn cookies(name: &str) -> SignedCookies {
    SignedCookies::new(name, Keygrip::new(KEYS).unwrap()).unwrap()
}

fn pair_line(name: &str, cookie: &str) -> Value {
    json!({ "package": "cookies", "now_ms": NOW_MS, "keys": KEYS, "name": name, "cookie": cookie })
}

#[test]
#[ignore = "needs the npm packages"]
fn a_cookie_has_any_name_that_npm_s_cookies_accepts() {
    let mut npm = Npm::start(&[]);
    for (name, is_stricter) in [
        ("koa:sess", false),
        ("express:sess", false),
        ("a/b", false),
        ("a b", false),
        ("a@b[c]{d}(e)", false),
        ("a,b\"c\\d", false),
        ("a.b*c+d?e|f^g$h", false),
        ("a;b", false),
        ("a=b", false),
        ("a\nb", false),
        ("a\u{7f}b", false),
        ("", false),
        // A browser removes the space.
        ("a ", true),
        (" a", true),
        // It would be another character in a header of Node.js.
        ("é", true),
    ] {
        let mut line = pair_line(name, "");
        line["set"] = json!("x");
        let answer = npm.ask(&line);
        let ours = SignedCookies::new(name, Keygrip::new(KEYS).unwrap());
        let Ok(ours) = ours else {
            assert!(is_stricter || answer.0["error"] == "argument name is invalid", "{answer:?}");
            continue;
        };
        let set = ours.set("x", None).unwrap();
        assert_eq!(answer.set_cookie(), set, "{name}");
        let cookie = format!("other=1; {}", answer.cookie());
        assert_eq!(ours.read(cookie.as_bytes()).unwrap().value(), "x");
        assert_eq!(npm.ask(&pair_line(name, &cookie)).0["value"], "x", "{name}");

        let key = Keygrip::new(KEYS).unwrap();
        assert!(
            CookieSession::new(name, key.clone()).is_ok()
                && KoaSession::with_key(name, key).is_ok()
        );
    }
}

/// koa-session with `genid: () => "user%3A1"` and an external store has such a value.
#[test]
#[ignore = "needs the npm packages"]
fn a_signed_value_is_read_as_it_is_written() {
    let (mut npm, ours, key) = (Npm::start(&[]), cookies("sid"), Keygrip::new(KEYS).unwrap());
    for (value, is_stricter) in [
        ("user%3A1", false),
        ("user:1", false),
        ("%", false),
        ("%zz", false),
        ("a b,c\\d\"e\"", false),
        ("a\tb", false),
        ("=a==", false),
        ("a;b", false),
        ("a\nb", false),
        // The package reads them without quotes, or as another character, so their signature is wrong.
        ("\"a\"", true),
        ("\"", true),
        // A browser removes the space.
        (" a", true),
        ("a ", true),
        // It would be another character in a header of Node.js.
        ("é", true),
    ] {
        let mut line = pair_line("sid", "");
        line["set"] = json!(value);
        let answer = npm.ask(&line);
        match ours.set(value, None) {
            Err(_) => assert!(is_stricter || answer.0["error"] == "argument value is invalid"),
            Ok(set) => {
                assert_eq!(answer.set_cookie(), set, "{value}");
                let cookie = answer.cookie();
                assert_eq!(npm.ask(&pair_line("sid", &cookie)).0["value"], value);
                assert_eq!(ours.read(cookie.as_bytes()).unwrap().value(), value);
            }
        }
    }

    let signature = |value: &str| key.sign(&format!("sid={value}"));
    let (abc, ab, empty) = (signature("abc"), signature("ab"), signature(""));
    for cookie in [
        format!("sid=abc; sid.sig={abc}"),
        format!("sid=\"abc\"; sid.sig=\"{abc}\""),
        format!("sid=\"abc; sid.sig={ab}"),
        format!("sid=\"; sid.sig={empty}"),
        format!("sid=; sid.sig={empty}"),
        format!("sid=abc;sid.sig={abc}"),
        format!("  sid=abc;   sid.sig={abc}"),
        format!("xsid=1; x=sid=2; sid=abc; sid.sig={abc}; sid=ab; sid.sig={ab}"),
        format!("sid=ab; sid=abc; sid.sig={abc}"),
        format!("sid =abc; sid.sig={abc}"),
        format!("sid= abc; sid.sig={abc}"),
        format!("sid=abc ; sid.sig={abc}"),
        format!("sid=%61bc; sid.sig={abc}"),
        format!("sid=abc; sid.sig={}", abc.replace('a', "%61")),
        format!("SID=abc; sid.sig={abc}"),
        "sid=abc; sid.sig=".to_owned(),
        "sid=abc".to_owned(),
        "sid".to_owned(),
        format!("sid=abc; sid.sig={ab}"),
    ] {
        let theirs = npm.ask(&pair_line("sid", &cookie));
        let read = ours.read(cookie.as_bytes());
        let value = read.as_ref().map_or(json!(null), |read| json!(read.value()));
        assert_eq!(theirs.0["value"], value, "{cookie} {read:?}");
    }
}

/// By https, the packages send every cookie as `secure`, unless its options say otherwise.
#[test]
#[ignore = "needs the npm packages"]
fn the_cookies_of_a_site_on_https_are_secure_as_in_npm() {
    let mut npm = Npm::start(&[]);
    let session = Content::from_json(r#"{"user":"ann"}"#).unwrap();
    for secure in [None, Some(false), Some(true)] {
        let mut cookie = Cookie::new();
        cookie.set_secure(secure);
        let ours = |keys: &[&str]| {
            let sessions = cookie_session(keys).with_cookie(cookie.clone()).unwrap();
            sessions.with_secure(true)
        };
        let koa = |keys: &[&str]| {
            let sessions = koa_session(keys).with_cookie(cookie.clone()).unwrap();
            sessions.with_secure(true)
        };
        let mut lines = [cookie_line("", &KEYS), koa_line("", &KEYS)];
        for line in &mut lines {
            line["https"] = json!(true);
            if let Some(secure) = secure {
                line["options"]["secure"] = json!(secure);
            }
        }
        let login = KoaLogin::new(session.clone());
        let saved = |keys: &[&str]| {
            [ours(keys).save(&session, NOW_MS).unwrap(), koa(keys).save(&login, NOW_MS).unwrap()]
        };
        let ends = [ours(&KEYS).end(), koa(&KEYS).end()];
        let removals = [ours(&KEYS).remove_signature(), koa(&KEYS).remove_signature()];
        for (at, mut line) in lines.into_iter().enumerate() {
            line["set"] = json!({ "user": "ann" });
            assert_eq!(npm.ask(&line).set_cookie(), saved(&KEYS)[at], "{line}");
            let of = |keys| header(saved(keys)[at].iter().map(String::as_str));
            line["cookie"] = json!(of(&KEYS));
            line["set"] = json!(null);
            assert_eq!(npm.ask(&line).set_cookie(), ends[at], "{line}");

            line["set"] = json!({});
            let old = of(&KEYS[1..]);
            line["cookie"] = json!(old);
            let again = if at == 0 {
                ours(&KEYS).read(old.as_bytes()).unwrap().sign_again
            } else {
                koa(&KEYS).read(old.as_bytes(), NOW_MS).unwrap().sign_again
            };
            assert_eq!(npm.ask(&line).set_cookie(), [again.unwrap()], "{line}");
            line["cookie"] = json!(of(&["another key"]));
            assert_eq!(npm.ask(&line).set_cookie(), [&*removals[at]], "{line}");
        }
    }
}
