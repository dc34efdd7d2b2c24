//! The operations of any store of cloakroom.

use std::{sync::Arc, time::Duration};

use cloakroom::{Atomic, SessionData, Store, Touched, Updated};
use tokio::{sync::Mutex, task::yield_now};

use crate::{
    backend::Answer,
    case::{Case, KEYS, OWN, Place, TASKS, key, own_key, with_clone},
};

pub(crate) const NAME: &str = "cloakroom";
const LIFE: Duration = Duration::from_secs(3_600);
/// The deadline of our stores: on a busy machine they are measured, not given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The commands that the server runs for each operation, such as `get 1`. Empty for a store without a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) get: &'static str,
    pub(crate) set: &'static str,
    pub(crate) touch: &'static str,
    pub(crate) get_and_touch: &'static str,
    pub(crate) update: &'static str,
}

/// Stores sessions with this text, and returns what is done with them, and what is read of one.
pub(crate) async fn cases<S: Store + Clone + 'static>(
    place: &Place,
    store: S,
    text: &str,
    sid: fn(usize) -> String,
    commands: Declared,
) -> (Vec<Case>, Answer) {
    let session = Arc::new(SessionData::from_json(text).expect("it is a session"));
    for key in 0..KEYS {
        store.set(&sid(key), &session).await.expect("the store stores");
    }
    let bytes = text.len();
    let both = (store.clone(), Arc::clone(&session));
    let set = with_clone(&both, move |(store, session), mut task| async move {
        while let Some(number) = task.next() {
            store.set(&sid(key(&task, number)), &session).await.expect("the store stores");
        }
    });
    let touch = with_clone(&both, move |(store, session), mut task| async move {
        while let Some(number) = task.next() {
            let touched = store.touch(&sid(key(&task, number)), &session).await;
            assert_eq!(touched.expect("the store answers"), Touched::Extended);
        }
    });
    let get_and_touch = with_clone(&store, move |store, mut task| async move {
        let store = atomic(&store);
        while let Some(number) = task.next() {
            let session = store.get_and_touch(&sid(key(&task, number)), Some(LIFE)).await;
            let session = session.expect("the store answers").expect("it is there");
            assert_eq!(session.loaded_json().len(), bytes);
        }
    });
    let answer = answer(NAME, &store, sid);
    let cases = vec![
        get(place, NAME, &store, bytes, sid).with_commands(commands.get),
        Case::new(place, NAME, "set", set).with_commands(commands.set),
        Case::new(place, NAME, "touch", touch).with_commands(commands.touch),
        Case::new(place, NAME, "get and touch", get_and_touch)
            .with_commands(commands.get_and_touch),
        update(place, store, &session, sid).await.with_commands(commands.update),
    ];
    (cases, answer)
}

/// Reads sessions of so many bytes.
pub(crate) fn get<S: Store + Clone + 'static>(
    place: &Place,
    name: &'static str,
    store: &S,
    bytes: usize,
    sid: fn(usize) -> String,
) -> Case {
    let get = with_clone(store, move |store, mut task| async move {
        while let Some(number) = task.next() {
            let session = store.get(&sid(key(&task, number))).await.expect("the store answers");
            assert_eq!(session.expect("it is there").loaded_json().len(), bytes);
            let_others_run(number).await;
        }
    });
    Case::new(place, name, "get", get)
}

/// Lets the other tasks and the timers of the runtime have their turn. What is read from memory never waits.
pub(crate) async fn let_others_run(number: u64) {
    if number % 64 == 63 {
        yield_now().await;
    }
}

/// What a store says about its first session.
pub(crate) fn answer<S: Store + Clone + 'static>(
    name: &'static str,
    store: &S,
    sid: fn(usize) -> String,
) -> Answer {
    let store = store.clone();
    Answer::new(name, move || {
        let store = store.clone();
        async move {
            let session = store.get(&sid(0)).await.expect("the store answers");
            let text = session.expect("it is there").to_json().into_owned();
            serde_json::from_str(&text).expect("it is JSON")
        }
    })
}

/// Each task has sessions of its own, and writes each as it was read.
async fn update<S: Store + Clone + 'static>(
    place: &Place,
    store: S,
    session: &SessionData,
    sid: fn(usize) -> String,
) -> Case {
    // What was read stays from round to round, so that reading is not measured.
    let mut read = Vec::new();
    for task in 0..TASKS {
        let mut own = Vec::new();
        for number in 0..OWN as u64 {
            let sid = sid(own_key(task, number).0);
            store.set(&sid, session).await.expect("the store stores");
            own.push(store.get(&sid).await.expect("the store answers").expect("it is there"));
        }
        read.push(Mutex::new(own));
    }
    let both = (store, Arc::new(read));
    let update = with_clone(&both, move |(store, read), mut task| async move {
        let store = atomic(&store);
        let mut own = read[task.number()].lock().await;
        while let Some(number) = task.next() {
            let (key, at) = own_key(task.number(), number);
            let session = &mut own[at];
            match store.update(&sid(key), session).await.expect("the store answers") {
                Updated::Stored(revision) => {
                    *session = std::mem::take(session).with_revision(revision);
                }
                other => panic!("nobody else writes: {other:?}"),
            }
        }
    });
    Case::new(place, NAME, "update", update)
}

fn atomic(store: &impl Store) -> &dyn Atomic {
    store.atomic().expect("our stores have it")
}
