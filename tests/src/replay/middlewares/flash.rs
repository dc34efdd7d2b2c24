//! Messages.

use std::collections::BTreeMap;

use cloakroom_express::flash;
use serde_json::{Value, json};

use super::{Bench, members, only, seed};
use crate::{
    json::Json,
    replay::{Outcome, report::Checks},
};

const READS_ONLY: Outcome =
    Outcome::PassedDifferently("a page that finds no message stores nothing");
const KEPT: Outcome =
    Outcome::PassedDifferently("an empty text, an empty list and __proto__ lose no message");

/// Checks a call, which the name of the vector tells.
pub(super) async fn check(vector: &Json) -> Option<Outcome> {
    let before = seed(vector)?;
    let output = vector.get("output")?;
    let after = only(output.get("records_after")?)?;
    let after = after.as_ref().map(members).unwrap_or_default();
    let bench = Bench::start(before.as_ref()).await?;
    let session = &bench.session;
    let before = before.as_ref().map(members).unwrap_or_default();
    let name = vector.get("name")?.text()?;
    let mut checks = Checks::default();
    let add =
        |kind: &str, message: Value| flash::add(session, kind, message).ok().map(|n| json!(n));
    let returned = match name.split(',').next()? {
        "one message" => add("info", json!("hi"))?,
        "two of one type" => {
            add("info", json!("a"))?;
            add("info", json!("b"))?
        }
        "array" => add("info", json!(["a", "b"]))?,
        "format" => add("info", json!("saved x"))?,
        "object message" => add("info", json!({ "a": 1 }))?,
        "read one type" => json!(flash::take_kind::<Value>(session, "info").await.ok()?),
        "type with no messages" => json!(flash::take_kind::<Value>(session, "none").await.ok()?),
        "read all" => json!(flash::take::<Value>(session).await.ok()?),
        "res.render reads all" => {
            let all: BTreeMap<String, Vec<Value>> = flash::take(session).await.ok()?;
            let first: Value = output.get("first_body")?.text()?.parse().ok()?;
            checks.equal("shown", first, json!(all));
            let again: BTreeMap<String, Vec<Value>> = flash::take(session).await.ok()?;
            checks.holds("shown once", again.is_empty());
            checks.equal("stored", after, bench.end().await.ok()?);
            return Some(checks.outcome());
        }
        // Express loses messages here, or throws. Whatever was there stays, and what is added is added.
        "empty array" | "empty message" | "type __proto__" => {
            let (kind, message) = match name.split(',').next()? {
                "empty array" => ("info", json!([])),
                "empty message" => ("info", json!("")),
                _ => ("__proto__", json!("x")),
            };
            add(kind, message)?;
            let stored = bench.end().await.ok()?.join(" ");
            let is_kept =
                before.is_empty() || !before.join(" ").contains("old") || stored.contains("old");
            checks.holds("the messages stay", is_kept);
            return Some(checks.outcome_or(KEPT));
        }
        _ => return None,
    };
    let expected: Value = output.get("body")?.get("returned")?.stringify().parse().ok()?;
    checks.equal("returned", expected, returned);
    let stored = bench.end().await.ok()?;
    if stored != after && stored == before && after == ["flash={}"] {
        return Some(checks.outcome_or(READS_ONLY));
    }
    checks.equal("stored", after, stored);
    Some(checks.outcome())
}
