//! Stores on Memcached, and the bare client.

use std::sync::Arc;

use cloakroom::memcached::MemcachedStore;
use cloakroom_bench::{cpu, documents, tasks::Task};
use cloakroom_test_support::Memcached;
use memcache::exp::{Get, Meta, MetaClientBuilder, Set};
use tokio::sync::Mutex;

use crate::{
    case::{Backend, Case, KEYS, OWN, Place, TASKS, key, own_key, with_clone},
    cloakroom_store,
    node::NodeStore,
};

const BARE: &str = "memcache";
const LIFE: u32 = 3_600;
/// The flag that connect-memcached gives to JSON.
const JSON: u32 = 2;

type Client = Arc<memcache::exp::AsyncMetaClient>;

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

fn bare_key(number: usize) -> String {
    format!("bare:{number:032x}")
}

pub(crate) async fn start(size: &str, bytes: usize) -> Backend {
    let server = Memcached::start_with(&["-m", "256"]).expect("memcached is installed");
    let id = server.id().expect("it runs");
    cpu::pin(id, cpu::OTHERS);
    let place = Place { table: format!("Memcached, {size}"), server: id, base: BARE };
    let text = documents::session(bytes, "2099-01-01T00:00:00.000Z");

    let mut cases = bare(&place, server.port(), &text).await;
    let store = MemcachedStore::open(&server.url()).expect("it is a URL");
    cases.extend(cloakroom_store::cases(&place, store, &text, sid).await);
    let node = Arc::new(NodeStore::start("connect-memcached", &server.addr(), &text));
    cases.extend(["get", "set", "touch"].map(|work| Case::node(&place, &node, work)));
    Backend::new(cases, server)
}

async fn bare(place: &Place, port: u16, text: &str) -> Vec<Case> {
    // Our store keeps as many connections as there are calls at a time.
    let client = MetaClientBuilder::new().max_idle(TASKS).connect_async(("127.0.0.1", port)).await;
    let client: Client = Arc::new(client.expect("memcached answers"));
    let text: Arc<str> = text.into();
    for number in 0..KEYS {
        set(&client, &bare_key(number), &text).await;
    }
    let bytes = text.len();
    let get = with_clone(&client, move |client, mut task| async move {
        while let Some(number) = task.next() {
            let found =
                client.run(Get::new(bare_key(key(&task, number))).meta(Meta::NONE.cas())).await;
            assert_eq!(found.expect("memcached answers").value.expect("it is there").len(), bytes);
        }
    });
    let set = {
        let text = Arc::clone(&text);
        with_clone(&client, move |client, mut task: Task| {
            let text = Arc::clone(&text);
            async move {
                while let Some(number) = task.next() {
                    set(&client, &bare_key(key(&task, number)), &text).await;
                }
            }
        })
    };
    let touch = with_clone(&client, |client, mut task| async move {
        while let Some(number) = task.next() {
            let touch = Get::new(bare_key(key(&task, number))).without_value().touch_raw(LIFE);
            assert!(client.run(touch).await.expect("memcached answers").hit());
        }
    });
    let get_and_touch = with_clone(&client, move |client, mut task| async move {
        while let Some(number) = task.next() {
            let get = Get::new(bare_key(key(&task, number))).meta(Meta::NONE.cas()).touch_raw(LIFE);
            let found = client.run(get).await.expect("memcached answers");
            assert_eq!(found.value.expect("it is there").len(), bytes);
        }
    });
    vec![
        Case::new(place, BARE, "get", get),
        Case::new(place, BARE, "set", set),
        Case::new(place, BARE, "touch", touch),
        Case::new(place, BARE, "get and touch", get_and_touch),
        Case::new(place, BARE, "update", update(client, text).await),
    ]
}

async fn set(client: &Client, key: &str, text: &str) {
    let set = Set::new(key, text.as_bytes()).client_flags(JSON).ttl_raw(LIFE);
    client.run(set).await.expect("memcached answers");
}

/// Each task has sessions of its own, and the versions that its last writes returned.
async fn update(client: Client, text: Arc<str>) -> impl Fn(Task) -> Updates {
    let mut versions = Vec::new();
    for task in 0..TASKS {
        let mut own = Vec::new();
        for number in 0..OWN as u64 {
            let key = bare_key(own_key(task, number).0);
            set(&client, &key, &text).await;
            let found = client.run(Get::new(key).meta(Meta::NONE.cas())).await;
            let found = found.expect("memcached answers");
            own.push(found.item.cas.expect("it was asked for"));
        }
        versions.push(Mutex::new(own));
    }
    let versions = Arc::new(versions);
    move |mut task: Task| {
        let (client, text, versions) =
            (Arc::clone(&client), Arc::clone(&text), Arc::clone(&versions));
        Box::pin(async move {
            let mut own = versions[task.number()].lock().await;
            while let Some(number) = task.next() {
                let (key, at) = own_key(task.number(), number);
                let set = Set::new(bare_key(key), text.as_bytes()).client_flags(JSON);
                let set = set.ttl_raw(LIFE).compare_cas(own[at]).return_cas();
                let set = client.run(set).await.expect("memcached answers");
                assert!(set.applied(), "nobody else writes");
                own[at] = set.cas.expect("it was asked for");
            }
        })
    }
}

type Updates = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
