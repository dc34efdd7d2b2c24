//! Kind `logins-seals`: the sealed and signed cookies of iron-session, better-auth, cookie-session and koa-session.
//!
//! Each cookie that a package wrote is read, and written again with the same random bytes. Each verdict of a package on a
//! damaged or foreign cookie is compared with ours. Where ours is stricter on purpose, a table in the file of the package
//! says so, with the reason of the refusal.

mod better_auth;
mod iron;
mod signed;

use cloakroom_authjs::sealed::{Content, Refusal};

use super::{Kind, Outcome, Report, report::Checks};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "logins-seals",
    about: "the cookies of iron-session, better-auth, cookie-session and koa-session",
    replay,
};

/// Where ours refuses what a package accepts: no version of it writes that.
const STRICTER: Outcome = Outcome::PassedDifferently(
    "a cookie in a form that no package writes, which theirs accepts: refused here",
);

/// What a package can say of a cookie.
const VERDICTS: [&str; 4] = ["accept", "reject", "empty", "error"];

fn replay(file: &Json, report: &mut Report) {
    for vector in file.get("vectors").map_or(&[][..], Json::items) {
        let part = |name| vector.get(name).and_then(Json::text).unwrap_or_default();
        let kind = part("kind");
        let check = match &*kind {
            "iron.seal" => iron::seal,
            "iron.verdict" => iron::verdict,
            "iron.sealopts" => iron::options,
            "iron.data" => iron::data,
            "iron.cookie" => iron::cookie,
            "keygrip" => signed::keygrip,
            "cookie-session.write" => signed::cookie_session_write,
            "cookie-session.verdict" => signed::cookie_session_verdict,
            "cookie-session.save" => signed::cookie_session_save,
            "koa-session.write" => signed::koa_session_write,
            "koa-session.verdict" => signed::koa_session_verdict,
            "koa-session.save" => signed::koa_session_save,
            "koa-session.store" => signed::koa_session_store,
            "betterauth.signed" => better_auth::signed,
            "betterauth.lifecycle" => better_auth::lifecycle,
            "betterauth.cache" => better_auth::cache,
            "betterauth.cache.verdict" => better_auth::cache_verdict,
            "betterauth.rotation" => better_auth::rotation,
            "betterauth.secondary" => better_auth::secondary,
            "betterauth.redis" => better_auth::redis,
            "betterauth.sqlite" => better_auth::sqlite,
            _ => continue,
        };
        let outcome = Some(vector)
            .filter(|_| VERDICTS.contains(&&*part("verdict")))
            .and_then(check)
            .unwrap_or_else(|| Outcome::failed("form of the vector", kind.clone(), "another"));
        report.add(format!("{kind}: {}", part("name")), outcome);
    }
}

/// The member of a member.
fn at<'a>(vector: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(vector, |value, name| value.get(name))
}

fn text_at(vector: &Json, path: &[&str]) -> Option<String> {
    at(vector, path)?.text()
}

fn now_ms(vector: &Json) -> Option<i64> {
    vector.get("now_ms")?.number().map(|ms| ms as i64)
}

fn texts(list: &Json) -> Option<Vec<String>> {
    list.items().iter().map(Json::text).collect()
}

/// The content as `JSON.parse` and `JSON.stringify` make it.
fn printed(content: &Content) -> Option<String> {
    Json::parse(content.as_json()).ok().map(|json| json.stringify())
}

/// Compares a verdict with ours. `theirs` is what the package read, `None` if it refused.
fn compare(
    name: &str,
    theirs: Option<&Json>,
    ours: Result<Content, Refusal>,
    stricter: &[(&str, Refusal)],
    mut checks: Checks,
) -> Option<Outcome> {
    match (theirs, ours) {
        (Some(_), Err(refusal)) if stricter.contains(&(name, refusal)) => {
            return Some(checks.outcome_or(STRICTER));
        }
        (Some(theirs), ours) => {
            checks.equal(
                "what was read",
                Ok(theirs.stringify()),
                ours.map(|ours| printed(&ours).unwrap_or_default()),
            );
        }
        (None, ours) => checks.holds("it is refused", ours.is_err()),
    }
    Some(checks.outcome())
}
