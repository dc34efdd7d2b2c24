//! Sessions move from one server to another and back, while clients on both write them. Each client stands for a
//! process that is restarted with the next kind of handle: the old store alone, before the migration, during it, the
//! new store alone. Express processes write beside them until the migration begins, and again after the way back.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use cloakroom::{
    ExpressSession, ExpressSessionOptions, Migrating, Store,
    mongodb::{MongoOptions, MongoStore},
    redis::{RedisOptions, RedisStore},
};
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_support::{Mongod, RedisServer, Wait};
use futures::TryStreamExt;
use tokio::sync::RwLock;

mod express;
mod full;
mod known;

use express::Express;
use known::{Known, Witness};

const CLIENTS: usize = 6;
const SESSIONS: usize = 60;
/// How many writes are acknowledged between two restarts.
const WRITES: u64 = 60;

/// Two cores that are busy with other things are no reason to give up.
const DEADLINE: Duration = Duration::from_secs(120);

fn patient(store: impl Store + 'static) -> ExpressSession {
    ExpressSession::with_options(store, ExpressSessionOptions::default().with_deadline(DEADLINE))
}

type Handle = Arc<RwLock<ExpressSession>>;

/// Writes, reads, creates and ends sessions until the test is over.
async fn work(client: usize, handle: Handle, known: Arc<Known>) {
    let _witness = Witness(&known);
    let mut number = client * 7_919;
    while !known.is_over.load(SeqCst) {
        number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
        // A process is restarted between two requests.
        let sessions = handle.read().await;
        match number >> 8 & 63 {
            0 => create(&sessions, &known).await,
            1 => log_out(&sessions, &known, number >> 14).await,
            2..12 => look(&sessions, &known, number >> 14).await,
            _ => increment(&sessions, &known, number >> 14).await,
        }
    }
}

async fn create(sessions: &ExpressSession, known: &Known) {
    let (sid, session) = sessions.generate().unwrap();
    sessions.create(&sid, &session).await.unwrap();
    known.live.lock().unwrap().insert(sid, 0);
}

async fn increment(sessions: &ExpressSession, known: &Known, number: usize) {
    let Some(sid) = known.pick(number) else { return };
    let stored = sessions.modify(&sid, |session| {
        let counted: u64 = session.get("n")?.unwrap_or_default();
        session.insert("n", counted + 1)
    });
    match stored.await.unwrap() {
        Some(_) => {
            known.acknowledged.fetch_add(1, SeqCst);
            // It may have been logged out since, and then nobody counts any more.
            if let Some(count) = known.live.lock().unwrap().get_mut(&sid) {
                *count += 1;
            }
        }
        None if known.live.lock().unwrap().contains_key(&sid) => {
            known.complain("a change found no session")
        }
        None => {}
    }
}

async fn look(sessions: &ExpressSession, known: &Known, number: usize) {
    let gone = known.logged_out.lock().unwrap().get(number % 64).cloned();
    if let Some(sid) = gone
        && sessions.get(&sid).await.unwrap().is_some()
    {
        known.complain("a session was seen after its logout");
    }
    let Some(sid) = known.pick(number) else { return };
    let found = sessions.get(&sid).await.unwrap();
    if found.is_none() && known.live.lock().unwrap().contains_key(&sid) {
        known.complain("a visitor was logged out");
    }
    if let Some(session) = found {
        sessions.touch(&sid, &session).await.unwrap();
    }
}

async fn log_out(sessions: &ExpressSession, known: &Known, number: usize) {
    let Some(sid) = known.pick(number) else { return };
    // From here on nobody expects it to be there, and from its end on nobody may see it.
    known.live.lock().unwrap().remove(&sid);
    sessions.destroy(&sid).await.unwrap();
    known.logged_out.lock().unwrap().push(sid);
}

