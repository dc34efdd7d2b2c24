//! A store of npm inside Node.js, and the same from Rust, by `cloakroom_node::NodeStore`.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use cloakroom::{SessionData, Store, node, promisify_store};
use cloakroom_bench::{commands::of_redis, cpu};
use cloakroom_test_support::RedisServer;
use serde_json::json;

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::PATIENCE,
    node::NodeStore,
};

const INSIDE: &str = "connect-redis";
const FROM_RUST: &str = "NodeStore";

const FACTORY: &str = "async ({ module, options, load }) => {
    const { createClient } = await load('redis');
    const client = createClient({ url: options.url });
    client.on('error', () => {});
    await client.connect();
    return new module.RedisStore({ client });
}";

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

pub(crate) struct OfNpm(RedisServer);

impl Backend for OfNpm {
    const NAME: &str = "connect-redis from Rust";

    fn start() -> Self {
        let server = RedisServer::start().expect("redis-server is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let url = self.0.url();
        let client = redis::Client::open(&*url).expect("it is a URL");
        let redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let name = format!("{}, {size}", Self::NAME);
        let place = Place::new(name, self.0.id(), INSIDE, move || {
            let mut redis = redis.clone();
            async move {
                let mut info = redis::cmd("INFO");
                info.arg("commandstats");
                let text: String = info.query_async(&mut redis).await.expect("Redis answers");
                of_redis(&text)
            }
        });
        let inside = Arc::new(NodeStore::start(INSIDE, &url, text));
        let mut cases =
            Vec::from(["get", "set", "touch"].map(|work| Case::node(&place, &inside, work)));

        let before = children();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node");
        let store = node::NodeStore::builder()
            .module(INSIDE)
            .factory(FACTORY)
            .options(json!({ "url": url }))
            .folder(folder)
            .deadline(PATIENCE)
            .start_deadline(PATIENCE)
            .build()
            .expect("Node.js is installed");
        let store: Arc<dyn Store> = Arc::new(promisify_store(store));
        let session = Arc::new(SessionData::from_json(text).expect("it is a session"));
        for number in 0..KEYS {
            store.set(&sid(number), &session).await.expect("the store stores");
        }
        let child = children().difference(&before).next().copied();
        let ours = from_rust(&place, &store, &session, text.len());
        cases.extend(ours.map(|case| case.with_process(child)));
        let answer = Answer::new(FROM_RUST, move || {
            let store = Arc::clone(&store);
            async move {
                let session = store.get(&sid(0)).await.expect("the store answers");
                let text = session.expect("it is there").to_json().into_owned();
                serde_json::from_str(&text).expect("it is JSON")
            }
        });
        (cases, vec![inside.answer(), answer])
    }
}

fn from_rust(
    place: &Place,
    store: &Arc<dyn Store>,
    session: &Arc<SessionData>,
    bytes: usize,
) -> [Case; 3] {
    let get = with_clone(store, move |store, mut task| async move {
        while let Some(number) = task.next() {
            let session = store.get(&sid(key(&task, number))).await.expect("the store answers");
            assert!(session.expect("it is there").loaded_json().len() >= bytes / 2);
        }
    });
    let both = (Arc::clone(store), Arc::clone(session));
    let set = with_clone(&both, |(store, session), mut task| async move {
        while let Some(number) = task.next() {
            store.set(&sid(key(&task, number)), &session).await.expect("the store stores");
        }
    });
    let touch = with_clone(&both, |(store, session), mut task| async move {
        while let Some(number) = task.next() {
            store.touch(&sid(key(&task, number)), &session).await.expect("the store answers");
        }
    });
    [
        Case::new(place, FROM_RUST, "get", get),
        Case::new(place, FROM_RUST, "set", set),
        Case::new(place, FROM_RUST, "touch", touch),
    ]
}

/// The processes that this one has started.
fn children() -> BTreeSet<u32> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    let of_thread = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("children"));
    let texts = threads.filter_map(Result::ok).filter_map(|thread| of_thread(thread).ok());
    texts.flat_map(|text| ids(&text)).collect()
}

fn ids(text: &str) -> Vec<u32> {
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}
