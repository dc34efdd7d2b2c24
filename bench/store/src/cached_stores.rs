//! Memory in front of Redis, beside the memory store and beside Redis without it.

use std::{sync::Arc, time::Duration};

use cloakroom::{
    MemoryStore, SessionData, Store,
    cache::{CacheOptions, Cached},
    redis::{RedisOptions, RedisStore},
};
use cloakroom_bench::{commands::of_redis, cpu, tasks::Task};
use cloakroom_test_support::RedisServer;

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::PATIENCE,
};

const MEMORY: &str = "MemoryStore";
const BOUNDED: &str = "Cached, bounded, on Redis";
const COHERENT: &str = "Cached, coherent, on Redis";
const PLAIN: &str = "RedisStore";

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

pub(crate) struct Cache(RedisServer);

impl Backend for Cache {
    fn start() -> Self {
        let server = RedisServer::start().expect("redis-server is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let url = self.0.url();
        let client = redis::Client::open(&*url).expect("it is a URL");
        let redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let place = Place::new(
            format!("Memory in front of Redis, {size}"),
            self.0.id(),
            MEMORY,
            move || {
                let mut redis = redis.clone();
                async move {
                    let mut info = redis::cmd("INFO");
                    info.arg("commandstats");
                    let text: String = info.query_async(&mut redis).await.expect("Redis answers");
                    of_redis(&text)
                }
            },
        );
        let options = RedisOptions::default().with_deadline(PATIENCE);
        let plain = RedisStore::open_with(&url, options).expect("it is a URL");
        let session = SessionData::from_json(text).expect("it is a session");
        let memory = MemoryStore::new();
        for number in 0..KEYS {
            plain.set(&sid(number), &session).await.expect("the store stores");
            memory.set(&sid(number), &session).await.expect("the store stores");
        }
        // A second of both modes, as by default.
        let bounded = Cached::new(plain.clone(), CacheOptions::default());
        let coherent = Cached::coherent(plain.clone(), CacheOptions::default());
        let coherent = coherent.expect("Redis announces changes");
        while !coherent.stats().is_active {
            coherent.get(&sid(0)).await.expect("the store answers");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let stores: [(&'static str, Arc<dyn Store>); 4] = [
            (MEMORY, Arc::new(memory)),
            (BOUNDED, Arc::new(bounded)),
            (COHERENT, Arc::new(coherent)),
            (PLAIN, Arc::new(plain)),
        ];
        let (mut cases, mut answers) = (Vec::new(), Vec::new());
        for (name, store) in stores {
            cases.push(reads(&place, name, &store, text.len()));
            answers.push(answer(name, store));
        }
        (cases, answers)
    }
}

fn reads(place: &Place, name: &'static str, store: &Arc<dyn Store>, bytes: usize) -> Case {
    let get = with_clone(store, move |store, mut task: Task| async move {
        while let Some(number) = task.next() {
            let session = store.get(&sid(key(&task, number))).await.expect("the store answers");
            assert_eq!(session.expect("it is there").loaded_json().len(), bytes);
        }
    });
    Case::new(place, name, "get", get)
}

fn answer(name: &'static str, store: Arc<dyn Store>) -> Answer {
    Answer::new(name, move || {
        let store = Arc::clone(&store);
        async move {
            let session = store.get(&sid(0)).await.expect("the store answers");
            let text = session.expect("it is there").to_json().into_owned();
            serde_json::from_str(&text).expect("it is JSON")
        }
    })
}
