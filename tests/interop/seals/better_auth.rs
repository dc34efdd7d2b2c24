//! better-auth 1.

use std::process::Command;

use cloakroom_authjs::{
    better_auth::{BetterAuth, BetterAuthLogin, BetterAuthOptions, CookieCache, SESSION_BY_TOKEN},
    sealed::{Content, Refusal},
};
use cloakroom_core::{Cookie, SameSite};
use cloakroom_test_support::RedisServer;
use redis::Commands;
use serde_json::{Value, json};

use super::{Answer, NOW_MS, Npm, damaged, seed};

const SECRET: &str = "made-up better-auth secret of the tests";

fn line(what: &str, cookie: &str, options: &Value) -> Value {
    json!({ "package": "better-auth", "now_ms": NOW_MS, "do": what, "cookie": cookie, "options": options })
}

fn body(answer: &Answer) -> &str {
    answer.0["body"].as_str().unwrap_or_else(|| panic!("{answer:?}"))
}

fn at(mut line: Value, now_ms: i64) -> Value {
    line["now_ms"] = json!(now_ms);
    line
}

#[test]
#[ignore = "needs the npm packages"]
fn the_token_and_the_row_of_better_auth_are_verified() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    let ours = BetterAuth::new([SECRET]).unwrap();
    let options = json!({ "secret": SECRET });
    for remember in [true, false] {
        let mut sign_up = line("sign-up", "", &options);
        sign_up["remember"] = json!(remember);
        let answer = npm.ask(&sign_up);
        let cookie = answer.cookie();
        let token = ours.token(cookie.as_bytes()).unwrap();
        assert_eq!(ours.is_browser_session(cookie.as_bytes()), !remember);
        let written = match remember {
            true => vec![ours.session_cookie(&token).unwrap()],
            false => ours.browser_session_cookies(&token).unwrap().to_vec(),
        };
        assert_eq!(answer.set_cookie(), written);

        let rows = npm.ask(&json!({ "package": "better-auth", "now_ms": NOW_MS, "do": "rows", "token": token, "options": options })).0;
        let row = |name: &str| Content::from_json(rows[name].to_string()).unwrap();
        let login = BetterAuthLogin::from_rows(row("session"), row("user")).unwrap();
        assert_eq!(login.check(&token, NOW_MS), Ok(()));
        assert_eq!(login.user.get::<String>("name").unwrap().as_deref(), Some("Ada"));

        // A cookie that is signed here is a login there.
        let signed = super::header(written.iter().map(String::as_str));
        let answer = npm.ask(&line("get-session", &signed, &options));
        let theirs = BetterAuthLogin::from_json(body(&answer)).unwrap();
        assert_eq!((theirs.user_id(), theirs.expires_ms()), (login.user_id(), login.expires_ms()));

        // Damage to the mark of a browser's session would renew it there.
        for _ in 0..if remember { 40 } else { 0 } {
            let damaged = damaged(&mut dice, &cookie, "better-auth.session_token=".len());
            let token_there = ours.token(damaged.as_bytes()).is_ok_and(|found| found == token);
            let answer = npm.ask(&line("get-session", &damaged, &options));
            // The last character has bits that say nothing; there they may be others, here they may not.
            assert!(!token_there || body(&answer) != "null", "{damaged}");
            assert!(
                token_there || body(&answer) == "null" || damaged.len() == cookie.len(),
                "{damaged}"
            );
        }

        // To the millisecond: renewed, expired.
        let end = login.expires_ms().unwrap();
        for now_ms in [NOW_MS + 86_400_000 - 1, NOW_MS + 86_400_000] {
            let renewal = ours.renewal_ms(&login, now_ms).filter(|_| remember);
            let answer = npm.ask(&at(line("get-session", &cookie, &options), now_ms));
            let theirs = BetterAuthLogin::from_json(body(&answer)).unwrap();
            assert_eq!(theirs.expires_ms(), renewal.or(Some(end)), "{now_ms}");
        }
        let answer = npm.ask(&line("sign-out", &cookie, &options));
        assert_eq!(answer.set_cookie(), ours.sign_out(cookie.as_bytes()).unwrap());
        let answer = npm.ask(&line("get-session", &cookie, &options));
        assert_eq!(body(&answer), "null");
        assert_eq!(BetterAuthLogin::from_json(body(&answer)).unwrap_err(), Refusal::Missing);
    }
}

