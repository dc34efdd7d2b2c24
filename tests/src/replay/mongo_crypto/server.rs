//! Checks that need a mongod: an index that conflicts with the TTL index, and a document that is not encrypted.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_encryption::Encryption;
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client, Collection, IndexModel,
        bson::{Document, doc},
        error::Result,
        options::IndexOptions,
    },
};
use cloakroom_test_support::Mongod;
use tokio::runtime::Runtime;

use super::super::{Outcome, report::Checks};
use crate::json::Json;

const IN_THE_WAY: Outcome = Outcome::PassedDifferently(
    "a conflicting index, with which every get and set of connect-mongo fails: here one error says so, and the rest works",
);

const NOT_ENCRYPTED: Outcome = Outcome::PassedDifferently(
    "a document that is not encrypted, which connect-mongo reads: here it is an error",
);

const SID: &str = "sid";

pub(super) struct Bench {
    server: Mongod,
    runtime: Runtime,
    raw: Collection<Document>,
}

impl Bench {
    pub(super) fn start() -> std::result::Result<Self, String> {
        let server = Mongod::start().map_err(|error| error.to_string())?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let client = runtime
            .block_on(Client::with_uri_str(server.url()))
            .map_err(|error| error.to_string())?;
        let raw = client.database("test").collection("sessions");
        Ok(Self { server, runtime, raw })
    }

    fn store(
        &self,
        encryption: Option<Arc<dyn Encryption>>,
    ) -> std::result::Result<MongoStore, Error> {
        let mut options = MongoOptions::default();
        options.auto_remove = AutoRemove::Disabled;
        options.encryption = encryption;
        MongoStore::open_with(&self.server.url(), options)
    }

    /// Creates the index that the label describes, and then does what connect-mongo does at its start.
    pub(super) fn index(&self, row: &Json) -> Option<Outcome> {
        let label = row.get("label")?.text()?;
        let fails = match row.get("unhandledRejection")?.items() {
            [] => false,
            [error] if *error == Json::from("IndexOptionsConflict") => true,
            _ => return None,
        };
        let _entered = self.runtime.enter();
        let outcome = self.with_index(row, index(&label)?, fails);
        Some(
            outcome
                .unwrap_or_else(|error| Outcome::failed("mongod", "an answer", error.to_string())),
        )
    }

    fn with_index(&self, row: &Json, index: IndexModel, fails: bool) -> Result<Outcome> {
        let name =
            index.options.as_ref().and_then(|options| options.name.clone()).unwrap_or_default();
        self.runtime.block_on(async {
            self.raw.drop().await?;
            self.raw.create_index(index).await
        })?;
        let mut checks = Checks::default();
        let nothing = Json::parse(r#"[{"t":"null"}]"#).ok();
        for (operation, calls) in [("get", row.get("get")), ("set", row.get("set"))] {
            let error = calls.and_then(|calls| calls.items().first());
            if fails {
                let code = error.and_then(|error| error.get("code")?.number());
                checks.equal("recorded code", Some(85.0), code);
            } else {
                let found = if operation == "get" {
                    calls.map(|calls| Json::Array(calls.items().iter().take(1).cloned().collect()))
                } else {
                    calls.cloned()
                };
                checks.equal("recorded call", &nothing, &found);
            }
        }
        let came = self.runtime.block_on(async {
            let store = self.store(None)?;
            let made = store.ensure_index().await;
            let session = SessionData::from_json(r#"{"cookie":{},"n":1}"#)?;
            store.set(SID, &session).await?;
            let found = store.get(SID).await?.and_then(|session| session.get::<u32>("n").ok()?);
            Ok::<_, Error>((made.err().map(|error| (error.kind(), error.to_string())), found))
        });
        match came {
            Ok((made, found)) => {
                checks.equal("a session", Some(1), found);
                checks.equal(
                    "kind",
                    fails.then_some(ErrorKind::Config),
                    made.as_ref().map(|(kind, _)| *kind),
                );
                let named = made.is_none_or(|(_, message)| message.contains(&format!("{name:?}")));
                checks.holds("the error names the index", named);
            }
            Err(error) => checks.equal("calls", "answers".to_owned(), error.to_string()),
        }
        Ok(checks.outcome_or(if fails { IN_THE_WAY } else { Outcome::Passed }))
    }

    /// Reads a document without an encryption and with one.
    pub(super) fn document(&self, session: &Json, encryption: Arc<dyn Encryption>) -> Outcome {
        let _entered = self.runtime.enter();
        let members = session.members().iter().filter_map(|(name, value)| {
            Some((
                name.to_str()?,
                match value {
                    Json::Number(number) => (*number).into(),
                    Json::Object(_) => doc! {}.into(),
                    _ => return None,
                },
            ))
        });
        let planted = doc! { "_id": SID, "session": Document::from_iter(members) };
        let planted = self.runtime.block_on(async {
            self.raw.drop().await?;
            self.raw.insert_one(planted).await
        });
        if let Err(error) = planted {
            return Outcome::failed("mongod", "an answer", error.to_string());
        }
        let get =
            |encryption| self.runtime.block_on(async { self.store(encryption)?.get(SID).await });
        let found = get(None).map_err(|error| error.to_string());
        let found = found.map(|found| Json::parse(found?.loaded_json()).ok());
        let mut checks = Checks::default();
        checks.equal("session", Ok(Some(session.clone())), found);
        let error = get(Some(encryption)).err().map(|error| error.kind());
        checks.equal("with an encryption", Some(ErrorKind::Corrupt), error);
        checks.outcome_or(NOT_ENCRYPTED)
    }
}

/// Returns the index that a label describes.
fn index(label: &str) -> Option<IndexModel> {
    let (key, rest) = label.split_once(", ")?;
    let (direction, rest) = match (key, rest) {
        ("same key", "other name") => (1, "other name"),
        ("descending key", "other name") => (-1, "other name"),
        ("same name", rest) => (1, rest),
        _ => return None,
    };
    let after = |seconds| Some(Duration::from_secs(seconds));
    let (name, expire_after) = match rest {
        "other name" => ("expires_ttl", after(0)),
        "no TTL" => ("expires_1", None),
        "without background" => ("expires_1", after(0)),
        _ => ("expires_1", after(rest.strip_prefix("expireAfterSeconds ")?.parse().ok()?)),
    };
    let options = IndexOptions::builder().name(name.to_owned()).expire_after(expire_after).build();
    Some(IndexModel::builder().keys(doc! { "expires": direction }).options(options).build())
}
