//! A replica set of three that loses its primary: what was acknowledged stays, and what `w=1` acknowledges may not.

#![allow(clippy::print_stdout, reason = "the README has these figures")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_core::{Created, ErrorKind, Store, Updated};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        bson::{Document, doc},
        event::{EventHandler, command::CommandEvent},
        options::{ClientOptions, CollectionOptions, WriteConcern},
    },
};
use cloakroom_test_support::{MongoThree, Wait, unique};
use futures::future::join_all;

use crate::{atomic, session};

const WRITERS: usize = 8;
const WRITES: usize = 20;

/// The set is started once, and one step after the other harms it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn no_acknowledged_write_is_lost_by_a_failover_unless_the_url_says_w_1() {
    let mut set = MongoThree::start(Duration::from_secs(1)).unwrap();
    what_the_driver_sends_again_is_told_as_it_was(&set).await;
    a_refusal_of_what_the_driver_sends_again_is_no_outcome(&set).await;
    under_load(&mut set, "step-down of the primary", |set| set.step_down().unwrap()).await;
    let killed = set.primary().unwrap();
    under_load(&mut set, "kill -9 of the primary", |set| set.server(killed).stop()).await;
    under_load(&mut set, "return of the old primary", |set| {
        set.server(killed).restart().unwrap();
        set.wait_until_whole().unwrap();
    })
    .await;
    let frozen = set.primary().unwrap();
    under_load(&mut set, "freeze of the primary", |set| set.server(frozen).pause().unwrap()).await;
    under_load(&mut set, "return of the frozen primary", |set| {
        set.server(frozen).resume().unwrap();
        set.wait_until_whole().unwrap();
    })
    .await;
    the_last_writes_of_a_primary(&mut set, "&w=1", true).await;
    the_last_writes_of_a_primary(&mut set, "", false).await;
    the_last_writes_of_a_primary(&mut set, "&w=majority", false).await;
}

/// Why writers wait longer than the election: the other secondary fetches from the frozen primary until its own time limit,
/// and until then no majority has what the new primary writes. The store is not what they wait for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn after_a_freeze_a_write_succeeds_as_soon_as_a_majority_follows_the_new_primary() {
    let mut set = MongoThree::start(Duration::from_secs(1)).unwrap();
    let store = open(&set, "", |options| options.deadline = Duration::from_secs(1));
    // It has the time that a slow machine needs, and connections to the server that will be frozen.
    let patient = open(&set, "", |options| options.deadline = Duration::from_secs(120));
    for store in [&store, &patient] {
        let wait = Wait::until("the store writes");
        while store.set("a", &session()).await.is_err() {
            wait.check();
        }
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(store.clone(), 0, Arc::clone(&is_over)));
    let since = Instant::now();
    tokio::task::block_in_place(|| {
        let frozen = set.primary().unwrap();
        set.server(frozen).pause().unwrap();
        set.primary().unwrap()
    });
    let elected = since.elapsed();
    let mut insert = async |concern: WriteConcern| {
        let options = CollectionOptions::builder().write_concern(concern).build();
        let wait = Wait::until("the new primary writes");
        loop {
            wait.check();
            // On a busy machine, another election can follow.
            let primary = tokio::task::block_in_place(|| set.primary().unwrap());
            let url = format!("mongodb://{}/?directConnection=true", set.server(primary).addr());
            let direct = Client::with_uri_str(&url).await.unwrap().database("app");
            let plain = direct.collection_with_options::<Document>("plain", options.clone());
            // A primary that was just elected may refuse writes for a moment.
            if plain.insert_one(doc! {}).await.is_ok() {
                return since.elapsed();
            }
        }
    };
    let alone = insert(WriteConcern::nodes(1)).await;
    let majority = insert(WriteConcern::majority()).await;
    // The next call goes to the new primary.
    patient.set("a", &session()).await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    let known = writer.await.unwrap();
    println!(
        "freeze: a primary after {elected:?}; the plain driver writes to it after {alone:?}, and with a majority after \
         {majority:?}; a writer paused for {:?}",
        known.longest
    );
}

fn open(set: &MongoThree, query: &str, change: impl FnOnce(&mut MongoOptions)) -> MongoStore {
    let mut options = MongoOptions::default();
    options.auto_remove = AutoRemove::Disabled;
    options.collection_name = unique("sessions");
    change(&mut options);
    MongoStore::open_with(&format!("{}{query}", set.url("app")), options).unwrap()
}

