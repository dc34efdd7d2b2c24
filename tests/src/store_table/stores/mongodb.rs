use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::{Clock, Error};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        bson::doc,
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use cloakroom_test_backends::{Harmed, One, RawMongo};
use cloakroom_test_support::{Mongo, Mongod, unique};

use super::{
    super::{
        Result,
        column::{Backend, Column},
        round_trips::round_trips,
    },
    PATIENCE, report, three,
};

const CRATE: &str = "cloakroom-mongodb";

pub(super) async fn column() -> Result<Column> {
    let server = Mongod::start()?;
    let commands = Arc::new(AtomicUsize::new(0));
    let mut client = ClientOptions::parse(server.url()).await?;
    let counted = Arc::clone(&commands);
    client.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(_) = event {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let client = Client::with_options(client)?;
    let answer = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    let version = answer.get_str("version")?;
    let mut options = MongoOptions::default();
    // Its index would be made at some time during the first operations.
    options.auto_remove = AutoRemove::Disabled;
    options.deadline = PATIENCE;
    let store = MongoStore::with_client(client, options)?;
    let round_trips = round_trips(&store, &mut || Ok(commands.swap(0, Ordering::SeqCst))).await?;
    Ok(Column {
        name: "MongoDB",
        report: report(server, on_mongod).await,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("MongoDB {version}"), "mongodb")?),
    })
}

fn mongo_at(
    addr: &str,
    collection: &str,
    deadline: Duration,
) -> std::result::Result<MongoStore, Error> {
    let mut options = MongoOptions::default();
    (options.collection_name, options.deadline) = (collection.to_owned(), deadline);
    MongoStore::open_with(&format!("mongodb://{addr}/suite"), options)
}

fn on_mongod(server: &Mongod) -> StoreUnderTest {
    let (name, addr) = (unique("case"), server.addr());
    three(|part| mongo_at(&addr, &format!("{name}{part}"), PATIENCE))
        .with_raw(RawMongo::new(server.url(), "suite", name, Clock::system()))
        .with_faults(|| {
            Harmed::<One<Mongo>>::start(|addr, deadline| {
                Ok(Box::new(mongo_at(addr, "s", deadline)?))
            })
        })
}