/// A site on http behind a proxy that ends https can have attributes that require `Secure`.
#[test]
#[ignore = "needs the npm packages"]
fn the_attributes_of_a_site_of_better_auth_are_kept() {
    let mut npm = Npm::start(&[]);
    let attributes = json!({ "secure": true, "sameSite": "none", "partitioned": true, "path": "/app", "domain": "shop.example" });
    let options =
        json!({ "secret": SECRET, "advanced": { "defaultCookieAttributes": attributes } });
    let mut cookie = Cookie::new();
    cookie.set_secure(Some(true));
    cookie.set_same_site(Some(SameSite::None));
    cookie.set_partitioned(Some(true));
    cookie.set_path(Some("/app"));
    cookie.set_domain(Some("shop.example"));
    let ours = BetterAuthOptions::default().with_cookie(cookie);
    let ours = BetterAuth::with_options([SECRET], ours).unwrap();
    let answer = npm.ask(&line("sign-up", "", &options));
    let token = ours.token(answer.cookie().as_bytes()).unwrap();
    assert_eq!(answer.set_cookie(), [ours.session_cookie(&token).unwrap()]);
    let cookie = answer.cookie();
    let answer = npm.ask(&line("sign-out", &cookie, &options));
    assert_eq!(answer.set_cookie(), ours.sign_out(cookie.as_bytes()).unwrap());
}

#[test]
#[ignore = "needs the npm packages"]
fn the_session_cookie_of_better_auth_has_a_name_of_the_site() {
    let mut npm = Npm::start(&[]);
    for secure in [false, true] {
        let advanced = json!({ "useSecureCookies": secure, "cookies": { "session_token": { "name": "sid" } } });
        let options = json!({ "secret": SECRET, "advanced": advanced });
        let ours = BetterAuthOptions::default().with_session_token_name("sid");
        let ours = BetterAuth::with_options([SECRET], ours.with_secure_cookies(secure)).unwrap();
        let answer = npm.ask(&line("sign-up", "", &options));
        let cookie = answer.cookie();
        let token = ours.token(cookie.as_bytes()).unwrap();
        assert_eq!(answer.set_cookie(), [ours.session_cookie(&token).unwrap()]);
        let answer = npm.ask(&line("sign-out", &cookie, &options));
        assert_eq!(answer.set_cookie(), ours.sign_out(cookie.as_bytes()).unwrap());
    }
}

/// With `account.storeAccountCookie`, the tokens of the user's provider are in cookies, which a sign-out deletes.
#[test]
#[ignore = "needs the npm packages"]
fn a_sign_out_deletes_the_account_cookie_of_better_auth() {
    let mut npm = Npm::start(&[]);
    let ours = BetterAuth::new([SECRET]).unwrap();
    let options = json!({ "secret": SECRET, "account": { "storeAccountCookie": true } });
    let cookie = npm.ask(&line("sign-up", "", &options)).cookie();
    for account in [
        "better-auth.account_data=a",
        "better-auth.account_data.0=a; better-auth.account_data.1=b",
        "better-auth.account_data=; better-auth.account_data.1=b; better-auth.account_data.1=c; better-auth.account_data.x=d",
    ] {
        let cookie = format!("{cookie}; {account}; better-auth.session_data.0=e");
        let answer = npm.ask(&line("sign-out", &cookie, &options));
        let mut theirs = answer.set_cookie();
        let ours = ours.sign_out(cookie.as_bytes()).unwrap();
        let mut ours: Vec<&str> = ours.iter().map(String::as_str).collect();
        theirs.sort_unstable();
        // The package deletes the account cookie twice.
        theirs.dedup();
        ours.sort_unstable();
        // It deletes the cookie without a number even if the browser has none.
        theirs.retain(|set| account.contains("account_data=") || !set.contains("account_data="));
        assert_eq!(ours, theirs, "{account}");
    }
}

