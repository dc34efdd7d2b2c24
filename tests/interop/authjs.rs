//! The tokens, the answers and the matchers of next-auth 4, Auth.js 5 and Next.js beside ours, with the real packages.

mod cookies;

use std::{fs, path::Path, time::Duration};

use cloakroom_authjs::{
    AuthJs, AuthJsOptions, AuthJsVersion, Claims, TokenCodec, TokenRefusal, for_tests::matches,
};
use cloakroom_core::Clock;
use cloakroom_test_support::NodeProgram;
use cloakroom_tests::dice::Dice;
use http::{HeaderMap, HeaderValue, header::COOKIE};
use serde_json::{Map, Value, json};

pub(crate) const NOW_MS: i64 = 1_767_225_600_123;
const SECRETS: [&str; 3] = ["made-up-secret-one", "clé-€", "made-up-secret-three"];
const VERSIONS: [(u8, AuthJsVersion); 2] =
    [(4, AuthJsVersion::NextAuth4), (5, AuthJsVersion::AuthJs5)];

fn npm() -> NodeProgram {
    NodeProgram::start("authjs.mjs", &[], &[]).unwrap()
}

/// What the package returned, or the code of its error.
pub(crate) fn ask(npm: &mut NodeProgram, request: &Value) -> Result<Value, String> {
    let answer: Value = npm.call(request).unwrap();
    match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer["value"].clone()),
    }
}

pub(crate) fn options(version: AuthJsVersion) -> AuthJsOptions {
    let options = match version {
        AuthJsVersion::NextAuth4 => AuthJsOptions::next_auth_4(),
        _ => AuthJsOptions::auth_js_5(),
    };
    options.with_secure_cookies(false).with_clock(Clock::fixed(NOW_MS))
}

pub(crate) fn request(cookie: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
}

/// A random value, at most `depth` levels deep.
fn value(dice: &mut Dice, depth: usize) -> Value {
    let texts = ["", "Ada", "Zoë €😀", "<a href=\"x\">\\", "\u{1}\t\u{2028}", "42"];
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(dice.chance(50)),
        2 => json!(dice.below(1 << 53)),
        3 => json!(-((2 * dice.below(1_000) + 1) as f64) / 8.0),
        4 => json!(dice.pick(&texts)),
        5 => (0..dice.below(4)).map(|_| value(dice, depth - 1)).collect(),
        _ => Value::Object(members(dice, depth - 1)),
    }
}

fn members(dice: &mut Dice, depth: usize) -> Map<String, Value> {
    let names = ["sub", "name", "email", "picture", "role", "id", "touch", "ключ", "7", "a b"];
    (0..dice.below(6)).map(|_| (dice.pick(&names).to_owned(), value(dice, depth))).collect()
}

fn claims(value: &Value) -> Claims {
    Claims::from_json(&value.to_string()).unwrap()
}

fn read(claims: &Claims) -> Value {
    claims.read().unwrap()
}

#[test]
#[ignore = "needs the npm packages"]
fn each_side_reads_the_tokens_of_the_other() {
    let mut npm = npm();
    let mut dice = Dice::new(5);
    for round in 0..60 {
        let (number, version) = dice.pick(&VERSIONS);
        let given = Value::Object(members(&mut dice, 3));
        let salt = dice.pick(&["authjs.session-token", "__Secure-authjs.session-token"]);
        let salt = if number == 4 && dice.chance(70) { "" } else { salt };
        let secret = dice.pick(&SECRETS);
        // Auth.js 5 takes a list, in which its own is somewhere.
        let secrets = json!(SECRETS);
        let for_reading = if number == 5 { secrets } else { json!(secret) };
        let ours = TokenCodec::new(version, [secret], salt).unwrap();

        let token = json!({ "token": given, "secret": secret, "salt": salt });
        let theirs = json!({ "version": number, "now": NOW_MS, "encode": token });
        let theirs = ask(&mut npm, &theirs).unwrap();
        let came = ours.decode(theirs.as_str().unwrap(), NOW_MS).unwrap();
        let mut expected = given.clone();
        for (name, value) in [("iat", json!(1_767_225_600)), ("exp", json!(1_769_817_600))] {
            expected[name] = value;
        }
        expected["jti"] = read(&came)["jti"].clone();
        assert_eq!(read(&came), expected, "{round}: {number} {salt}");

        let written = ours.encode(&claims(&given), Duration::from_secs(2_592_000), NOW_MS).unwrap();
        let token = json!({ "token": written, "secret": for_reading, "salt": salt });
        let came = json!({ "version": number, "now": NOW_MS, "decode": token });
        let came = ask(&mut npm, &came).unwrap();
        expected["jti"] = came["jti"].clone();
        assert_eq!(came, expected, "{round}: {number} {salt}");
    }
}

