//! The operations of any store of cloakroom.

use std::{sync::Arc, time::Duration};

use cloakroom::{Atomic, SessionData, Store, Touched, Updated};
use cloakroom_bench::tasks::Task;
use tokio::sync::Mutex;

use crate::case::{Case, KEYS, OWN, Place, TASKS, key, with_clone};

pub(crate) const NAME: &str = "cloakroom";
pub(crate) const LIFE: Duration = Duration::from_secs(3_600);

/// Stores sessions with this text, and returns what is done with them.
pub(crate) async fn cases<S: Store + Clone + 'static>(
    place: &Place,
    store: S,
    text: &str,
    sid: fn(usize) -> String,
) -> Vec<Case> {
    let session = Arc::new(SessionData::from_json(text).expect("it is a session"));
    for key in 0..KEYS {
        store.set(&sid(key), &session).await.expect("the store stores");
    }
    let bytes = text.len();
    let get = with_clone(&store, move |store, mut task| async move {
        while let Some(number) = task.next() {
            let session = store.get(&sid(key(&task, number))).await.expect("the store answers");
            assert_eq!(session.expect("it is there").loaded_json().len(), bytes);
        }
    });
    let both = (store.clone(), session);
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
    vec![
        Case::new(place, NAME, "get", get),
        Case::new(place, NAME, "set", set),
        Case::new(place, NAME, "touch", touch),
        Case::new(place, NAME, "get and touch", get_and_touch),
        update(place, store, sid).await,
    ]
}

/// Each task has sessions of its own, so that no update meets another.
async fn update<S: Store + Clone + 'static>(
    place: &Place,
    store: S,
    sid: fn(usize) -> String,
) -> Case {
    // What was read stays from round to round, so that reading is not measured.
    let mut read = Vec::new();
    for task in 0..TASKS {
        let mut own = Vec::new();
        for key in task * OWN..(task + 1) * OWN {
            own.push(store.get(&sid(key)).await.expect("the store answers").expect("it is there"));
        }
        read.push(Mutex::new(own));
    }
    let read = Arc::new(read);
    Case::new(place, NAME, "update", move |mut task: Task| {
        let (store, read) = (store.clone(), Arc::clone(&read));
        async move {
            let store = atomic(&store);
            let mut own = read[task.number()].lock().await;
            while let Some(number) = task.next() {
                let at = usize::try_from(number).expect("64 bits") % OWN;
                let session = &mut own[at];
                let updated = store.update(&sid(task.number() * OWN + at), session).await;
                match updated.expect("the store answers") {
                    Updated::Stored(revision) => {
                        *session = std::mem::take(session).with_revision(revision);
                    }
                    // `set` has written in another case's time.
                    Updated::Conflict(current) => *session = current,
                    Updated::Gone => panic!("the session is gone"),
                }
            }
        }
    })
}

fn atomic(store: &impl Store) -> &dyn Atomic {
    store.atomic().expect("our stores have it")
}
