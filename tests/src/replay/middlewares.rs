//! Kind `express-middlewares`: what passport, connect-ensure-login, connect-flash, csurf, csrf-sync and lusca left in a
//! session.
//!
//! The session of a vector is stored in memory, the call is made on a request's handle of the safe preset, and what is
//! stored then must be what was recorded, or better.

mod csrf;
mod flash;
mod passport;

use cloakroom_core::{Error, MemoryStore, Secrets, SessionData};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};

use super::{Kind, Outcome, Report};
use crate::json::Json;

pub(super) const KIND: Kind = Kind {
    name: "express-middlewares",
    about: "what Passport, flash messages and CSRF tokens left in a session",
    replay,
};

fn replay(file: &Json, report: &mut Report) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report.add("runtime", Outcome::failed("start", "", error.to_string()));
        }
    };
    for vector in file.get("vectors").map_or(&[][..], Json::items) {
        let part = |name| vector.get(name).and_then(Json::text).unwrap_or_default();
        let id = format!("{} {}: {}", part("package"), part("version"), part("name"));
        let outcome = runtime.block_on(check(&part("kind"), vector)).unwrap_or_else(|| {
            Outcome::failed("form of the vector", "inputs and an output", vector.stringify())
        });
        report.add(id, outcome);
    }
}

/// Checks a vector. Returns `None` if it is malformed.
async fn check(kind: &str, vector: &Json) -> Option<Outcome> {
    match kind {
        "csrf.token" | "csrf.verify" | "lusca.token" => csrf::token(kind, vector).await,
        "csurf" | "csrf-sync" | "lusca" => csrf::request(kind, vector).await,
        "ensure-login" => passport::way_back(vector).await,
        "flash" => flash::check(vector).await,
        "passport" => passport::steps(vector).await,
        "passport.serialize" => passport::serialized(vector).await,
        _ => None,
    }
}

/// A request in a session of the safe preset.
struct Bench {
    engine: SessionEngine,
    session: Session,
}

impl Bench {
    /// A request with a session of these members, or without one.
    async fn start(record: Option<&SessionData>) -> Option<Self> {
        let secrets = Secrets::new(["keyboard cat"]).ok()?;
        let engine = SessionOptions::new().engine(MemoryStore::new(), secrets).ok()?;
        let mut request = http::Request::new(());
        if let Some(record) = record {
            let fill = |stored: &mut SessionData| {
                let mut members = record.iter();
                members.try_for_each(|one| stored.insert_json(one.name(), one.json()))
            };
            request.headers_mut().insert("cookie", engine.test_cookie(fill).await.ok()?);
        }
        let session = engine.load(RequestHead::from(&request)).await.ok()??;
        Some(Self { engine, session })
    }

    /// Ends the request, and returns the members that are stored then. An empty session and none are the same here.
    async fn end(self) -> Result<Vec<String>, Error> {
        self.engine.commit(&self.session).await?;
        let stored = self.engine.store().get(&self.session.id()).await?;
        Ok(stored.as_ref().map(members).unwrap_or_default())
    }
}

/// The members of a record, as texts.
fn members(record: &SessionData) -> Vec<String> {
    record.iter().map(|member| format!("{}={}", member.name(), member.json())).collect()
}

/// The record that a vector begins with. `Some(None)` if it begins with none.
fn seed(vector: &Json) -> Option<Option<SessionData>> {
    match vector.get("inputs")?.get("seed_record")? {
        Json::Null => Some(None),
        record => SessionData::from_json(record.stringify()).ok().map(Some),
    }
}

/// The only record of a store, or `None` if it was empty.
fn only(records: &Json) -> Option<Option<SessionData>> {
    match records.members() {
        [] => Some(None),
        [(_, text)] => SessionData::from_json(text.text()?).ok().map(Some),
        _ => None,
    }
}
