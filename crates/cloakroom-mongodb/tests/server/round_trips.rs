//! The commands that each operation sends.

use std::sync::{Arc, Mutex};

use cloakroom_core::{Store, Updated};
use cloakroom_mongodb::{
    AutoRemove, MongoStore,
    mongodb::{
        Client,
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use futures::TryStreamExt;

use crate::{Bench, SERVER, atomic, expiring, listing, session};

/// The names of the commands since it was last asked.
#[derive(Clone, Default)]
struct Commands(Arc<Mutex<Vec<String>>>);

impl Commands {
    async fn client(&self) -> Client {
        let mut options = ClientOptions::parse(SERVER.url()).await.unwrap();
        let commands = Arc::clone(&self.0);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(event) = event {
                commands.lock().unwrap().push(event.command_name);
            }
        }));
        Client::with_options(options).unwrap()
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn every_operation_is_one_command() {
    for stringify in [true, false] {
        let (bench, commands) = (Bench::start().await, Commands::default());
        let mut options = bench.options();
        (options.stringify, options.auto_remove) = (stringify, AutoRemove::Disabled);
        let store = MongoStore::with_client(commands.client().await, options).unwrap();
        let (first, all) = (atomic(&store), listing(&store));
        let is = |operation: &str, command: &[&str]| {
            assert_eq!(commands.taken(), command, "{operation}, stringify: {stringify}");
        };

        store.ping().await.unwrap();
        is("ping", &["find"]);
        first.create("a", &session()).await.unwrap();
        is("create", &["update"]);
        first.create("a", &session()).await.unwrap();
        is("create of one that exists", &["update"]);
        store.set("a", &session()).await.unwrap();
        is("set", &["update"]);
        let mut read = store.get("a").await.unwrap().unwrap();
        is("get", &["find"]);
        store.get("nobody").await.unwrap();
        is("get of none", &["find"]);
        store.touch("a", &read).await.unwrap();
        is("touch", &["update"]);
        first.get_and_touch("a", None).await.unwrap().unwrap();
        is("get_and_touch", &["findAndModify"]);
        read.insert("n", 1).unwrap();
        first.update("a", &read).await.unwrap();
        is("update", &["update"]);
        let conflict = first.update("a", &read).await.unwrap();
        assert!(matches!(conflict, Updated::Conflict(_)));
        is("update that meets a conflict", &["update", "find"]);
        all.length().await.unwrap();
        is("length", &["aggregate"]);
        all.ids().try_collect::<Vec<_>>().await.unwrap();
        is("ids", &["find"]);
        all.all().try_collect::<Vec<_>>().await.unwrap();
        is("all", &["find"]);
        store.set("a", &expiring(-1)).await.unwrap();
        is("set of a passed session", &["delete"]);
        store.destroy("a").await.unwrap();
        is("destroy", &["delete"]);
        all.clear().await.unwrap();
        is("clear", &["delete"]);
    }
}

#[tokio::test]
#[ignore = "needs mongod"]
async fn a_touch_that_is_saved_sends_nothing() {
    let (bench, commands) = (Bench::start().await, Commands::default());
    let mut options = bench.options();
    options.auto_remove = AutoRemove::Disabled;
    options.touch_after = std::time::Duration::from_secs(60);
    let store = MongoStore::with_client(commands.client().await, options).unwrap();
    store.set("a", &session()).await.unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    commands.taken();
    store.touch("a", &read).await.unwrap();
    assert_eq!(commands.taken(), Vec::<String>::new());
    atomic(&store).get_and_touch("a", None).await.unwrap();
    assert_eq!(commands.taken(), ["findAndModify"]);
}
