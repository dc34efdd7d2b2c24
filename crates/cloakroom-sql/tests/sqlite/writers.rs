//! Several writers of one process.

use super::*;

const WRITERS: u32 = 8;

fn with(member: &str, value: u32) -> SessionData {
    let mut session = ann();
    session.insert(member, value).unwrap();
    session
}

/// A file whose writes take some time, as on a slow disk.
async fn slow(folder: &TempDir) {
    let mut beside = beside(folder).await;
    for sql in [
        "CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)",
        "CREATE TRIGGER slow AFTER INSERT ON sessions \
            BEGIN SELECT length(hex(randomblob(4000000))); END",
    ] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
}

/// In SQLite's own order, some of them would wait until they give up.
#[tokio::test]
async fn writers_of_one_process_do_not_starve_each_other() {
    for parameters in ["?deadline=8000", "?deadline=8000&connections=1"] {
        let folder = tempfile::tempdir().unwrap();
        slow(&folder).await;
        let store = SqlStore::open(&url(&folder, parameters)).unwrap();
        store.set("id", &ann()).await.unwrap();
        let (end, mut tasks) = (Instant::now() + Duration::from_secs(8), Vec::new());
        for writer in 0..WRITERS {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let mut written = 0;
                while Instant::now() < end {
                    store.set(&format!("{writer}-{written}"), &ann()).await.unwrap();
                    written += 1;
                }
                written
            }));
        }
        let mut written = Vec::new();
        for task in tasks {
            written.push(task.await.unwrap());
        }
        let (least, most) = (*written.iter().min().unwrap(), *written.iter().max().unwrap());
        assert!(most - least <= 2, "{parameters}: {written:?}");
    }
}

/// A process can open a file several times, for example for the layer and for a task that prunes.
#[tokio::test]
async fn the_stores_of_one_file_share_its_line() {
    let folder = tempfile::tempdir().unwrap();
    slow(&folder).await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("sessions.db"));
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    let stores = [
        SqlStore::open(&url(&folder, "?deadline=8000")).unwrap(),
        SqlStore::open(&url(&folder, "?deadline=8000&connections=1")).unwrap(),
        SqlStore::with_sqlite_pool(pool, SqlOptions::default()).unwrap(),
    ];
    let (end, mut tasks) = (Instant::now() + Duration::from_secs(8), Vec::new());
    for writer in 0..WRITERS {
        let store = stores[writer as usize % stores.len()].clone();
        tasks.push(tokio::spawn(async move {
            let mut written = 0;
            while Instant::now() < end {
                store.set(&format!("{writer}-{written}"), &ann()).await.unwrap();
                written += 1;
            }
            written
        }));
    }
    let mut written = Vec::new();
    for task in tasks {
        written.push(task.await.unwrap());
    }
    let (least, most) = (*written.iter().min().unwrap(), *written.iter().max().unwrap());
    assert!(most - least <= 2, "{written:?}");
}

/// The thread of SQLite goes on with what it was sent, and a later write must not be undone by that.
#[tokio::test]
async fn a_write_that_was_dropped_comes_before_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    store.set("id", &ann()).await.unwrap();
    let mut beside = beside(&folder).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut beside).await.unwrap();
    let [first, second, third] = [1, 2, 3].map(|number| with("number", number));
    let dropped = tokio::time::timeout(Duration::from_millis(500), store.set("id", &first)).await;
    assert!(dropped.is_err(), "{dropped:?}");
    let mut next = Box::pin(store.set("id", &second));
    // Longer than the silence after which nobody waits for a writer.
    let early = tokio::time::timeout(Duration::from_millis(1_000), &mut next).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(store.get("id").await.unwrap(), Some(ann()), "readers do not wait");
    // SQLite itself looks for a free lock most often on behalf of whoever came last.
    let mut last = Box::pin(store.set("id", &third));
    assert!(tokio::time::timeout(Duration::from_millis(2), &mut last).await.is_err());
    sqlx::query("ROLLBACK").execute(&mut beside).await.unwrap();
    let (next, last) = tokio::join!(next, last);
    next.unwrap();
    last.unwrap();
    // What is left of the first write would be done by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(store.get("id").await.unwrap(), Some(third));
}

/// As the calls in a stream while the body of its loop waits for another call.
#[tokio::test]
async fn a_write_that_nobody_polls_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&folder, "?deadline=60000")).unwrap();
    store.set("id", &ann()).await.unwrap();
    let session = ann();
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(store.set("id", &session))).collect();
    for call in &mut calls {
        // The thread of SQLite can be quick.
        drop(poll!(call));
    }
    let other = tokio::time::timeout(Duration::from_secs(20), store.set("other", &session)).await;
    other.unwrap().unwrap();
}

/// A call that has waited for its turn gives up in time, and has written nothing.
#[tokio::test]
async fn a_writer_that_has_waited_for_its_turn_gives_up_before_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&folder, "?deadline=4000")).unwrap();
    store.set("id", &ann()).await.unwrap();
    let mut beside = beside(&folder).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut beside).await.unwrap();
    let session = ann();
    let touched = async { store.get_and_touch("id", None).await.map(drop) };
    let pruned = async { store.remove_expired().await.map(drop) };
    let calls = (store.set("a", &session), store.set("b", &session), touched, pruned);
    let (a, b, touched, pruned) = tokio::join!(calls.0, calls.1, calls.2, calls.3);
    for (number, outcome) in [a, b, touched, pruned].into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{number}: {error}");
        // The others have so little time left that a busy machine may not tell them in time.
        assert!(number > 1 || !error.outcome_unknown(), "{number}: {error}");
    }
    sqlx::query("ROLLBACK").execute(&mut beside).await.unwrap();
    store.set("c", &session).await.unwrap();
    let ids = store.ids().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(ids, ["c", "id"], "nothing else was written");
}
