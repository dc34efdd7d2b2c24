//! Stores on Memcached, and the bare client.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use cloakroom::memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_bench::{commands::Counts, cpu, tasks::Task};
use cloakroom_test_support::Memcached;
use memcache::exp::{Get, Meta, MetaClientBuilder, Set};
use tokio::sync::Mutex;

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, OWN, Place, TASKS, key, own_key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
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

pub(crate) struct OnMemcached(Memcached);

impl Backend for OnMemcached {
    const NAME: &str = "Memcached";

    fn start() -> Self {
        let server = Memcached::start_with(&["-m", "256"]).expect("memcached is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let port = self.0.port();
        let place = Place::new(format!("{}, {size}", Self::NAME), self.0.id(), BARE, move || {
            std::future::ready(count(port).expect("memcached answers"))
        });
        // Our store keeps as many connections as there are calls at a time.
        let client = MetaClientBuilder::new().max_idle(TASKS);
        let client = client.connect_async(("127.0.0.1", port)).await;
        let client: Client = Arc::new(client.expect("memcached answers"));

        let mut cases = bare(&place, &client, text).await;
        let store = MemcachedStore::open_with(
            &self.0.url(),
            MemcachedOptions::default().with_deadline(PATIENCE).with_timeout(PATIENCE),
        );
        let store = store.expect("it is a URL");
        let commands = Declared {
            get: "get 1",
            set: "set 1",
            touch: "touch 1",
            // memcached counts a read that extends as `touch` only.
            get_and_touch: "touch 1",
            update: "set 1",
        };
        let (ours, our_answer) = cloakroom_store::cases(&place, store, text, sid, commands).await;
        let node = Arc::new(NodeStore::start("connect-memcached", &self.0.addr(), text));
        cases.extend(ours);
        cases.extend(["get", "set", "touch"].map(|work| Case::node(&place, &node, work)));
        let bare_answer = Answer::new(BARE, move || {
            let client = Arc::clone(&client);
            async move {
                let found = client.run(Get::new(bare_key(0))).await.expect("memcached answers");
                serde_json::from_slice(&found.value.expect("it is there")).expect("it is JSON")
            }
        });
        (cases, vec![bare_answer, our_answer, node.answer()])
    }
}

/// What `stats` counts, by what a command does, in whichever of the protocols.
fn count(port: u16) -> io::Result<Counts> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"stats\r\nquit\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("STAT cmd_")?.split_once(' '));
    let lines = lines.filter(|(name, _)| ["get", "set", "touch"].contains(name));
    Ok(lines.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect())
}

async fn bare(place: &Place, client: &Client, text: &str) -> Vec<Case> {
    let text: Arc<str> = text.into();
    for number in 0..KEYS {
        set(client, &bare_key(number), &text).await;
    }
    let bytes = text.len();
    let get = with_clone(client, move |client, mut task| async move {
        while let Some(number) = task.next() {
            let found =
                client.run(Get::new(bare_key(key(&task, number))).meta(Meta::NONE.cas())).await;
            assert_eq!(found.expect("memcached answers").value.expect("it is there").len(), bytes);
        }
    });
    let set = {
        let text = Arc::clone(&text);
        with_clone(client, move |client, mut task: Task| {
            let text = Arc::clone(&text);
            async move {
                while let Some(number) = task.next() {
                    set(&client, &bare_key(key(&task, number)), &text).await;
                }
            }
        })
    };
    let touch = with_clone(client, |client, mut task| async move {
        while let Some(number) = task.next() {
            let touch = Get::new(bare_key(key(&task, number))).without_value().touch_raw(LIFE);
            assert!(client.run(touch).await.expect("memcached answers").hit());
        }
    });
    let get_and_touch = with_clone(client, move |client, mut task| async move {
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
        Case::new(place, BARE, "update", update(Arc::clone(client), text).await),
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
