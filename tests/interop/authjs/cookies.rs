//! The session cookie of a site of NextAuth or Auth.js beside ours, with the real packages.

use cloakroom_authjs::AuthJs;
use cloakroom_core::Cookie;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{NOW_MS, SECRETS, VERSIONS, ask, claims, npm, options, read, request, without_token};

/// An empty cookie is what a proxy or a script leaves when it deletes one without an expiry.
#[tokio::test]
#[ignore = "needs the npm packages"]
async fn an_empty_session_cookie_is_ignored() {
    let mut npm = npm();
    for (number, version) in VERSIONS {
        let auth = AuthJs::jwt(options(version), [SECRETS[0]]).unwrap();
        let given = claims(&json!({ "name": "Ada", "sub": "42" }));
        let set = auth.sign_in(&HeaderMap::new(), &given).unwrap();
        let set = set[0].to_str().unwrap();
        let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
        for (cookie, is_known) in [
            ("@=".to_owned(), false),
            ("@.0=".to_owned(), false),
            ("@=; @.0=; @.1=".to_owned(), false),
            (format!("@=; @.0={value}"), true),
            (format!("@={value}; @.0="), true),
            (format!("@.0=; @.1={value}"), true),
            ("@=; @.0=junk".to_owned(), false),
            ("@=junk; @.1=".to_owned(), false),
        ] {
            let cookie = cookie.replace('@', name);
            let session = json!({ "cookie": cookie, "secret": SECRETS[0], "options": {} });
            let session = json!({ "version": number, "now": NOW_MS, "session": session });
            let theirs = ask(&mut npm, &session).unwrap();
            let answer = auth.get_server_session(&request(&cookie)).await.unwrap();
            assert_eq!(answer.session().is_some(), is_known, "{number} {cookie}");
            assert_eq!(theirs["body"].is_object(), is_known, "{number} {cookie}");
            let ours = shown(&auth, answer.set_cookies());
            let theirs: Vec<String> = serde_json::from_value(theirs["cookies"].clone()).unwrap();
            assert_eq!(ours, without_token(&auth, &theirs), "{number} {cookie}");

            let of_cookie = json!({ "cookie": cookie, "bearer": value, "secret": SECRETS[0] });
            let theirs = json!({ "version": number, "now": NOW_MS, "get_token": of_cookie });
            let theirs = ask(&mut npm, &theirs).unwrap();
            let mut headers = request(&cookie);
            headers.insert(AUTHORIZATION, format!("Bearer {value}").parse().unwrap());
            let ours = auth.get_token(&headers).ok().flatten();
            assert_eq!(
                ours.map_or(Value::Null, |claims| read(&claims)),
                theirs,
                "{number} {cookie}"
            );
        }
    }
}

/// The options of a site's cookie are in every line that is set, in the order of the packages.
#[tokio::test]
#[ignore = "needs the npm packages"]
async fn the_attributes_of_a_site_s_cookie_are_kept() {
    let mut npm = npm();
    for (number, version) in VERSIONS {
        for attributes in [
            json!({ "httpOnly": true, "sameSite": "lax", "path": "/app", "secure": false }),
            json!({ "httpOnly": true, "sameSite": "none", "path": "/", "secure": true, "partitioned": true }),
            json!({ "httpOnly": false, "sameSite": "strict", "path": "/a/b", "domain": "shop.example", "priority": "high" }),
        ] {
            let cookie = Cookie::from_json(&attributes.to_string()).unwrap();
            let options = options(version).with_cookie(cookie);
            let auth = AuthJs::jwt(options.clone(), [SECRETS[0]]).unwrap();
            let name = options.session_cookie();
            let site =
                json!({ "cookies": { "sessionToken": { "name": name, "options": attributes } } });
            for long in [0, 9_000] {
                let given = claims(&json!({ "name": "Ada", "long": "x".repeat(long) }));
                let set = auth.sign_in(&HeaderMap::new(), &given).unwrap();
                let pair = |line: &HeaderValue| {
                    line.to_str().unwrap().split(';').next().unwrap().to_owned()
                };
                let valid = set.iter().map(pair).collect::<Vec<_>>().join("; ");
                let invalid = format!("{name}=junk; {name}.0=junk");
                // The other form of the cookie is left over.
                let both = if long == 0 {
                    format!("{name}.0=; {valid}")
                } else {
                    format!("{name}=; {valid}")
                };
                for cookie in [valid, both, invalid.clone()] {
                    let session =
                        json!({ "cookie": cookie, "secret": SECRETS[0], "options": site });
                    let session = json!({ "version": number, "now": NOW_MS, "session": session });
                    let theirs = ask(&mut npm, &session).unwrap();
                    let theirs: Vec<String> =
                        serde_json::from_value(theirs["cookies"].clone()).unwrap();
                    let answer = auth.get_server_session(&request(&cookie)).await.unwrap();
                    assert_eq!(answer.session().is_some(), cookie != invalid);
                    let ours = shown(&auth, answer.set_cookies());
                    assert_eq!(ours, without_token(&auth, &theirs), "{number} {session}");
                    if cookie == invalid {
                        let set = auth.sign_out(&request(&cookie)).await.unwrap();
                        assert_eq!(shown(&auth, &set), ours);
                    }
                }
                let renewed = auth.get_server_session(&request(&pair(&set[0]))).await.unwrap();
                if long == 0 {
                    assert_eq!(shown(&auth, &set), shown(&auth, renewed.set_cookies()));
                }
            }
        }
    }
}

fn shown(auth: &AuthJs, lines: &[HeaderValue]) -> (Vec<String>, Option<Value>) {
    let lines = lines.iter().map(|line| line.to_str().unwrap().to_owned());
    without_token(auth, &lines.collect::<Vec<_>>())
}
