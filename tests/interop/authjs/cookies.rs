//! The session cookie of a site of NextAuth or Auth.js beside ours, with the real packages.

use cloakroom_authjs::AuthJs;
use http::{HeaderMap, header::AUTHORIZATION};
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
            let ours = answer.set_cookies().iter().map(|set| set.to_str().unwrap().to_owned());
            let ours = without_token(&auth, &ours.collect::<Vec<_>>());
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