/// The write happens, and its answer is lost. The driver sends it again with the same number, and the server answers as
/// it did: a store that compared once more would report its own write as another's.
async fn what_the_driver_sends_again_is_told_as_it_was(set: &MongoThree) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let mut client = ClientOptions::parse(set.url("app")).await.unwrap();
    let noted = Arc::clone(&sent);
    client.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(event) = event {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(event.command_name);
        }
    }));
    let mut options = MongoOptions::default();
    options.auto_remove = AutoRemove::Disabled;
    options.deadline = Duration::from_secs(60);
    let store = MongoStore::with_client(Client::with_options(client).unwrap(), options).unwrap();
    let lose = || {
        sent.lock().unwrap().clear();
        set.lose_next_answer().unwrap();
    };
    let twice = |name: &str| assert_eq!(*sent.lock().unwrap(), [name, name]);

    lose();
    let created = atomic(&store).create("a", &session()).await.unwrap();
    assert!(matches!(created, Created::Stored(_)), "{created:?}");
    twice("update");
    let mut read = store.get("a").await.unwrap().unwrap();
    read.insert("n", 1).unwrap();
    lose();
    let updated = atomic(&store).update("a", &read).await.unwrap();
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
    twice("update");
    lose();
    let touched = atomic(&store).get_and_touch("a", None).await.unwrap().unwrap();
    assert_eq!(touched.get::<i32>("n").unwrap(), Some(1));
    twice("findAndModify");
    lose();
    store.destroy("a").await.unwrap();
    twice("delete");
    assert_eq!(store.get("a").await.unwrap(), None);
}

/// The write happens, its answer is lost, and the server refuses what the driver sends again.
async fn a_refusal_of_what_the_driver_sends_again_is_no_outcome(set: &MongoThree) {
    let client = Client::with_uri_str(set.url("app")).await.unwrap();
    let configure = async |how: Document| {
        let mut command = doc! { "configureFailPoint": "failCommand" };
        command.extend(how);
        client.database("admin").run_command(command).await.unwrap();
    };
    let store = open(set, "&appName=refused", |options| options.deadline = Duration::from_secs(60));
    store.get("a").await.unwrap();
    // Unauthorized, and WriteConflict.
    for code in [13, 112] {
        let sid = code.to_string();
        set.lose_next_answer().unwrap();
        let data = doc! { "failCommands": ["update"], "appName": "refused", "errorCode": code };
        configure(doc! { "mode": { "skip": 1 }, "data": data }).await;
        let error = store.set(&sid, &session()).await.unwrap_err();
        configure(doc! { "mode": "off" }).await;
        assert!(error.outcome_unknown(), "{code}: {error}");
        assert!(store.get(&sid).await.unwrap().is_some(), "{code}");
    }
}

/// What a writer knows of its sessions.
#[derive(Debug, Default)]
struct Known {
    /// Created, and the update was acknowledged as well.
    alive: BTreeSet<String>,
    destroyed: BTreeSet<String>,
    /// The longest time between two acknowledged writes.
    longest: Duration,
    failed: usize,
}

/// Writers create, update and destroy sessions of their own while this happens, until each has worked again for a while.
async fn under_load(set: &mut MongoThree, what: &str, harm: impl FnOnce(&mut MongoThree)) {
    let store = open(set, "", |_| ());
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer, Arc::clone(&is_over))))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let elected = tokio::task::block_in_place(|| {
        harm(set);
        let since = Instant::now();
        set.primary().unwrap();
        since.elapsed()
    });
    is_over.store(true, Ordering::SeqCst);
    let (mut writes, mut failed, mut longest) = (0, 0, Duration::ZERO);
    for writer in writers {
        let known = writer.await.unwrap();
        for sid in &known.alive {
            let read = store.get(sid).await.unwrap();
            let n = read.and_then(|read| read.get::<i32>("n").unwrap());
            assert_eq!(n, Some(1), "{what}: an acknowledged update of {sid} is lost");
        }
        for sid in &known.destroyed {
            let read = store.get(sid).await.unwrap();
            assert_eq!(read, None, "{what}: {sid} was logged out and is back");
        }
        writes += known.alive.len() + known.destroyed.len();
        failed += known.failed;
        longest = longest.max(known.longest);
    }
    println!(
        "{what}: {writes} sessions, 0 lost; {failed} calls failed; a primary after {elected:?}, longest pause {longest:?}"
    );
}

