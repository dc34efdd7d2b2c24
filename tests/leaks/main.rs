//! What the libraries tell of secrets, ids and values: nothing, whatever happens, in errors, in `Debug` and in logs.
//!
//! Every text that they make here is printed as well, so that `cargo xtask test` looks at it once more.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics to fail, and prints what it has seen"
)]

mod told;

use std::{io::Write, sync::Arc};

use cloakroom::{
    ErrorKind, ExpressSession, MemoryStore, Secrets, SessionData, Store,
    memcached::{MemcachedOptions, MemcachedStore},
    mongodb::MongoStore,
    redis::RedisStore,
};
use cloakroom_encryption::{Counterpart, Kruptein, KrupteinOptions, WebCrypto, WebCryptoOptions};
use cloakroom_file::{FileOptions, FileStore};
use cloakroom_test_support::{Memcached, Mongod, RedisServer, hushed, unique};
use cloakroom_tower::{Session, SessionEvent, SessionOptions};
use futures::StreamExt;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

use self::told::Told;

/// Does everything that a store can do, as long as it can.
async fn use_up(store: &dyn Store, told: &Told) {
    let (sid, value) = (told.hush(unique("sid")), told.hush(hushed("value")));
    let mut session = SessionData::new();
    session.insert("user", &value).unwrap();
    told.debug(&session);
    told.outcome(store.set(&sid, &session).await);
    let read = told.outcome(store.get(&sid).await).flatten();
    told.outcome(store.touch(&sid, &session).await);
    // Nobody can store these.
    told.outcome(session.insert("save", &value));
    told.outcome(session.insert_json("user", format!("{value}:")));
    told.outcome(session.get::<u8>("user"));
    told.outcome(store.set("", &session).await);
    told.outcome(store.set(&format!("{sid} \n{}", "x".repeat(300)), &session).await);
    if let Some(atomic) = store.atomic() {
        told.outcome(atomic.create(&sid, &session).await);
        told.outcome(atomic.get_and_touch(&sid, None).await);
        told.outcome(atomic.update(&sid, &session).await);
        if let Some(mut read) = read {
            read.insert("user", [&value]).unwrap();
            told.outcome(atomic.update(&sid, &read).await);
            // It is outdated now.
            told.outcome(atomic.update(&sid, &read).await);
            told.debug(&read);
        }
    }
    if let Some(enumerate) = store.enumerate() {
        told.outcome(enumerate.length().await);
        for answer in enumerate.ids().collect::<Vec<_>>().await {
            told.outcome(answer.map(drop));
        }
        for answer in enumerate.all().collect::<Vec<_>>().await {
            told.outcome(answer.map(drop));
        }
    }
    told.outcome(store.destroy(&sid).await);
}

/// Serves requests with good and bad cookies behind the layer.
async fn serve(store: impl Store + Clone + 'static, told: &Told) {
    let (secret, sid) = (told.hush(hushed("secret")), told.hush(unique("sid")));
    let value = told.hush(hushed("value"));
    for options in
        [SessionOptions::new(), SessionOptions::express(), SessionOptions::next_session()]
    {
        let secrets = Secrets::new([&secret]).unwrap();
        told.debug(&secrets);
        let (errors, events) = (told.clone(), told.clone());
        let options = options.with_failure(|failure| {
            failure.with_on_error(move |error| errors.error(error)).with_on_event(
                move |event: &SessionEvent| events.text(&format!("{event} {event:?}")),
            )
        });
        told.debug(&options);
        let layer = options.layer(store.clone(), secrets.clone()).unwrap();
        told.debug(&layer);
        let good = format!("connect.sid={}", secrets.cookie_value(&sid));
        let forged = format!("connect.sid=s%3A{sid}.{value}; sid={sid}");
        for cookie in [good, forged, format!("x={}", value.repeat(1_000))] {
            let value = value.clone();
            let own = told.clone();
            let handler = service_fn(move |mut request: Request<()>| {
                let (value, own) = (value.clone(), own.clone());
                async move {
                    if let Some(session) = request.extensions_mut().remove::<Session>() {
                        own.outcome(session.insert("user", &value));
                        own.outcome(session.get::<u8>("user"));
                        own.outcome(session.regenerate().await);
                        own.debug(&session);
                    }
                    Ok::<_, std::convert::Infallible>(Response::new(String::new()))
                }
            });
            let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
            let reply = layer.layer(handler).oneshot(request).await;
            told.text(&format!("{:?}", reply.map(|reply| reply.status())));
        }
    }
}

