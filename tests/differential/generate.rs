//! Random sequences, each from a seed.
//!
//! They leave out what the two sides cannot or need not do alike:
//!
//! - Names of members that are numbers: JavaScript puts them first.
//! - Names that an Express session uses itself, such as `save`: ours rejects them, Express fails on them or drops them.
//! - JSON that `JSON.stringify` would write differently: ours returns it byte for byte.
//! - Options that only JavaScript has: a `cookie` of the wrong type, or a function with `secure: 'auto'`.

use cloakroom_tests::dice::Dice;
use serde_json::{Map, Value, json};

use crate::sequence::{Action, Before, PATH, Sent, Sequence, Step};

/// Returns the sequence of a seed: 5 to 40 requests.
pub(crate) fn sequence(seed: u64) -> Sequence {
    let mut dice = Dice::new(seed);
    let mut options = options(&mut dice);
    options["secret"] = json!(["secret 0"]);
    let steps = (0..5 + dice.below(36)).map(|_| step(&mut dice)).collect();
    Sequence { options, steps }
}

/// Returns a few of the options. The others have Express's defaults.
fn options(dice: &mut Dice) -> Value {
    let mut options = Map::new();
    for name in ["resave", "saveUninitialized", "rolling"] {
        options.insert(name.to_owned(), json!(dice.chance(50)));
    }
    options.insert("unset".to_owned(), dice.pick(&["keep", "destroy"]).into());
    if dice.chance(60) {
        options.insert("proxy".to_owned(), json!(dice.chance(70)));
    }
    if dice.chance(20) {
        options.insert("name".to_owned(), "sid".into());
    }
    let mut cookie = Map::new();
    let choices = [
        ("maxAge", 60, json!([60_000, 60_000, 60_000, 1_500, 86_400_000, 2_592_000_000_i64, 0])),
        ("secure", 40, json!([true, false, "auto", "auto"])),
        ("sameSite", 40, json!(["strict", "lax", "none", "auto", "auto"])),
        ("httpOnly", 20, json!([true, false])),
        ("path", 30, json!(["/", "/app", "/app/", "", null])),
        ("domain", 20, json!(["example.com", ".example.com"])),
        ("priority", 20, json!(["low", "medium", "high"])),
        ("partitioned", 20, json!([true, false])),
    ];
    for (name, percent, values) in choices {
        if dice.chance(percent) {
            let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
            cookie.insert(name.to_owned(), dice.pick(values));
        }
    }
    options.insert("cookie".to_owned(), cookie.into());
    options.into()
}

fn step(dice: &mut Dice) -> Step {
    Step {
        before: before(dice),
        cookies: match dice.below(20) {
            0 => Vec::new(),
            1 | 2 => (0..2 + dice.below(2)).map(|_| sent(dice)).collect(),
            3..=6 => vec![sent(dice)],
            _ => vec![Sent::Current],
        },
        path: if dice.chance(85) {
            PATH
        } else {
            dice.pick(&["/", "/app", "/application?a=/app", "/App/x", "/%61pp/x"])
        },
        proto: dice.chance(50).then(|| {
            dice.pick(&["https", "https", "http", "HTTPS , http", "http, https", "httpsx", ""])
        }),
        // Most requests only read, or do one thing.
        actions: (0..dice.pick(&[0, 1, 1, 1, 2, 3, 5])).map(|_| action(dice)).collect(),
        status: dice.pick(&[200, 200, 200, 201, 204, 302, 304, 404, 500]),
    }
}

fn before(dice: &mut Dice) -> Before {
    match dice.below(20) {
        0..=3 => Before::Wait(
            dice.pick(&[1, 500, 999, 1_000, 1_001, 30_000, 59_999, 60_000, 86_399_999, 86_400_000]),
        ),
        4 => Before::Rotate,
        5 => Before::Options(options(dice)),
        6 | 7 => Before::Overwrite(dice.pick(&RECORDS)),
        _ => Before::Nothing,
    }
}

fn sent(dice: &mut Dice) -> Sent {
    match dice.below(10) {
        0 => Sent::Current,
        1..=3 => Sent::Earlier(dice.below(4)),
        4 => Sent::OldSecret,
        5 => Sent::WrongSecret,
        6 => Sent::Verified,
        7 => Sent::Quoted,
        8 => Sent::Unknown,
        _ => Sent::Empty,
    }
}

