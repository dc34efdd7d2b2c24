//! An npm store as Rust uses it, in a Node.js child, beside the same store used within Node.js.

use std::sync::Arc;

use cloakroom::{Promisified, SessionData, Store, Touched, node::NodeStore, promisify_store};
use cloakroom_bench::tasks::Task;
use cloakroom_test_support::node_folder;

use crate::{
    backend::Answer,
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::PATIENCE,
};

const NAME: &str = "connect-redis, by cloakroom-node";

/// connect-redis with a prefix of its own.
const FACTORY: &str = r#"async ({ module, options: { url }, load }) => {
    const { createClient } = await load("redis");
    const client = await createClient({ url }).on("error", () => {}).connect();
    return new module.RedisStore({ client, prefix: "by-node:" });
}"#;

fn open(url: &str) -> Promisified<NodeStore> {
    // The packages of the benchmarks are beside those of the tests.
    let folder = node_folder().join("../../bench/node");
    let store = NodeStore::builder()
        .folder(folder)
        .module("connect-redis")
        .factory(FACTORY)
        .options(serde_json::json!({ "url": url }))
        .deadline(PATIENCE)
        .build();
    promisify_store(store.expect("the values are right")).with_deadline(PATIENCE)
}

/// Stores sessions with this text, and returns what is done with them, and what is read of one. The time on the
/// processor is that of this process alone, without the child's.
pub(crate) async fn cases(
    place: &Place,
    url: &str,
    text: &str,
    sid: fn(usize) -> String,
) -> (Vec<Case>, Answer) {
    let store = open(url);
    let session = Arc::new(SessionData::from_json(text).expect("it is a session"));
    for key in 0..KEYS {
        store.set(&sid(key), &session).await.expect("the store stores");
    }
    let get = with_clone(&store, move |store, mut task: Task| async move {
        while let Some(number) = task.next() {
            let session = store.get(&sid(key(&task, number))).await.expect("the store answers");
            assert!(session.is_some());
        }
    });
    let both = (store.clone(), session);
    let set = with_clone(&both, move |(store, session), mut task: Task| async move {
        while let Some(number) = task.next() {
            store.set(&sid(key(&task, number)), &session).await.expect("the store stores");
        }
    });
    let touch = with_clone(&both, move |(store, session), mut task: Task| async move {
        while let Some(number) = task.next() {
            let touched = store.touch(&sid(key(&task, number)), &session).await;
            assert_eq!(touched.expect("the store answers"), Touched::Extended);
        }
    });
    let answer = Answer::new(NAME, move || {
        let store = store.clone();
        async move {
            let session = store.get(&sid(0)).await.expect("the store answers");
            let text = session.expect("it is there").to_json().into_owned();
            serde_json::from_str(&text).expect("it is JSON")
        }
    });
    let cases = vec![
        Case::new(place, NAME, "get", get).with_commands("get 1"),
        Case::new(place, NAME, "set", set).with_commands("set 1"),
        Case::new(place, NAME, "touch", touch).with_commands("expire 1"),
    ];
    (cases, answer)
}
