//! Logins and logouts.

use cloakroom_core::SessionData;
use cloakroom_express::passport;
use serde_json::Value;

use super::{Bench, members, only, seed};
use crate::{
    json::Json,
    replay::{Outcome, report::Checks},
};

const UNKNOWN: Outcome = Outcome::PassedDifferently(
    "a user who no longer exists: the application finds out, and calls forget_user",
);
const REFUSED: Outcome =
    Outcome::PassedDifferently("a user that Passport would not find leaves the session as it was");
const NO_SESSION: &str = "an answer without a session of its own";

/// Checks requests to one site, each from what the one before has left.
pub(super) async fn steps(vector: &Json) -> Option<Outcome> {
    let is_05 = vector.get("version")?.text()?.starts_with("0.5");
    let mut before = seed(vector)?;
    let (mut checks, mut passed) = (Checks::default(), Outcome::Passed);
    for step in vector.get("output")?.get("steps")?.items() {
        let after = only(step.get("records_after")?)?;
        let request = step.get("request")?.text()?;
        let keeps = is_05 || request.contains("keep=1");
        let is_in = step.get("body")?.get("isAuthenticated") == Some(&Json::Bool(true));
        let found = before.as_ref().is_some_and(passport::is_logged_in);
        match request.strip_prefix("GET /")?.split('?').next()? {
            "me" if step.get("status")?.number()? >= 500.0 => {
                checks.holds("deserializeUser was asked", found);
            }
            "me" if found && !is_in => {
                let bench = Bench::start(before.as_ref()).await?;
                passport::forget_user(&bench.session).ok()?;
                let after = after.as_ref().map(members).unwrap_or_default();
                checks.equal("after a user who is gone", after, bench.end().await.ok()?);
                passed = UNKNOWN;
            }
            "me" => checks.equal("isAuthenticated", is_in, found),
            "login" => {
                let user: Value = passport::user_of(after.as_ref()?).ok()??;
                let bench = Bench::start(before.as_ref()).await?;
                if keeps {
                    passport::login_keeping_data(&bench.session, user).await.ok()?;
                } else {
                    passport::login(&bench.session, user).await.ok()?;
                }
                checks.equal("login", members(after.as_ref()?), bench.end().await.ok()?);
            }
            "logout" => {
                let bench = Bench::start(before.as_ref()).await?;
                if keeps {
                    passport::logout_keeping_data(&bench.session).await.ok()?;
                } else {
                    passport::logout(&bench.session).await.ok()?;
                }
                let after = after.as_ref().map(members).unwrap_or_default();
                checks.equal("logout", after, bench.end().await.ok()?);
            }
            // What other routes of the site leave, and logins and logouts that Rust does not have.
            "cart" | "login-nosession" | "logout-nocb" => {}
            _ => return None,
        }
        before = after;
    }
    Some(checks.outcome_or(passed))
}

/// Checks what `serializeUser` may give.
pub(super) async fn serialized(vector: &Json) -> Option<Outcome> {
    let user = match vector.get("inputs")?.get("serialized")? {
        text if *text == Json::from("(undefined)") => Value::Null,
        user => user.stringify().parse().ok()?,
    };
    let output = vector.get("output")?;
    let bench = Bench::start(None).await?;
    let came = passport::login(&bench.session, user).await;
    let mut checks = Checks::default();
    let is_refused = output.get("login")?.get("error")? != &Json::Null;
    checks.equal("refused", is_refused, came.is_err());
    let found = bench.session.with(passport::is_logged_in).ok()?;
    for request in ["login", "me"] {
        let auth = *output.get(request)?.get("auth")? == Json::Bool(true);
        checks.equal("isAuthenticated", auth, found);
    }
    let after = only(output.get("records")?)?;
    let after = after.as_ref().map(members).unwrap_or_default();
    checks.equal("stored", after, bench.end().await.ok()?);
    Some(checks.outcome_or(if is_refused { REFUSED } else { Outcome::Passed }))
}

/// Checks what a redirect to the login page notes.
pub(super) async fn way_back(vector: &Json) -> Option<Outcome> {
    let before = seed(vector)?;
    let output = vector.get("output")?;
    let name = vector.get("name")?.text()?;
    if name.contains("setReturnTo false") || name.contains("ensureLoggedOut") {
        return Some(Outcome::NotApplicable(NO_SESSION));
    }
    let bench = Bench::start(before.as_ref()).await?;
    let is_in = bench.session.with(passport::is_logged_in).ok()?;
    let mut checks = Checks::default();
    checks.equal("passes", output.get("status")?.number()? < 300.0, is_in);
    if !is_in {
        passport::set_return_to(&bench.session, &vector.get("inputs")?.get("path")?.text()?)
            .ok()?;
    }
    let after: Option<SessionData> = only(output.get("records_after")?)?;
    let after = after.as_ref().map(members).unwrap_or_default();
    checks.equal("stored", after, bench.end().await.ok()?);
    Some(checks.outcome())
}