/// Runs everything on a store, then breaks its server and runs it once more.
async fn hold(
    store: impl Store + Clone + std::fmt::Debug + 'static,
    told: &Told,
    stop: impl FnOnce(),
) {
    told.debug(&store);
    let handle = ExpressSession::new(store.clone());
    told.debug(&handle);
    use_up(&store, told).await;
    serve(store.clone(), told).await;
    stop();
    use_up(&store, told).await;
    serve(store, told).await;
}

#[tokio::test]
async fn stores_without_a_server_tell_nothing() {
    let told = Told::start();
    hold(MemoryStore::new(), &told, || ()).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = told.hush(hushed("ABcd12"));
    let url = format!("file://{}?secret={secret}", folder.path().display());
    let store = FileStore::open_with(&url, FileOptions::default().with_durable(false)).unwrap();
    // A folder that is gone, and a file in its place.
    let path = folder.path().to_owned();
    hold(store, &told, move || {
        std::fs::remove_dir_all(&path).unwrap();
        std::fs::write(&path, "").unwrap();
    })
    .await;
    told.check();
}

#[tokio::test]
#[ignore = "needs redis-server, memcached and mongod"]
async fn stores_with_a_server_tell_nothing() {
    let told = Told::start();
    let (password, secret) = (told.hush(hushed("password")), told.hush(hushed("ABcd12")));

    let mut redis = RedisServer::start().unwrap();
    // A server without this user refuses the login; its answer can quote the command.
    let refused = redis.url().replace("redis://", &format!("redis://ann:{password}@"));
    hold(RedisStore::open(&refused).unwrap(), &told, || ()).await;
    hold(RedisStore::open(&redis.url()).unwrap(), &told, || redis.stop()).await;

    let mut memcached = Memcached::start().unwrap();
    let kruptein = Kruptein::new(&secret, KrupteinOptions::of(Counterpart::ConnectMemcached3));
    let options = MemcachedOptions::default().with_encryption(kruptein.unwrap());
    told.debug(&options);
    let store = MemcachedStore::open_with(&memcached.url(), options).unwrap();
    hold(store, &told, || memcached.stop()).await;

    let mut mongod = Mongod::start().unwrap();
    let refused = mongod.url().replace("mongodb://", &format!("mongodb://ann:{password}@"));
    hold(MongoStore::open(&refused).unwrap(), &told, || ()).await;
    let mut options = WebCryptoOptions::default();
    options.iterations = 10;
    let of_mongo = cloakroom::mongodb::MongoOptions::default()
        .with_encryption(WebCrypto::new(&secret, options).unwrap());
    told.debug(&of_mongo);
    let store = MongoStore::open_with(&mongod.url(), of_mongo).unwrap();
    hold(store, &told, || mongod.stop()).await;
    told.check();
}

#[tokio::test]
async fn a_wrong_url_tells_nothing() {
    let told = Told::start();
    let secret = told.hush(hushed("ABcd12"));
    for scheme in ["redis", "rediss", "memcached", "mongodb", "file", "memory", "redi"] {
        for rest in [
            format!("ann:{secret}@h:70000"),
            format!("ann:{secret}/x@h"),
            format!("{secret}@"),
            format!("h?secret={secret}&ttl={secret}"),
            format!("h?{secret}"),
            format!("h/{secret}?x={secret}"),
            format!(":{secret}@h#"),
        ] {
            let opened = cloakroom::open(&format!("{scheme}://{rest}"));
            assert!(scheme != "redi" || opened.is_err());
            told.outcome(opened.map(|_| ()));
        }
    }
    let error = cloakroom::Error::new(ErrorKind::Other, "store", "get", "it failed");
    told.error(&Arc::new(error));
    told.check();
}

/// The check itself: what is told is found, in an error, in `Debug` and in a log.
#[test]
fn a_leak_is_noticed() {
    for place in 0..3 {
        let told = Told::start();
        let text = told.hush(unique("canary"));
        let error = cloakroom::Error::new(ErrorKind::Other, "store", "get", format!("no {text}"));
        match place {
            0 => told.error(&error),
            1 => told.debug(&[&text]),
            _ => Told::log().write_all(format!("TRACE {text}").as_bytes()).unwrap(),
        }
        assert_eq!(told.leaks().len(), 1, "{place}");
    }
}
