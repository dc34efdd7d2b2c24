//! The ways to a server.

use std::{error::Error as _, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, free_port};
use futures::TryStreamExt;

use crate::{
    Bench, Monitor, atomic,
    fake::{Fake, HELLO, Then},
    listing, session,
};

/// Does everything once.
pub(crate) async fn check(url: &str) {
    let store = RedisStore::open(url).unwrap();
    store.ping().await.unwrap();
    store.set("a", &session()).await.unwrap();
    let read = atomic(&store).get_and_touch("a", None).await.unwrap().unwrap();
    atomic(&store).update("a", &read).await.unwrap();
    atomic(&store).create("b", &session()).await.unwrap();
    store.touch("a", &session()).await.unwrap();
    assert_eq!(listing(&store).all().try_collect::<Vec<_>>().await.unwrap().len(), 2);
    store.destroy("a").await.unwrap();
    listing(&store).clear().await.unwrap();
    assert_eq!(listing(&store).length().await.unwrap(), 0);
}

pub(crate) async fn failure(url: &str) -> Error {
    RedisStore::open(url).unwrap().ping().await.unwrap_err()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_unix_socket() {
    let server = RedisServer::start().unwrap();
    let path = server.unix_socket().to_str().unwrap().to_owned();
    check(&format!("unix://{path}?db=3")).await;
    check(&format!("redis+unix://{path}")).await;
    let error = failure(&format!("unix://{path}.missing")).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_database_of_its_own() {
    let bench = Bench::start();
    check(&format!("{}/7", bench.server.url())).await;
    let store = RedisStore::open(&format!("{}/7", bench.server.url())).unwrap();
    store.set("a", &session()).await.unwrap();
    assert_eq!(bench.value("sess:a"), None);
    assert_eq!(bench.store.get("a").await.unwrap(), None);

    let error = failure(&format!("{}/99", bench.server.url())).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("database 99"), "{error}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_password_with_and_without_a_user() {
    let server = RedisServer::start_with(&[
        "--requirepass",
        "p@ss/w:rd",
        "--user",
        "ann",
        "on",
        ">other",
        "~*",
        "+@all",
    ])
    .unwrap();
    let at = server.addr();
    check(&format!("redis://:p%40ss%2Fw%3Ard@{at}")).await;
    check(&format!("redis://default:p%40ss%2Fw%3Ard@{at}/1?protocol=resp2")).await;
    check(&format!("redis://ann:other@{at}")).await;
    let path = server.unix_socket().to_str().unwrap().to_owned();
    check(&format!("unix://{path}?user=ann&password=other")).await;

    for login in ["", ":wrong-secret@", "ann:wrong-secret@", "nobody:wrong-secret@"] {
        for protocol in ["resp2", "resp3"] {
            let error = failure(&format!("redis://{login}{at}?protocol={protocol}")).await;
            assert_eq!(error.kind(), ErrorKind::Config, "{login}: {error}");
            let text = format!("{error} {error:?} {:?}", error.source());
            assert!(!text.contains("wrong-secret"), "{text}");
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_refused_login_is_tried_again() {
    let server = RedisServer::start_with(&["--requirepass", "old"]).unwrap();
    let url = |password: &str| format!("redis://:{password}@{}", server.addr());
    let store = RedisStore::open(&url("new")).unwrap();
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Config);
    let mut client = redis::Client::open(url("old")).unwrap().get_connection().unwrap();
    let mut repair = redis::cmd("CONFIG");
    repair.arg("SET").arg("requirepass").arg("new").exec(&mut client).unwrap();
    store.ping().await.unwrap();
}

/// What the README lists as needed.
const PERMISSIONS: &str =
    "+get +set +del +exists +expire +getex +evalsha +eval +scan +mget +pttl +unlink +ping +select";

const PERMISSIONS_FOR_LISTS: &str =
    "~users-of:* +time +zadd +zscore +zrem +zremrangebyscore +zscan +persist +pexpire";

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_with_few_permissions() {
    let mut options = vec!["--user", "web", "on", ">pw", "~sess:*"];
    options.extend(PERMISSIONS.split(' '));
    let server = RedisServer::start_with(&options).unwrap();
    check(&format!("redis://web:pw@{}", server.addr())).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut more = redis::cmd("ACL");
    more.arg("SETUSER").arg("web").arg(PERMISSIONS_FOR_LISTS.split(' ').collect::<Vec<_>>());
    more.exec(&mut client.get_connection().unwrap()).unwrap();
    let url = format!("redis://web:pw@{}?userPath=passport.user", server.addr());
    check(&url).await;
    let store = RedisStore::open(&url).unwrap();
    let text = r#"{"cookie":{"originalMaxAge":60000},"passport":{"user":"ann"}}"#;
    store.set("a", &SessionData::from_json(text).unwrap()).await.unwrap();
    store.atomic().unwrap().get_and_touch("a", None).await.unwrap().unwrap();
    let find_by = store.enumerate().unwrap().find_by().unwrap();
    find_by.create_index("passport.user").await.unwrap();
    let known = find_by.find_known("passport.user", "\"ann\"").await.unwrap().unwrap();
    assert_eq!(known.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let store =
        RedisStore::open(&format!("redis://web:pw@{}?prefix=other:", server.addr())).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn resp3_is_spoken_where_it_is_known() {
    let bench = Bench::start();
    for (query, hello) in [("", 1), ("?protocol=resp3", 1), ("?protocol=resp2", 0)] {
        let mut monitor = Monitor::start(&bench.server);
        check(&format!("{}{query}", bench.server.url())).await;
        let commands = monitor.commands();
        assert_eq!(
            commands.iter().filter(|command| command.starts_with("\"HELLO\" \"3\"")).count(),
            hello
        );
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_without_resp3_is_spoken_to_in_resp2() {
    let server =
        RedisServer::start_with(&["--rename-command", "HELLO", "", "--requirepass", "secret"])
            .unwrap();
    check(&format!("redis://:secret@{}/1", server.addr())).await;
    let error = failure(&format!("redis://:secret@{}?protocol=resp3", server.addr())).await;
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn old_servers_say_it_in_other_words() {
    for refusal in [
        "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
        "-ERR unknown command 'HELLO'\r\n",
        "-NOPROTO unsupported protocol version\r\n",
    ] {
        let fake = Fake::start(move |_, words| match &*words[0] {
            "HELLO" => Then::Answer(refusal),
            _ => Then::Answer("+PONG\r\n"),
        });
        RedisStore::open(&fake.url).unwrap().ping().await.unwrap();
        assert_eq!(fake.commands(), ["HELLO", "INFO", "PING"]);
    }
}

#[tokio::test]
async fn a_service_starts_while_the_server_is_down() {
    let store = RedisStore::open(&format!("redis://127.0.0.1:{}", free_port())).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().starts_with("redis: get: cannot connect to 127.0.0.1:"), "{error}");
    assert!(error.source().unwrap().to_string().contains("refused"), "{error:?}");
    assert!(!error.outcome_unknown());
    let error = store.set("a", &session()).await.unwrap_err();
    assert!(!error.outcome_unknown(), "nothing was sent");
    let error = failure("redis://no-such-host.invalid").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let store = RedisStore::open("redis://127.0.0.1:1").unwrap();
    let error = futures::executor::block_on(store.get("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[test]
fn a_store_outlives_the_runtime_that_it_began_on() {
    let fake =
        Fake::start(|_, words| Then::Answer(if words[0] == "HELLO" { HELLO } else { "+PONG\r\n" }));
    let store = RedisStore::open(&fake.url).unwrap();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.ping()).unwrap();
        runtime.block_on(store.ping()).unwrap();
    }
    assert_eq!(fake.commands().len(), 3 + 6);
}

#[test]
fn an_attempt_that_ended_with_its_runtime_is_made_again() {
    let fake = Fake::start(|connection, words| match &*words[0] {
        "HELLO" if connection == 0 => Then::Silence,
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Answer("+PONG\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime().block_on(async {
        let call = tokio::spawn({
            let store = store.clone();
            async move { store.ping().await }
        });
        while fake.commands().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        call.abort();
    });
    runtime().block_on(store.ping()).unwrap();
    assert_eq!(fake.commands(), ["HELLO", "HELLO", "PING"]);
}

#[tokio::test]
async fn a_connection_is_closed_with_its_last_store() {
    let fake =
        Fake::start(|_, words| Then::Answer(if words[0] == "HELLO" { HELLO } else { "$-1\r\n" }));
    let store = RedisStore::open(&fake.url).unwrap();
    store.clone().get("a").await.unwrap();
    store.get("a").await.unwrap();
    assert_eq!(fake.commands(), ["HELLO", "GET", "GET"]);
    assert_eq!(fake.open(), 1);
    drop(store);
    for _ in 0..100 {
        if fake.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("still open");
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn tls_with_an_authority_of_ones_own() {
        let server = RedisServer::start_tls().unwrap();
        let ca = server.ca_certificate().unwrap().to_str().unwrap().to_owned();
        check(&format!("{}?caFile={ca}", server.url())).await;
        check(&format!("rediss://localhost:{}/2?caFile={ca}", server.port())).await;
    }

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn an_unknown_authority_and_a_wrong_name_are_refused() {
        let server = RedisServer::start_tls().unwrap();
        let ca = server.ca_certificate().unwrap().to_str().unwrap().to_owned();
        let other = RedisServer::start_tls().unwrap().ca_certificate().unwrap();
        let socket = format!("unix://{}", server.unix_socket().display());
        let mut client = redis::Client::open(socket).unwrap().get_connection().unwrap();
        let mut bind = redis::cmd("CONFIG");
        bind.arg("SET").arg("bind").arg("127.0.0.1 127.0.0.2").exec(&mut client).unwrap();
        for url in [server.url(), format!("rediss://127.0.0.2:{}?caFile={ca}", server.port())] {
            let error = failure(&url).await;
            assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error:?}");
            assert!(error.source().unwrap().to_string().contains("certificate"), "{error:?}");
        }
        let error =
            RedisStore::open(&format!("{}?caFile={}", server.url(), other.display())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "the file is gone with its server");
    }
}
