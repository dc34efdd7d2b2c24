//! Clients that meet: locks, deadlocks, and what is left at the server of a call that gave up.

use cloakroom_core::{Atomic, Created, Store, Touched};

use super::*;

/// Waits until the server counts so many. By itself, it ends a wait for a lock after 50 seconds only.
///
/// What it tells of transactions is as old as it likes if it was asked in the last tenth of a second, and another test asks
/// as well.
async fn wait_for(beside: &mut MySqlConnection, sql: &str, wanted: i64) {
    let since = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *beside).await.unwrap() != wanted {
        assert!(since.elapsed() < Duration::from_secs(40), "not {wanted}: {sql}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// One whose user is known to nobody else, so that its connections can be told.
async fn user(name: &str, beside: &mut MySqlConnection) -> String {
    run(beside, &format!("CREATE USER {name}; GRANT ALL ON test.* TO {name}")).await;
    SERVER.url().replace("root@", &format!("{name}@"))
}

fn waits_of(user: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.user = '{user}' AND t.trx_state = 'LOCK WAIT'"
    )
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_call_that_waits_for_a_lock_leaves_nothing_behind() {
    let (name, mut beside) = table(&SERVER).await;
    let url = user(&name, &mut beside).await;
    let options = SqlOptions::default().with_deadline(Duration::from_secs(2));
    let store =
        SqlStore::open_with(&format!("{url}?table={name}&createTable=true"), options).unwrap();
    store.set("id", &ann()).await.unwrap();
    run(&mut beside, &format!("BEGIN; SELECT * FROM {name} FOR UPDATE")).await;
    // The server gives up first, so the outcome is known; on a slow machine, the deadline can be earlier.
    let error = store.set("id", &with("user", "bob")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    // Nothing goes on waiting, to write after all once the lock is released.
    let (_, mut watching) = table(&SERVER).await;
    wait_for(&mut watching, &waits_of(&name), 0).await;
    run(&mut beside, "COMMIT").await;
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_statement_that_a_deadlock_has_ended_is_sent_again() {
    let (name, mut beside) = table(&SERVER).await;
    let url = user(&name, &mut beside).await;
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store =
        SqlStore::open_with(&format!("{url}?table={name}&createTable=true"), options).unwrap();
    for id in ["a", "b"] {
        store.set(id, &ann()).await.unwrap();
    }
    run(&mut beside, &format!("UPDATE {name} SET expires = 1")).await;
    run(&mut beside, &format!("CREATE TABLE {name}_heavy (n int)")).await;
    // The server ends the transaction that has written less, which is not this one.
    let rows = vec!["(1)"; 200].join(",");
    let begin = format!(
        "BEGIN; INSERT INTO {name}_heavy VALUES {rows}; SELECT * FROM {name} WHERE session_id = 'b' FOR UPDATE"
    );
    run(&mut beside, &begin).await;
    let pruning = tokio::spawn({
        let store = store.clone();
        async move { store.remove_expired().await }
    });
    // It holds the row a, and waits for b.
    let (_, mut watching) = table(&SERVER).await;
    wait_for(&mut watching, &waits_of(&name), 1).await;
    run(&mut beside, &format!("UPDATE {name} SET data = '{{}}' WHERE session_id = 'a'; COMMIT"))
        .await;
    assert_eq!(pruning.await.unwrap().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn several_processes_create_the_table_and_one_session_at_once() {
    for _ in 0..3 {
        let (name, _) = table(&SERVER).await;
        let parameters = format!("table={name}&createTable=true&connections=1");
        let stores = (0..8).map(|_| open(&SERVER, &parameters));
        let calls: Vec<_> = stores
            .map(|store| tokio::spawn(async move { store.create("id", &ann()).await }))
            .collect();
        let mut created = 0;
        for call in calls {
            created += u32::from(call.await.unwrap().unwrap() != Created::Exists);
        }
        assert_eq!(created, 1);
    }
}

/// MySQL counts the rows that have changed, unless its client asks for those that were found.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_touch_that_changes_nothing_finds_the_session() {
    let (name, mut beside) = table(&SERVER).await;
    let clock = cloakroom_core::Clock::fixed(4_102_444_800_500);
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60)).with_clock(clock);
    let url = format!("{}?table={name}&createTable=true", SERVER.url());
    let store = SqlStore::open_with(&url, options).unwrap();
    for _ in 0..2 {
        store.set("id", &ann()).await.unwrap();
        assert_eq!(store.touch("id", &ann()).await.unwrap(), Touched::Extended);
        assert!(store.get_and_touch("id", None).await.unwrap().is_some());
    }
    // A row that ended is replaced by one that has the same text.
    run(&mut beside, &format!("UPDATE {name} SET expires = 1")).await;
    assert!(matches!(store.create("id", &ann()).await.unwrap(), Created::Stored(_)));
    assert_eq!(store.create("id", &ann()).await.unwrap(), Created::Exists);
}

/// A server that has become a replica refuses writes on the connections that it has, and its successor takes others.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_connection_to_a_server_that_only_reads_is_closed() {
    let server = MariaDb::start().unwrap();
    let mut beside = MySqlConnection::connect(&server.url()).await.unwrap();
    run(&mut beside, "CREATE USER app; GRANT ALL ON test.* TO app").await;
    let url = server.url().replace("root@", "app@");
    let store = SqlStore::open(&format!("{url}?createTable=true")).unwrap();
    store.set("id", &ann()).await.unwrap();
    run(&mut beside, "SET GLOBAL read_only = 1").await;
    let error = refused(store.set("id", &ann()).await, ErrorKind::Unavailable);
    assert!(error.contains("only reads"), "{error}");
    let connections = "SELECT count(*) FROM information_schema.processlist WHERE user = 'app'";
    wait_for(&mut beside, connections, 0).await;
    run(&mut beside, "SET GLOBAL read_only = 0").await;
    store.set("id", &ann()).await.unwrap();
    // One that the administrator ends is made anew.
    let kill = "SELECT CAST(id AS signed) FROM information_schema.processlist WHERE user = 'app'";
    let id: i64 = sqlx::query_scalar(kill).fetch_one(&mut beside).await.unwrap();
    run(&mut beside, &format!("KILL {id}")).await;
    wait_for(&mut beside, connections, 0).await;
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
    // What users are told of a wrong login.
    let error = refused(
        SqlStore::open(&url.replace("app@", "bob:hush@")).unwrap().get("id").await,
        ErrorKind::Config,
    );
    assert!(error.contains("password") && !error.contains("hush"), "{error}");
}

/// A host can set the limit of the server, 8 hours by default, to some seconds.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_write_is_not_lost_on_a_connection_that_was_idle_for_too_long() {
    let server = MariaDb::start_with(&["--wait-timeout=1"]).unwrap();
    let store = open(&server, "createTable=true");
    for number in 0..2 {
        store.set("id", &ann()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        store.set(&format!("id-{number}"), &ann()).await.unwrap();
    }
}