/// Records that another language, next-session or a broken program might have stored.
const RECORDS: [&str; 22] = [
    r#"{"user":"bob"}"#,
    r#"{"cookie":null,"user":"bob"}"#,
    r#"{"cookie":{},"user":"bob"}"#,
    r#"{"cookie":[],"user":"bob"}"#,
    "[1,2]",
    "null",
    "not JSON",
    r#"{"a":[1],"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"path":"/","httpOnly":true,"secure":false,"maxAge":60,"expires":"2023-11-14T22:14:20.000Z"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":60000,"expires":1700000010000,"httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":null,"expires":"2023-11-14T22:13:30.000Z","secure":true,"path":"/","foo":1},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":60000,"expires":"Tue, 14 Nov 2023 22:14:20 GMT","httpOnly":false,"sameSite":true},"user":"bob"}"#,
    // From `maxAge: ''`.
    r#"{"cookie":{"originalMaxAge":"","expires":"","httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":false,"expires":false,"httpOnly":true,"path":"/"},"user":"bob"}"#,
    // express-session throws for this one.
    r#"{"cookie":{"originalMaxAge":"60000","expires":"2100-01-01T00:00:00.000Z","httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":{},"expires":null,"httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":null,"maxAge":"soon","path":"/"},"user":"bob"}"#,
    // This cookie cannot be sent.
    r#"{"cookie":{"originalMaxAge":8640000000000000,"expires":"2100-01-01T00:00:00.000Z","httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,"path":"/\u00e9"},"user":"bob"}"#,
    // Invalid dates.
    r#"{"cookie":{"originalMaxAge":60000,"expires":"garbage","httpOnly":true,"path":"/"},"user":"bob"}"#,
    r#"{"cookie":{"expires":"garbage"},"user":"bob"}"#,
    r#"{"cookie":{"originalMaxAge":1500.5,"expires":true,"path":"/"},"user":"bob"}"#,
];

fn action(dice: &mut Dice) -> Action {
    match dice.below(20) {
        0..=5 => Action::Set(name(dice), value(dice)),
        6 => Action::Remove(name(dice)),
        7 => Action::Push(name(dice), value(dice)),
        8 => Action::SetAndBack(name(dice), value(dice)),
        9 => Action::Again(name(dice)),
        10 | 11 => cookie(dice),
        12 => Action::Save,
        13 => Action::Touch,
        14 => Action::Reload,
        15..=17 => Action::Regenerate,
        18 => Action::Destroy,
        _ => Action::Unset,
    }
}

/// Returns a change to the session's cookie. Some cookies cannot be sent; the response is then sent without one.
fn cookie(dice: &mut Dice) -> Action {
    let changes = json!([
        ["maxAge", [5_000, 3_600_000, 3_000_000_000_i64, 0, -1, null]],
        ["expires", [null, 1_700_000_100_500_i64, 0, 4_102_444_800_000_i64]],
        ["httpOnly", [true, false]],
        ["secure", [true, false]],
        ["sameSite", ["strict", "lax", "none"]],
        ["path", ["/app", "/", "", "/a;b"]],
        ["domain", ["example.com", "exa mple.com"]],
        ["partitioned", [true, false]],
        ["priority", ["low", "high", "urgent"]],
    ]);
    let change = dice.pick(changes.as_array().map(Vec::as_slice).unwrap_or_default());
    let values = change[1].as_array().map(Vec::as_slice).unwrap_or_default();
    Action::Cookie(change[0].as_str().unwrap_or_default().to_owned(), dice.pick(values))
}

/// Returns one of a few names, so that the same is often set again.
fn name(dice: &mut Dice) -> String {
    dice.pick(&["user", "user", "cart", "cart", "n", "ключ \"\u{2028}", ""]).to_owned()
}

fn value(dice: &mut Dice) -> Value {
    let values = json!([
        null,
        true,
        false,
        0,
        1,
        -7,
        9_007_199_254_740_992_i64,
        1.0,
        -0.0,
        0.1,
        1e21,
        1.5e-7,
        "",
        "ada",
        "quote \" back \\ slash / \u{7f}\u{1}\n\u{2028} 😀",
        [],
        {},
        [1, "two", [null]],
        { "cookie": { "id": 1 }, "items": [{ "price": 9.99 }], "name": "ada" },
    ]);
    dice.pick(values.as_array().map(Vec::as_slice).unwrap_or_default())
}