/// A key as the packages derive it, from the recordings: of the first secret, for the default name on http.
const KEY_4: &str = "23e4137747207b29da578c99d68f73fcdbce698b9056748da263cba0f091172e";
const KEY_5: &str = "54256bade58158c5522398d91c5cb6eaa5208b71dc5f400d6bd5c679b3959eca93e5a0c26c7d6e8715b829c81cd1699945b538d1ba9a66eca5f262d5d4b93add";

/// What the packages accept and we refuse: an honest writer makes none of it.
fn is_stricter(refusal: TokenRefusal, version: u8, what: &str) -> bool {
    match refusal {
        TokenRefusal::Algorithm => version == 4 && what.contains("A128CBC-HS256"),
        TokenRefusal::Malformed => ["padding", "newline", "unused bits", "A256KW", "A256GCMKW"]
            .iter()
            .any(|one| what.contains(one)),
        TokenRefusal::Payload => version == 4 && what.contains("utf-8"),
        _ => false,
    }
}

/// Asks both about a token, and compares what they say. Returns true if the package accepts it.
fn agrees(npm: &mut NodeProgram, version: u8, what: &str, decode: &Value, now_ms: i64) -> bool {
    let theirs = ask(npm, &json!({ "version": version, "now": now_ms, "decode": decode }));
    let theirs = theirs.ok().filter(|claims| !claims.is_null());
    let secrets: Vec<&str> = match &decode["secret"] {
        Value::Array(secrets) => secrets.iter().map(|one| one.as_str().unwrap()).collect(),
        secret => vec![secret.as_str().unwrap()],
    };
    let generation = VERSIONS.iter().find(|(known, _)| *known == version).unwrap().1;
    let codec = TokenCodec::new(generation, secrets, decode["salt"].as_str().unwrap());
    let Ok(codec) = codec else {
        assert_eq!(theirs, None, "{what}");
        return false;
    };
    let ours = codec.decode(decode["token"].as_str().unwrap(), now_ms);
    match (&theirs, &ours) {
        (Some(theirs), Ok(ours)) => assert_eq!(&read(ours), theirs, "{what}"),
        (None, Err(_)) => {}
        (None, Ok(_)) => assert!(what.contains("second secret"), "{version}: {what} is accepted"),
        (Some(_), Err(refusal)) => {
            assert!(is_stricter(*refusal, version, what), "{version}: {what}: {refusal}");
        }
    }
    if let Err(refusal) = ours {
        let shown = format!("{refusal} {refusal:?}");
        assert!(!shown.contains("neg") && shown.len() < 100, "{shown}");
    }
    theirs.is_some()
}

