//! Kind `cookie-json`: the JSON text of a cookie, for every combination of options.
//!
//! `columns` names the options; a row contains their values and the text. `order` contains named scenarios.

use cloakroom_core::ErrorKind;

use super::{
    Kind, Outcome, Report,
    express_cookie::{Options, new_cookie},
    not_applicable,
    notation::Value,
    report::Checks,
};
use crate::json::Json;

pub(super) const KIND: Kind =
    Kind { name: "cookie-json", about: "cookie options and the JSON that Express writes", replay };

const BEYOND_DATES: Outcome = Outcome::PassedDifferently(
    "an expiry beyond JavaScript's dates: Express writes null, here setting it is an error",
);

const NO_AGE: Outcome = Outcome::PassedDifferently(
    "a maxAge that is neither a number nor a Date: Express throws, here the types do not allow it",
);

fn replay(file: &Json, report: &mut Report) {
    let Some(now_ms) = file.get("now_ms").and_then(Json::number) else { return };
    let now_ms = now_ms as i64;
    let columns: Vec<String> =
        file.get("columns").map_or(&[][..], Json::items).iter().filter_map(Json::text).collect();
    let unset = file.get("unset");
    for (place, row) in file.get("rows").map_or(&[][..], Json::items).iter().enumerate() {
        let outcome = match row.items() {
            [values, json] if values.items().len() == columns.len() => {
                let given = columns.iter().cloned().zip(values.items());
                let options: Vec<(String, Value)> = given
                    .filter(|(_, value)| Some(*value) != unset)
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect();
                check(&options, json, now_ms)
            }
            _ => Outcome::failed("form of the row", "[values, text]", row.stringify()),
        };
        report.add(format!("rows[{place}]"), outcome);
    }
    for (place, row) in file.get("order").map_or(&[][..], Json::items).iter().enumerate() {
        let outcome = match row.items() {
            [name, json] => match scenario(&name.text().unwrap_or_default(), now_ms) {
                Some(options) => check(&options, json, now_ms),
                None => Outcome::failed("scenario", "one that this replay knows", name.stringify()),
            },
            _ => Outcome::failed("form of the row", "[scenario, text]", row.stringify()),
        };
        report.add(format!("order[{place}]"), outcome);
    }
}

fn check(options: &Options, expected: &Json, now_ms: i64) -> Outcome {
    if let Some(reason) = not_applicable::of_options(options) {
        return Outcome::NotApplicable(reason);
    }
    let mut checks = Checks::default();
    if options.iter().any(|(name, value)| name == "maxAge" && not_applicable::is_no_age(value)) {
        // A `Cookie` in Rust cannot have such a value, because an age is an integer.
        checks.equal("text", expected, &Json::from("THROWS maxAge must be a number or Date"));
        return checks.outcome_or(NO_AGE);
    }
    let mut passed = Outcome::Passed;
    match new_cookie(options, now_ms) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            // Express continues with an invalid date, which it prints as null.
            let without =
                options.iter().filter(|(name, _)| !matches!(&**name, "maxAge" | "expires"));
            let without: Vec<_> = without.cloned().collect();
            let cookie = new_cookie(&without, now_ms).map(|cookie| cookie.to_json());
            checks.equal(
                "text of the cookie",
                Some(expected),
                cookie.ok().as_deref().map(Json::from).as_ref(),
            );
            passed = BEYOND_DATES;
        }
        Ok(cookie) => checks.equal("text of the cookie", expected, &Json::from(&*cookie.to_json())),
        Err(error) => checks.equal("text of the cookie", expected.stringify(), error.to_string()),
    }
    checks.outcome_or(passed)
}

/// Returns the steps of a scenario, because the file contains only its name.
fn scenario(name: &str, now_ms: i64) -> Option<Vec<(String, Value)>> {
    let number = |value: f64| Value::Plain(Json::Number(value));
    let nine = now_ms + 9_000;
    let options = match name {
        "maxAge then expires" => {
            vec![("maxAge", number(1_000.0)), ("expires", Value::Date(Some(nine)))]
        }
        "expires then maxAge" => {
            vec![("expires", Value::Date(Some(nine))), ("maxAge", number(1_000.0))]
        }
        "originalMaxAge then maxAge" => {
            vec![("originalMaxAge", number(5.0)), ("maxAge", number(1_000.0))]
        }
        "maxAge then originalMaxAge" => {
            vec![("maxAge", number(1_000.0)), ("originalMaxAge", number(5.0))]
        }
        "expires as ISO string" => {
            let text = cloakroom_core::to_iso_string(nine)?;
            vec![("expires", Value::Plain(Json::from(&*text)))]
        }
        "expires as number" => vec![("expires", number(nine as f64))],
        "expires true" => vec![("expires", Value::Plain(Json::Bool(true)))],
        "expires false" => vec![("expires", Value::Plain(Json::Bool(false)))],
        "data is ignored" => vec![("data", Value::Plain(Json::Bool(true)))],
        "maxAge as Date (deprecated)" => vec![("maxAge", Value::Date(Some(nine)))],
        "maxAge 0.5" => vec![("maxAge", number(0.5))],
        "maxAge NaN" => vec![("maxAge", number(f64::NAN))],
        "maxAge Infinity" => vec![("maxAge", number(f64::INFINITY))],
        "maxAge string" => vec![("maxAge", Value::Plain(Json::from("1000")))],
        _ => return None,
    };
    Some(options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