/// Until it is over and another session was written.
async fn write(store: MongoStore, writer: usize, is_over: Arc<AtomicBool>) -> Known {
    let mut known = Known::default();
    let mut last = Instant::now();
    for number in 0.. {
        let ends = is_over.load(Ordering::SeqCst);
        let sid = format!("{writer}-{number}");
        let outcome = one_session(&store, &sid, number % 2 == 0).await;
        match outcome {
            Ok(()) => {
                known.longest = known.longest.max(last.elapsed());
                last = Instant::now();
                if number % 2 == 0 { &mut known.alive } else { &mut known.destroyed }.insert(sid);
                if ends {
                    break;
                }
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                known.failed += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    known
}

/// Nobody else has this session, so that only a wrong answer is anything but `Stored`.
async fn one_session(
    store: &MongoStore,
    sid: &str,
    stays: bool,
) -> Result<(), cloakroom_core::Error> {
    let created = atomic(store).create(sid, &session()).await?;
    assert!(matches!(created, Created::Stored(_)), "{sid}: {created:?}");
    let mut read = store.get(sid).await?.unwrap_or_else(|| panic!("{sid} was created and is gone"));
    read.insert("n", 1).unwrap();
    let updated = atomic(store).update(sid, &read).await?;
    assert!(matches!(updated, Updated::Stored(_)), "{sid}: {updated:?}");
    if stays { Ok(()) } else { store.destroy(sid).await }
}

/// The secondaries vote and do not follow, as where the network between the members is slow. The primary writes, dies,
/// and comes back when another one has been elected.
async fn the_last_writes_of_a_primary(set: &mut MongoThree, query: &str, loses: bool) {
    let name = unique("sessions");
    // Those that lose are all acknowledged, on a busy machine as well; the others all wait in vain.
    let limit = Duration::from_secs(if loses { 60 } else { 2 });
    let store = open(set, query, |options| {
        options.collection_name.clone_from(&name);
        options.deadline = limit;
    });
    let client = Client::with_uri_str(format!("{}{query}", set.url("app"))).await.unwrap();
    let plain = client.database("app").collection::<Document>(&unique("plain"));
    let sid = |kind: &str, number: usize| format!("{kind}-{number}");
    let majority = open(set, "&w=majority", |options| {
        options.collection_name.clone_from(&name);
        options.deadline = Duration::from_secs(60);
    });
    for number in 0..WRITES {
        majority.set(&sid("old", number), &session()).await.unwrap();
    }
    let first = set.primary().unwrap();
    let others = [(first + 1) % 3, (first + 2) % 3];
    for other in others {
        set.replicate(other, false).unwrap();
    }

    let logins = join_all((0..WRITES).map(|number| {
        let (store, sid) = (store.clone(), sid("new", number));
        async move { store.set(&sid, &session()).await.map(|()| sid) }
    }));
    let logouts = join_all((0..WRITES).map(|number| {
        let (store, sid) = (store.clone(), sid("old", number));
        async move { store.destroy(&sid).await.map(|()| sid) }
    }));
    let inserts = join_all((0..WRITES).map(|number| {
        let plain = plain.clone();
        let insert = async move {
            plain.insert_one(doc! { "_id": number as i64 }).await.map(|_| number as i64).ok()
        };
        // The driver's futures run to their end.
        let insert = tokio::spawn(insert);
        async move { tokio::time::timeout(limit, insert).await.ok()?.unwrap() }
    }));
    let (logins, logouts, inserts) = tokio::join!(logins, logouts, inserts);
    for error in logins.iter().chain(&logouts).filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.outcome_unknown(), "{error}");
    }

    set.server(first).stop();
    for other in others {
        set.replicate(other, true).unwrap();
    }
    set.step_up(others[0]).unwrap();
    set.server(first).restart().unwrap();
    set.wait_until_whole().unwrap();

    let (mut acknowledged, mut lost, mut back) = (0, 0, 0);
    for sid in logins.iter().flatten() {
        acknowledged += 1;
        lost += usize::from(majority.get(sid).await.unwrap().is_none());
    }
    for sid in logouts.iter().flatten() {
        acknowledged += 1;
        back += usize::from(majority.get(sid).await.unwrap().is_some());
    }
    let (mut inserted, mut vanished) = (0, 0);
    for id in inserts.into_iter().flatten() {
        inserted += 1;
        vanished += usize::from(plain.find_one(doc! { "_id": id }).await.unwrap().is_none());
    }
    println!(
        "{query:?}: {acknowledged} acknowledged, {lost} logins lost, {back} logouts undone; plain driver: {inserted} \
         acknowledged, {vanished} lost"
    );
    assert_eq!(acknowledged, if loses { 2 * WRITES } else { 0 }, "{query}");
    assert_eq!((lost, back), if loses { (WRITES, WRITES) } else { (0, 0) }, "{query}");
    assert_eq!((inserted, vanished), if loses { (WRITES, WRITES) } else { (0, 0) }, "{query}");
}
