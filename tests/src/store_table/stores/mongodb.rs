use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::{Clock, Error, Store};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        bson::doc,
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use cloakroom_test_backends::{MongoSet, RawMongo, Shared};
use cloakroom_test_support::{MongoThree, Mongod, unique};

use super::{
    super::{
        Result,
        column::{Backend, Column, Several},
        outcomes::Outcomes,
        round_trips::{RoundTrips, round_trips},
    },
    PATIENCE, SUITE, run, three,
};

const CRATE: &str = "cloakroom-mongodb";
/// MongoDB's default. With a shorter time, a busy machine elects another primary.
const ELECTION: Duration = Duration::from_secs(10);
/// A parameter of the driver, for busy machines.
const SELECTION: &str = "serverSelectionTimeoutMS=60000";

pub(super) async fn column() -> Result<Column> {
    let server = Mongod::start()?;
    let (version, round_trips) = ask(&server.url()).await?;
    let store = mongo_at(&format!("{}/suite", server.url()), "sessions", PATIENCE)?;
    Ok(Column {
        name: "MongoDB",
        outcomes: Outcomes::declared(&store, CRATE, SUITE, Some("text")).await?,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("MongoDB {version}"), "mongodb")?),
    })
}

/// Three servers, one of which is the primary. A write is confirmed by a majority, as by default.
pub(super) async fn replica_set() -> Result<Several> {
    let set = tokio::task::spawn_blocking(|| MongoThree::start(ELECTION)).await??;
    let (version, round_trips) = ask(&set.url("test")).await?;
    Ok(Several {
        name: "MongoDB, a replica set of 3",
        package: CRATE,
        outcomes: run((set, Shared::default()), on_replica_set).await,
        round_trips,
        servers: format!("3 × MongoDB {version}"),
    })
}

/// The version of a server, and what the operations cost there.
async fn ask(url: &str) -> Result<(String, Vec<RoundTrips>)> {
    let commands = Arc::new(AtomicUsize::new(0));
    let mut client = ClientOptions::parse(url).await?;
    let counted = Arc::clone(&commands);
    client.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(_) = event {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let client = Client::with_options(client)?;
    let answer = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    let version = answer.get_str("version")?.to_owned();
    let mut options = MongoOptions::default();
    // Its index would be made at some time during the first operations.
    options.auto_remove = AutoRemove::Disabled;
    options.deadline = PATIENCE;
    let store = MongoStore::with_client(client, options)?;
    Ok((version, round_trips(&store, &mut || Ok(commands.swap(0, Ordering::SeqCst))).await?))
}

fn mongo_at(
    url: &str,
    collection: &str,
    deadline: Duration,
) -> std::result::Result<MongoStore, Error> {
    let mut options = MongoOptions::default();
    (options.collection_name, options.deadline) = (collection.to_owned(), deadline);
    MongoStore::open_with(url, options)
}

fn on_replica_set((set, machines): &(MongoThree, Shared<MongoSet>)) -> StoreUnderTest {
    let (name, machines) = (unique("case"), machines.clone());
    let url = format!("{}&{SELECTION}", set.url("suite"));
    three(|part| mongo_at(&url, &format!("{name}{part}"), PATIENCE))
        .with_raw(RawMongo::new(url, "suite", name, Clock::system()))
        .with_faults(move || {
            let (machines, name) = (machines.clone(), unique("case"));
            async move {
                let open = move |addrs: &str, deadline| {
                    let url = format!("mongodb://{addrs}/suite?replicaSet=three");
                    Ok(Box::new(mongo_at(&url, &name, deadline)?) as Box<dyn Store>)
                };
                machines.harmed(open).await
            }
        })
}
