//! Tokens, and requests that have one.

use cloakroom_core::{SessionData, decode_uri_component};
use cloakroom_express::csrf::{Csrf, needs_token};

use super::{Bench, members, only, seed};
use crate::{
    json::Json,
    replay::{Outcome, report::Checks},
};

const NOT_A_TEXT: &str = "a token that is a list, which Rust's callers cannot pass";
const MADE_AT_ONCE: Outcome = Outcome::PassedDifferently(
    "a session gets a secret when a page asks for a token, and not before",
);
const OVERWRITE: &str = "a token that is made anew on demand: revoke and token do that here";

/// Checks a single token.
pub(super) async fn token(kind: &str, vector: &Json) -> Option<Outcome> {
    let (inputs, output) = (vector.get("inputs")?, vector.get("output")?);
    let csrf = if kind == "lusca.token" { Csrf::lusca() } else { Csrf::csurf() };
    let name = if kind == "lusca.token" { "_csrfSecret" } else { "csrfSecret" };
    let (token, is_good) = match kind {
        "csrf.token" => (output.get("token")?, output.get("verify")?),
        "csrf.verify" => (inputs.get("token")?, output.get("value")?),
        _ => (output.get("token")?, output.get("package_accepts")?),
    };
    let Some(token) = token.text() else { return Some(Outcome::NotApplicable(NOT_A_TEXT)) };
    let mut record = SessionData::new();
    record.insert(name, inputs.get("secret")?.text()?).ok()?;
    let bench = Bench::start(Some(&record)).await?;
    let mut checks = Checks::default();
    let came = csrf.verify(&bench.session, &token).ok()?;
    checks.equal("verdict", *is_good == Json::Bool(true), came);
    Some(checks.outcome())
}

/// Checks a request.
pub(super) async fn request(kind: &str, vector: &Json) -> Option<Outcome> {
    let (inputs, output) = (vector.get("inputs")?, vector.get("output")?);
    let path = inputs.get("path")?.text()?;
    let asks = |what: &str| path.contains(what);
    if asks("over=1") {
        return Some(Outcome::NotApplicable(OVERWRITE));
    }
    let option = |name: &str| inputs.get("options").and_then(|options| options.get(name)?.text());
    let csrf = match kind {
        "csurf" => Csrf::csurf(),
        "csrf-sync" => Csrf::csrf_sync(),
        _ => match option("secret") {
            Some(member) => Csrf::lusca().with_member(member),
            None => Csrf::lusca(),
        },
    };
    let before = seed(vector)?;
    let after = only(output.get("records_after")?)?;
    let bench = Bench::start(before.as_ref()).await?;
    let method = inputs.get("method")?.text()?.parse().ok()?;
    let token = token_of(kind, vector, option("key"), option("header"));
    let passes = !needs_token(&method)
        || csrf.verify(&bench.session, token.as_deref().unwrap_or_default()).ok()?;
    let mut checks = Checks::default();
    checks.equal("passes", output.get("status")?.number()? < 400.0, passes);
    if asks("revoke=1") {
        csrf.revoke(&bench.session).ok()?;
    }
    checks.equal(
        "a secret that is there stays, unless it is revoked",
        before.as_ref().filter(|_| !asks("revoke=1")).map(members).unwrap_or_default(),
        bench.end().await.ok()?,
    );
    // What a page of the package has shown is good here, and what is shown here is of the same form.
    let body = output.get("body")?;
    let key = option("key").unwrap_or_else(|| "_csrf".to_owned());
    let shown = body.get("token").or_else(|| body.get("locals")?.get(&key));
    let bench = Bench::start(after.as_ref()).await?;
    if let Some(shown) = shown.and_then(Json::text) {
        checks.holds("the shown token is good", csrf.verify(&bench.session, &shown).ok()?);
        let own = csrf.token(&bench.session).await.ok()?;
        checks.equal("length of a token", shown.len(), own.len());
    }
    let is_made = before.is_none() && after.is_some();
    Some(checks.outcome_or(if is_made { MADE_AT_ONCE } else { Outcome::Passed }))
}

/// Where the packages look for a token: the first that is not empty.
fn token_of(
    kind: &str,
    vector: &Json,
    key: Option<String>,
    header: Option<String>,
) -> Option<String> {
    let inputs = vector.get("inputs")?;
    let in_body = |name: &str| inputs.get("body")?.get(name)?.text();
    let in_query = || {
        let (_, query) = inputs
            .get("path")?
            .text()?
            .split_once('?')
            .map(|(path, query)| (path.to_owned(), query.to_owned()))?;
        let value = query.split('&').find_map(|pair| pair.strip_prefix("_csrf="))?;
        decode_uri_component(value).map(|value| value.to_string())
    };
    let in_header = |name: &str| inputs.get("headers")?.get(&name.to_lowercase())?.text();
    let is_documented = vector.get("name")?.text()?.contains("documented option");
    let found = match kind {
        "csurf" => {
            let headers = ["csrf-token", "xsrf-token", "x-csrf-token", "x-xsrf-token"];
            let mut all = vec![in_body("_csrf"), in_query()];
            all.extend(headers.map(in_header));
            all
        }
        "csrf-sync" if is_documented => vec![in_body("CSRFToken")],
        "csrf-sync" => vec![in_header("x-csrf-token")],
        _ => vec![
            in_body(key.as_deref().unwrap_or("_csrf")),
            in_header(header.as_deref().unwrap_or("x-csrf-token")),
        ],
    };
    found.into_iter().flatten().find(|token| !token.is_empty())
}