#[test]
#[ignore = "needs the npm packages"]
fn every_refusal_agrees_with_the_package() {
    let mut npm = npm();
    // What was recorded once is asked again, so that it is the package that says so.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logins-authjs.json");
    let fixture: Value = serde_json::from_str(&fs::read_to_string(fixture).unwrap()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for row in fixture["vectors"].as_array().unwrap() {
        let version = match row["kind"].as_str().unwrap() {
            "nextauth4.verdict" => 4,
            "authjs5.verdict" => 5,
            _ => continue,
        };
        let inputs = &row["inputs"];
        let decode =
            json!({ "token": inputs["jwe"], "secret": inputs["secret"], "salt": inputs["salt"] });
        let is_accepted = agrees(&mut npm, version, row["name"].as_str().unwrap(), &decode, NOW_MS);
        if is_accepted { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 30 && refused > 50, "{accepted} {refused}");

    // Headers that were swapped, written by the library that the packages use.
    let text = json!({ "sub": "neg", "exp": 1_767_225_605 }).to_string();
    for (version, key, salt) in [(4, KEY_4, ""), (5, KEY_5, "authjs.session-token")] {
        let full =
            json!({ "alg": "dir", "enc": if version == 4 { "A256GCM" } else { "A256CBC-HS512" } });
        let with = |name: &str, value: Value| {
            let mut header = full.clone();
            header[name] = value;
            header
        };
        let length = |length: usize| {
            let short = json!({ "sub": "neg", "exp": 1_767_225_605, "x": "" }).to_string();
            let x = "x".repeat(length - short.len());
            json!({ "sub": "neg", "exp": 1_767_225_605, "x": x }).to_string()
        };
        let compressed = || with("zip", json!("DEF"));
        for (what, length, works) in [
            ("250,000 bytes in zip", length(250_000), true),
            ("250,001 bytes in zip", length(250_001), false),
        ] {
            let craft = json!({ "craft": { "header": compressed(), "key": key, "text": length } });
            let token = ask(&mut npm, &craft).unwrap();
            assert!(token.as_str().unwrap().len() < 2_000, "{what}");
            let decode = json!({ "token": token, "secret": SECRETS[0], "salt": salt });
            let is_accepted = agrees(&mut npm, version, what, &decode, NOW_MS);
            assert_eq!(is_accepted, works, "{version}: {what}");
        }
        for (what, header, key, works) in [
            ("good", full.clone(), key, true),
            ("typ", with("typ", json!("JWT")), key, true),
            ("zip", compressed(), key, true),
            ("A192CBC-HS384", with("enc", json!("A192CBC-HS384")), &KEY_5[..96], false),
            ("A128GCM", with("enc", json!("A128GCM")), &KEY_4[..32], false),
            ("A256KW", with("alg", json!("A256KW")), KEY_4, version == 4),
        ] {
            let craft = json!({ "craft": { "header": header, "key": key, "text": text } });
            let token = ask(&mut npm, &craft).unwrap_or_else(|error| panic!("{what}: {error}"));
            let decode = json!({ "token": token, "secret": SECRETS[0], "salt": salt });
            let is_accepted = agrees(&mut npm, version, what, &decode, NOW_MS);
            assert_eq!(is_accepted, works, "{version}: {what}");
        }
    }
}

#[test]
#[ignore = "needs the npm packages"]
fn tokens_that_are_changed_at_random_are_judged_alike() {
    let mut npm = npm();
    let mut dice = Dice::new(11);
    for (version, generation) in VERSIONS {
        let salt = "authjs.session-token";
        let codec = TokenCodec::new(generation, SECRETS, salt).unwrap();
        let given = Claims::from_json(r#"{"sub":"neg"}"#).unwrap();
        for _ in 0..40 {
            let token = codec.encode(&given, Duration::from_secs(60), NOW_MS).unwrap();
            let mut bytes = token.into_bytes();
            let at = dice.below(bytes.len());
            let (what, now_ms) = match dice.below(4) {
                0 => {
                    bytes.truncate(at);
                    ("cut", NOW_MS)
                }
                1 => {
                    // The last characters of each part have bits that are not used.
                    bytes[at] = dice.pick(b"AQgw.-_z");
                    ("changed, unused bits", NOW_MS)
                }
                2 => {
                    bytes.insert(at, dice.pick(b"A.="));
                    ("one more, padding", NOW_MS)
                }
                _ => ("later", NOW_MS + 1_000 * (50 + dice.below(40) as i64)),
            };
            let token = String::from_utf8(bytes).unwrap();
            let secret = if version == 4 { json!(SECRETS[0]) } else { json!(SECRETS) };
            let decode = json!({ "token": token, "secret": secret, "salt": salt });
            agrees(&mut npm, version, what, &decode, now_ms);
        }
    }
}

/// The cookies of an answer without what is random, and what is in the token.
fn without_token(auth: &AuthJs, cookies: &[String]) -> (Vec<String>, Option<Value>) {
    let name = |cookie: &str| cookie.split('=').next().unwrap().to_owned();
    let attributes = |cookie: &str| cookie.split_once("; ").unwrap().1.to_owned();
    let length = |cookie: &str| cookie.split(';').next().unwrap().len();
    let written = cookies.iter().filter(|cookie| !cookie.contains("Max-Age=0"));
    let pairs: Vec<&str> = written.map(|cookie| cookie.split(';').next().unwrap()).collect();
    let claims = auth.get_token(&request(&pairs.join("; ")));
    let mut claims = claims.ok().flatten().map(|claims| read(&claims));
    if let Some(claims) = &mut claims {
        claims["jti"] = Value::Null;
    }
    let mut shown: Vec<String> = cookies
        .iter()
        .map(|cookie| format!("{} {} {}", name(cookie), length(cookie), attributes(cookie)))
        .collect();
    shown.sort();
    (shown, claims)
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn a_read_of_the_session_answers_what_the_packages_answer() {
    let mut npm = npm();
    let mut dice = Dice::new(7);
    let (mut known, mut chunked) = (0, 0);
    for round in 0..60 {
        let (number, version) = dice.pick(&VERSIONS);
        let (mut options, mut site) = (options(version), json!({ "session": {}, "jwt": {} }));
        if dice.chance(50) {
            options = options.with_max_age(Duration::from_secs(60));
            site["session"]["maxAge"] = json!(60);
        }
        if dice.chance(30) {
            options = options.with_jwt_max_age(Duration::from_secs(90));
            site["jwt"]["maxAge"] = json!(90);
        }
        let auth = AuthJs::jwt(options.clone(), [SECRETS[0]]).unwrap();
        let mut given = members(&mut dice, 2);
        if dice.chance(40) {
            given.insert("large".to_owned(), "x".repeat(3_000 + dice.below(9_000)).into());
        }
        let cookies = auth.sign_in(&HeaderMap::new(), &claims(&Value::Object(given))).unwrap();
        let mut pairs: Vec<String> = cookies
            .iter()
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        chunked += usize::from(pairs.len() > 1);
        let name = options.session_cookie();
        match dice.below(6) {
            0 => pairs = vec![format!("{name}=junk")],
            1 => pairs = vec![format!("{name}.0=a"), format!("{name}.1=b")],
            2 => pairs = vec!["other=1".to_owned()],
            3 => pairs.reverse(),
            _ => {}
        }
        let cookie = pairs.join("; ");
        let session = json!({ "cookie": cookie, "secret": SECRETS[0], "options": site });
        let session = json!({ "version": number, "now": NOW_MS, "session": session });
        let theirs = ask(&mut npm, &session).unwrap();
        let ours = auth.get_server_session(&request(&cookie)).await.unwrap();
        let body = ours.session().map(|session| session.to_json());
        let body = body.map_or(Value::Null, |body| serde_json::from_str(&body).unwrap());
        assert_eq!(body, theirs["body"], "{round}: {session}");
        known += usize::from(!body.is_null());

        let texts = |cookies: &Value| -> Vec<String> {
            cookies
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        let ours: Vec<String> =
            ours.set_cookies().iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
        let (ours, theirs) =
            (without_token(&auth, &ours), without_token(&auth, &texts(&theirs["cookies"])));
        assert_eq!(ours, theirs, "{round}: {session}");
    }
    assert!(known > 20 && chunked > 10, "{known} {chunked}");
}

#[test]
#[ignore = "needs the npm packages"]
fn a_matcher_matches_what_it_matches_in_next() {
    let mut npm = npm();
    let parts =
        ["a", "about", "api", "apiary", "x.png", "_next", "static", "A", "", "favicon.ico", "%61"];
    let mut dice = Dice::new(3);
    let mut paths = vec!["/".to_owned()];
    for _ in 0..300 {
        let path: String = (0..=dice.below(4)).map(|_| format!("/{}", dice.pick(&parts))).collect();
        // `path-to-regexp` takes the root with two slashes for the root, and a guard resolves them first.
        if path != "//" {
            paths.push(path);
        }
    }
    for matcher in [
        "/",
        "/about",
        "/about/:path*",
        "/about/:path+",
        "/a/:id",
        "/a/:id?",
        "/a/:id/api",
        "/:id/api/:rest*",
        "/:path*",
        "/(.*)",
        "/api/(.*)",
        "/((?!api|_next/static|favicon.ico).*)",
        "/((?!api|static|.*\\..*|_next).*)",
        "/((?!.*\\.png$).*)",
        "/about/((?!a|api/).*)",
        "/x.png",
    ] {
        let theirs = ask(&mut npm, &json!({ "matcher": matcher, "paths": paths })).unwrap();
        for (path, theirs) in paths.iter().zip(theirs.as_array().unwrap()) {
            let ours = matches(matcher, path).unwrap();
            assert_eq!(json!(ours), *theirs, "{matcher} {path}");
        }
    }
}