/// Restarts each client with another handle, one after the other, while all of them write.
async fn restart(clients: &[Handle], known: &Known, open: impl Fn() -> ExpressSession) {
    for client in clients {
        *client.write().await = open();
        let until = known.acknowledged.load(SeqCst) + WRITES;
        let wait = Wait::until("more writes are acknowledged");
        while known.acknowledged.load(SeqCst) < until && !known.has_complaints() {
            wait.check();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Moves everything from one store to the other while all clients write. Express may write the old store until sessions
/// move.
async fn migrate<O, N>(
    clients: &[Handle],
    known: &Arc<Known>,
    old: &O,
    new: &N,
    express: Option<Express>,
) where
    O: Store + Clone + 'static,
    N: Store + Clone + 'static,
{
    restart(clients, known, || patient(Migrating::before(old.clone(), new.clone()))).await;
    if let Some(express) = express {
        express.writes_and_leaves(known).await;
    }
    restart(clients, known, || patient(Migrating::new(old.clone(), new.clone()))).await;
    let mover = Migrating::new(old.clone(), new.clone());
    let all: Vec<_> = old.enumerate().unwrap().all().try_collect().await.unwrap();
    for listed in all {
        mover.move_session(&listed.id, listed.time_left).await.unwrap();
    }
    assert_eq!(old.enumerate().unwrap().length().await.unwrap(), 0, "the old store is empty");
    restart(clients, known, || patient(new.clone())).await;
}

async fn there_and_back<O, N>(one: O, other: N, express: Option<&(dyn Fn() -> Express + Sync)>)
where
    O: Store + Clone + 'static,
    N: Store + Clone + 'static,
{
    let known = Arc::new(Known::default());
    let begin = patient(one.clone());
    for _ in 0..SESSIONS {
        create(&begin, &known).await;
    }
    let clients: Vec<Handle> = (0..CLIENTS).map(|_| Arc::new(RwLock::new(begin.clone()))).collect();
    let working: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(number, handle)| tokio::spawn(work(number, Arc::clone(handle), Arc::clone(&known))))
        .collect();
    let before = express.map(|start| start());
    if let Some(express) = &before {
        express.begin(&known);
        restart(&clients, &known, || patient(one.clone())).await;
        express.wait_for_writes(&known).await;
    }
    migrate(&clients, &known, &one, &other, before).await;
    migrate(&clients, &known, &other, &one, None).await;
    if let Some(express) = express.map(|start| start()) {
        express.begin(&known);
        express.writes_and_leaves(&known).await;
    }
    known.is_over.store(true, SeqCst);
    for client in working {
        client.await.unwrap();
    }
    assert_eq!(*known.complaints.lock().unwrap(), Vec::<String>::new());
    let live = known.live.lock().unwrap().clone();
    for (sid, count) in &live {
        let session = one.get(sid).await.unwrap().expect("nobody logged out");
        let counted: u64 = session.get("n").unwrap().unwrap_or_default();
        assert_eq!(counted, *count, "acknowledged increments");
    }
    let added = known.added.lock().unwrap().clone();
    for (sid, name) in added.iter().filter(|(sid, _)| live.contains_key(sid)) {
        let session = one.get(sid).await.unwrap().expect("nobody logged out");
        assert!(session.contains(name), "a write of Express is missing");
    }
    let logged_out = known.logged_out.lock().unwrap().clone();
    for sid in &logged_out {
        assert_eq!(one.get(sid).await.unwrap(), None);
        assert_eq!(other.get(sid).await.unwrap(), None);
    }
    assert_eq!(other.enumerate().unwrap().length().await.unwrap(), 0);
    assert!(known.acknowledged.load(SeqCst) >= 6 * CLIENTS as u64 * WRITES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and mongod"]
async fn a_move_from_redis_to_mongodb_and_back_loses_nothing() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let in_redis = RedisOptions::default().with_deadline(DEADLINE);
    let in_mongodb = MongoOptions::default().with_deadline(DEADLINE);
    there_and_back(
        RedisStore::open_with(&redis.url(), in_redis).unwrap(),
        MongoStore::open_with(&mongod.url(), in_mongodb).unwrap(),
        None,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_between_folders_and_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let options = FileOptions::default().with_durable(false).with_deadline(DEADLINE);
        FileStore::in_folder(folder.path().join(name), options).unwrap()
    };
    there_and_back(open("one"), open("other"), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server, mongod and the npm packages"]
async fn a_move_beside_express_processes_loses_nothing() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let in_redis = RedisOptions::default().with_deadline(DEADLINE);
    let in_mongodb = MongoOptions::default().with_deadline(DEADLINE);
    there_and_back(
        RedisStore::open_with(&redis.url(), in_redis).unwrap(),
        MongoStore::open_with(&mongod.url(), in_mongodb).unwrap(),
        Some(&|| Express::start("redis-10", &redis.url())),
    )
    .await;
}
