//! The example `clerk_app` with tokens that Node.js signs.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom_test_support::{Example, NodeProgram};
use serde_json::{Value, json};

const ISSUER: &str = "https://clerk.shop.example";
const ORIGIN: &str = "https://shop.example";

/// A change of the request for a token.
type Change = fn(&mut Value);

#[test]
#[ignore = "needs Node.js"]
fn clerk_app_lets_in_whom_clerk_has_logged_in_for_this_site() {
    let mut clerk = NodeProgram::start("clerk.mjs", &[], &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("jwks.json");
    fs::write(&keys, clerk.ready()).unwrap();
    let app = Example::start("clerk_app", &[keys.to_str().unwrap(), ISSUER, ORIGIN]).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let http: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut ask = |change: Change, header: &str, prefix: &str| {
        let mut request = json!({
            "header": { "alg": "RS256", "kid": "ins_1", "typ": "JWT" },
            "claims": {
                "iss": ISSUER, "azp": ORIGIN, "sub": "user_1", "sid": "sess_1", "iat": now - 1, "nbf": now - 1,
                "exp": now + 3_600,
            },
        });
        change(&mut request);
        let token: Value = clerk.call(&request).unwrap();
        let value = format!("{prefix}{}", token["token"].as_str().unwrap());
        let response = http.get(format!("{}/account", app.url())).header(header, value).call();
        let mut response = response.unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    let accepted = (200, "the account of user_1\n".to_owned());
    assert_eq!(ask(|_| {}, "authorization", "Bearer "), accepted);
    assert_eq!(ask(|_| {}, "cookie", "a=b; __session="), accepted);
    // Ten minutes and more on each side of the tolerance, so that a slow machine decides nothing.
    let refused: [(&str, Change); 11] = [
        ("expired", |request| request["claims"]["exp"] = json!(1_767_225_600)),
        ("not yet valid", |request| request["claims"]["nbf"] = json!(9_999_999_999_u64)),
        ("no expiry", |request| request["claims"]["exp"] = Value::Null),
        ("another issuer", |request| request["claims"]["iss"] = json!("https://evil.example")),
        ("another site", |request| request["claims"]["azp"] = json!("https://evil.example")),
        ("no site", |request| drop(request["claims"].as_object_mut().unwrap().remove("azp"))),
        ("another key", |request| request["other"] = json!(true)),
        ("an unknown key", |request| request["header"]["kid"] = json!("ins_2")),
        ("no key", |request| drop(request["header"].as_object_mut().unwrap().remove("kid"))),
        ("no signature", |request| request["header"]["alg"] = json!("none")),
        ("the public key as a secret", |request| {
            request["header"]["alg"] = json!("HS256");
            request["public"] = json!(true);
        }),
    ];
    for (why, change) in refused {
        assert_eq!(ask(change, "authorization", "Bearer ").0, 401, "{why}");
    }
    assert_eq!(ask(|_| {}, "authorization", "bearer ").0, 401);
    assert_eq!(ask(|_| {}, "cookie", "other=").0, 401);
}
