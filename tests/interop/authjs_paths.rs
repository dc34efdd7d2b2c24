//! A guard refuses a request for every path that a server in Node.js takes for a guarded one.

use cloakroom_authjs::RequireAuth;
use cloakroom_test_support::NodeProgram;
use cloakroom_tests::dice::Dice;
use cloakroom_tower::RequestHead;
use http::{Request, Uri};
use serde_json::{Value, json};

use crate::authjs::ask;

#[test]
#[ignore = "needs the npm packages"]
fn no_path_that_a_server_takes_for_a_guarded_one_passes() {
    let mut npm = NodeProgram::start("authjs.mjs", &[], &[]).unwrap();
    let parts = [
        "admin",
        "%61dmin",
        "public",
        "x",
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        ".%2e",
        "x%2Fy",
        "x%5cy",
        "x\\y",
        "..%2fadmin",
        "%2F",
        "%5C..",
        "a%2Fb",
        "%25",
        "é",
        "%C3%A9",
        "%ff",
    ];
    let mut dice = Dice::new(11);
    let paths: Vec<String> = (0..4_000)
        .map(|_| (0..=dice.below(5)).map(|_| format!("/{}", dice.pick(&parts))).collect())
        // A request has no other characters in its path.
        .filter(|path: &String| path.parse::<Uri>().is_ok_and(|uri| uri.path() == path))
        .collect();
    let readings = ask(&mut npm, &json!({ "read": paths })).unwrap();
    let readings: Vec<(&String, &Value)> = paths
        .iter()
        .zip(readings.as_array().unwrap())
        .flat_map(|(path, readings)| {
            readings.as_array().unwrap().iter().map(move |read| (path, read))
        })
        .collect();
    let texts: Vec<&Value> = readings.iter().map(|(_, reading)| *reading).collect();
    let mut dotted = 0;
    for matcher in ["/admin", "/admin/:path*", "/admin/:id", "/((?!public).*)", "/x/(.*)"] {
        let guard = RequireAuth::json().with_matcher([matcher]).unwrap();
        let theirs = ask(&mut npm, &json!({ "matcher": matcher, "paths": texts })).unwrap();
        for ((path, reading), is_guarded) in readings.iter().zip(theirs.as_array().unwrap()) {
            if *is_guarded == json!(true) {
                let request = Request::get(path.as_str()).body(()).unwrap();
                // Outside of its layer, a guard answers 500 for what it guards.
                let refusal = guard.refuse(RequestHead::from(&request));
                assert!(refusal.is_some(), "{matcher} {path} as {reading}");
                dotted += usize::from(path.contains("..") && path.contains("%2F"));
            }
        }
    }
    assert!(dotted > 100, "{dotted}");
}
