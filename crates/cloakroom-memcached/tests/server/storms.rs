//! Many tasks on a server that refuses them all.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::{MemcachedStore, memcache::exp::AsyncMetaClient};
use cloakroom_test_support::{Memcached, Proxy, Wait};

use crate::{
    fake::{Fake, Then},
    large, listing, options, session,
};

const TASKS: usize = 40;

/// Has all tasks call for a second. Returns how many calls failed, and how long it took.
async fn storm(store: &MemcachedStore, operation: &'static str) -> (usize, Duration) {
    let since = Instant::now();
    let tasks = (0..TASKS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut failed = 0;
            while since.elapsed() < Duration::from_secs(1) {
                let outcome = match operation {
                    "get" => store.get("a").await.map(drop),
                    "set" => store.set("a", &session()).await,
                    "set, large" => store.set("a", &large(5_000)).await,
                    "length" => listing(&store).length().await.map(drop),
                    _ => store.flush_servers().await,
                };
                if let Err(error) = outcome {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    failed += 1;
                }
            }
            failed
        })
    });
    let mut failed = 0;
    for task in tasks.collect::<Vec<_>>() {
        failed += task.await.unwrap();
    }
    (failed, since.elapsed())
}

/// The first few follow each other, then there is one every 50 ms or more.
fn check(what: &str, connections: usize, time: Duration) {
    let most = 10 + time.as_millis() as usize / 50;
    assert!(connections <= most, "{what}: {connections} connections in {time:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_hangs_up_is_not_stormed_and_is_back_when_it_is() {
    for operation in ["get", "set", "set, large", "length", "flush"] {
        let server = Memcached::start().unwrap();
        let proxy = Proxy::start(&server.addr()).unwrap();
        let store = MemcachedStore::open(&format!("memcached://{}", proxy.addr())).unwrap();
        for established in [false, true] {
            proxy.cut();
            let before = proxy.connections();
            let (failed, time) = storm(&store, operation).await;
            check(&format!("{operation}, {established}"), proxy.connections() - before, time);
            assert!(failed >= TASKS, "{failed}");
            proxy.pass();
            let (since, wait) = (Instant::now(), Wait::until("the store works again"));
            while store.get("a").await.is_err() {
                wait.check();
            }
            assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
            for outcome in futures::future::join_all((0..TASKS).map(|_| store.get("a"))).await {
                outcome.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nonsense_is_not_stormed() {
    for (what, then) in [
        ("hangs up", None),
        ("no line", Some("no end of this")),
        ("HTTP", Some("HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("no room", Some("ERROR Too many open connections\r\n")),
        ("an answer to another command", Some("MN\r\n")),
        ("a cut value", Some("VA 2 f2 c7\r\n{}..")),
    ] {
        let fake = Fake::start(move |_, _| then.map_or(Then::Close, Then::Answer));
        let store = MemcachedStore::open(&fake.url).unwrap();
        let (failed, time) = storm(&store, "get").await;
        check(what, fake.connections(), time);
        assert!(failed >= TASKS, "{what}: {failed}");
    }
}

/// Each second command ends its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_now_and_then_is_not_stormed_either() {
    let commands = AtomicUsize::new(0);
    let fake = Fake::start(move |_, _| match commands.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Then::Close,
        _ => Then::Answer("EN\r\n"),
    });
    let store = MemcachedStore::open(&fake.url).unwrap();
    let (_, time) = storm(&store, "get").await;
    // A loss, and the connection that makes up for it.
    check("now and then", fake.connections() / 2, time);
}

#[tokio::test]
async fn after_nonsense_the_first_good_answer_counts() {
    for nonsense in
        ["no end of this", "\r\n", "HDx", "VA", "VA x\r\n", "VA 3 f2\r\nabcde", "SERVER_ERRORS"]
    {
        let good = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&good);
        let fake = Fake::start(move |_, _| match told.load(Ordering::SeqCst) {
            true => Then::Answer("EN\r\n"),
            false if nonsense == "VA" => Then::Answer("VA\r\n"),
            false => Then::Answer(nonsense),
        });
        let options = options(|options| options.deadline = Duration::from_secs(60));
        let store = MemcachedStore::open_with(&fake.url, options).unwrap();
        let since = Instant::now();
        for _ in 0..3 {
            let error = store.get("a").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{nonsense:?}: {error}");
        }
        good.store(true, Ordering::SeqCst);
        assert_eq!(store.get("a").await.unwrap(), None);
        assert!(since.elapsed() < Duration::from_secs(30), "{nonsense:?}: {:?}", since.elapsed());
    }
}

/// The first answers announce more than there is.
#[tokio::test]
async fn an_answer_that_stands_still_does_not_last_to_the_deadline() {
    for cut in ["H", "VA 9000 f2 c7\r\n{\"cookie\":{}}\r\n", "SERVER_ERROR half a li"] {
        let fake = Fake::start(move |connection, _| match connection {
            0 => Then::Answer(cut),
            _ => Then::Answer("EN\r\n"),
        });
        let options = options(|options| {
            (options.deadline, options.timeout) =
                (Duration::from_secs(60), Duration::from_millis(500));
        });
        let store = MemcachedStore::open_with(&fake.url, options).unwrap();
        let since = Instant::now();
        assert_eq!(store.get("a").await.unwrap(), None, "{cut:?}");
        assert!(since.elapsed() < Duration::from_secs(30), "{cut:?}: {:?}", since.elapsed());
        assert_eq!(fake.commands(), ["mg", "mg"]);
    }
}

#[tokio::test]
async fn an_answer_without_the_value_logs_nobody_out() {
    let fake = Fake::start(|_, _| Then::Answer("HD\r\n"));
    let store = MemcachedStore::open(&fake.url).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_servers_limit_is_asked_once_by_all_who_need_it() {
    let server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = MemcachedStore::open(&format!("memcached://{}", proxy.addr())).unwrap();
    store.ping().await.unwrap();
    let tasks = (0..TASKS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.set(&number.to_string(), &large(5_000)).await.unwrap() })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(proxy.connections() <= TASKS + 1, "{}", proxy.connections());
}

/// All of them are in progress when the server closes their connections, and it is back at once.
#[tokio::test(flavor = "multi_thread")]
async fn reads_that_are_cut_all_at_once_are_repeated() {
    for lent in [false, true] {
        let (cut, commands) = (Barrier::new(TASKS), AtomicUsize::new(0));
        let fake = Fake::start(move |_, _| match commands.fetch_add(1, Ordering::SeqCst) {
            number if (1..=TASKS).contains(&number) => {
                cut.wait();
                Then::Close
            }
            _ => Then::Answer("EN\r\n"),
        });
        let options = options(|options| {
            (options.deadline, options.timeout) =
                (Duration::from_secs(60), Duration::from_secs(60));
        });
        let store = if lent {
            let addr = fake.url.strip_prefix("memcached://").unwrap();
            let client = AsyncMetaClient::builder().io_timeout(None).connect_async(addr).await;
            MemcachedStore::with_client(client.unwrap(), options).unwrap()
        } else {
            MemcachedStore::open_with(&fake.url, options).unwrap()
        };
        store.get("a").await.unwrap();
        for outcome in futures::future::join_all((0..TASKS).map(|_| store.get("a"))).await {
            assert_eq!(outcome.unwrap(), None, "lent: {lent}");
        }
    }
}