#[test]
#[ignore = "needs the npm packages"]
fn each_form_of_the_cookie_cache_is_verified_as_better_auth_does() {
    let (mut npm, mut dice) = (Npm::start(&[]), seed());
    let ours = BetterAuth::new([SECRET]).unwrap();
    for (name, strategy, seconds) in [
        ("compact", CookieCache::Compact, 0),
        ("jwt", CookieCache::Jwt, 0),
        ("jwe", CookieCache::Jwe, 15),
    ] {
        let cache = json!({ "enabled": true, "maxAge": 60, "strategy": name });
        // A long address makes chunks of the cache.
        for long in ["", &"b".repeat(6_000)] {
            let fields =
                json!({ "image": { "type": "string", "required": false, "defaultValue": long } });
            let options = json!({ "secret": SECRET, "session": { "cookieCache": cache }, "user": { "additionalFields": { "bio": fields["image"] } } });
            let cookie = npm.ask(&line("sign-up", "", &options)).cookie();
            assert_eq!(cookie.contains("session_data.1="), !long.is_empty(), "{cookie}");
            let login = ours.cached(cookie.as_bytes(), strategy, NOW_MS).unwrap();
            assert_eq!(login.user.get::<String>("bio").unwrap().unwrap_or_default(), long);

            let mut ask = |cookie: &str, now_ms: i64| {
                let mut line = at(line("cache", cookie, &options), now_ms);
                line["strategy"] = json!(name);
                // It throws for a signature with characters that are not base64.
                npm.ask(&line).0["body"].as_str().unwrap_or("null").to_owned()
            };
            let token = cookie.split_once("; ").unwrap().0;
            // The JWT counts from the whole second before.
            let end = if name == "compact" {
                NOW_MS + 60_001
            } else {
                NOW_MS / 1_000 * 1_000 + 60_000 + seconds * 1_000
            };
            for now_ms in [end - 1, end] {
                let is_read = ours.cached(cookie.as_bytes(), strategy, now_ms);
                assert_eq!(ask(&cookie, now_ms) != "null", is_read.is_ok(), "{name} {now_ms}");
                assert_eq!(is_read.err(), (now_ms == end).then_some(Refusal::Expired));
            }
            let from = token.len() + "; better-auth.session_data".len() + 3;
            for _ in 0..20 {
                let damaged = damaged(&mut dice, &cookie, from);
                let read = ours.cached(damaged.as_bytes(), strategy, NOW_MS);
                let theirs = ask(&damaged, NOW_MS);
                // Whoever cuts at a boundary of chunks or in unused bits is refused here at least.
                assert!(read.is_err() || theirs != "null", "{name} {damaged}");
                if theirs != "null" && read.is_err() {
                    assert!(damaged.len() >= cookie.len() - 1, "{name} {read:?} {damaged}");
                }
            }
        }
    }
    // The cache of another session, beside a signed token.
    let options = json!({ "secret": SECRET, "session": { "cookieCache": { "enabled": true } } });
    let [one, two] = [0, 1].map(|_| npm.ask(&line("sign-up", "", &options)).cookie());
    let mixed = format!("{}; {}", one.split_once("; ").unwrap().0, two.split_once("; ").unwrap().1);
    let read = ours.cached(mixed.as_bytes(), CookieCache::Compact, NOW_MS);
    assert_eq!(read.unwrap_err(), Refusal::OtherSession);
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn sessions_in_redis_are_read_where_better_auth_keeps_them() {
    let server = RedisServer::start().unwrap();
    let mut npm = Npm::start(&["--redis", &server.url()]);
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let ours = BetterAuth::new([SECRET]).unwrap();
    let options = json!({ "secret": SECRET });
    // The server counts in its own time, so the sessions begin now.
    let now_ms = cloakroom_core::Clock::system().now_ms();
    let request = |what: &str, cookie: &str| {
        let mut line = at(line(what, cookie, &options), now_ms);
        line["redis"] = json!(true);
        line
    };
    let cookie = npm.ask(&request("sign-up", "")).cookie();
    let token = ours.token(cookie.as_bytes()).unwrap();
    let key = ours.session_key(&token);
    let stored: String = redis.get(&key).unwrap();
    let login = BetterAuthLogin::from_json(&stored).unwrap();
    assert_eq!(login.check(&token, now_ms), Ok(()));
    let lives: i64 = redis.ttl(&key).unwrap();
    assert!((600_000..=604_800).contains(&lives), "{lives}");
    let user = login.user_id().unwrap();
    let list: String = redis.get(ours.active_sessions_key(&user)).unwrap();
    assert!(list.contains(&token));
    let theirs = npm.ask(&request("get-session", &cookie));
    assert_eq!(BetterAuthLogin::from_json(body(&theirs)).unwrap().user_id(), Some(user.clone()));

    // The end of all sessions before a time: the boundary is better-auth's.
    let revoked_key = ours.revoked_key(&user);
    let created = login.created_ms().unwrap();
    for revoked in [created - 1, created, created + 1] {
        let () = redis.set(&revoked_key, revoked).unwrap();
        let value: Option<String> = redis.get(&revoked_key).unwrap();
        let theirs = npm.ask(&request("get-session", &cookie));
        let ours = login.check_revoked(value.as_deref());
        assert_eq!(body(&theirs) != "null", ours.is_ok(), "{}", revoked - created);
        let () = redis.set(&key, &stored).unwrap();
    }
    let () = redis.del(&revoked_key).unwrap();

    // A change that is made here to a stored session is read there, and what nobody changed stays as it was.
    let mut changed = login.clone();
    changed.session.set("theme", "dark").unwrap();
    let text = format!(
        "{{\"session\":{},\"user\":{}}}",
        changed.session.as_json(),
        changed.user.as_json()
    );
    assert_eq!(text.replace(",\"theme\":\"dark\"", ""), stored);

    npm.ask(&request("sign-out", &cookie));
    let gone: Option<String> = redis.get(&key).unwrap();
    assert_eq!(gone, None);

    // A prefix of one's own.
    let options = BetterAuthOptions::default().with_key_prefix("shop:");
    let own = BetterAuth::with_options([SECRET], options).unwrap();
    assert_eq!(own.session_key("t"), "shop:t");
}

/// Runs the query for a token on tables that better-auth made, with the rows that it wrote.
#[test]
#[ignore = "needs python3"]
fn the_query_finds_the_row_of_a_token_in_the_tables_of_better_auth() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/logins-seals.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(fixture).unwrap()).unwrap();
    let mut vectors = file["vectors"].as_array().unwrap().iter();
    let vector = vectors.find(|vector| vector["kind"] == "betterauth.sqlite").unwrap();
    let value = &vector["output"]["value"];
    let cookie = value["set_cookie"][0].as_str().unwrap();
    let ours = BetterAuth::new([vector["inputs"]["secret"].as_str().unwrap()]).unwrap();
    let token = ours.token(super::header([cookie]).as_bytes()).unwrap();
    for (token, expected) in [(&*token, Ok(())), ("another", Err(Refusal::Missing))] {
        let input = json!({ "tables": value, "query": SESSION_BY_TOKEN, "token": token });
        let output =
            Command::new("python3").args(["-c", QUERY, &input.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let row = String::from_utf8(output.stdout).unwrap();
        let login = match row.trim() {
            "null" => Err(Refusal::Missing),
            row => BetterAuthLogin::from_rows(Content::from_json(row).unwrap(), Content::new()),
        };
        let now_ms = vector["now_ms"].as_i64().unwrap();
        assert_eq!(login.and_then(|login| login.check(token, now_ms)), expected);
    }
}

/// Makes the tables, inserts the rows, and prints the row that the query finds, as JSON.
const QUERY: &str = r#"
import json, sqlite3, sys
given = json.loads(sys.argv[1])
database = sqlite3.connect(":memory:")
database.row_factory = sqlite3.Row
database.executescript(given["tables"]["sql"])
for table, rows in (("user", "user_rows"), ("session", "rows")):
    for row in given["tables"][rows]:
        names = [name for name in row if not name.startswith("t_")]
        places = ",".join("?" * len(names))
        columns = ",".join('"%s"' % name for name in names)
        database.execute('INSERT INTO "%s" (%s) VALUES (%s)' % (table, columns, places), [row[name] for name in names])
found = database.execute(given["query"], {"1": given["token"]}).fetchone()
print(json.dumps(found and dict(found)))
"#;
