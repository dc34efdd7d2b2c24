//! The layer, the handle and the store each have a limit, but a request sets one timer for all three.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use cloakroom::{
    ErrorKind, ExpressSession, ExpressSessionOptions, Secrets, Store,
    memcached::{MemcachedOptions, MemcachedStore},
    redis::{RedisOptions, RedisStore},
    tower::{RequestHead, SessionOptions},
};
use cloakroom_test_support::{Memcached, RedisServer};
use tokio::time::{Instant, sleep, sleep_until};

/// The limit of each of the three.
const LIMIT: Duration = Duration::from_secs(5);

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request that reads, of which the server says nothing: its task is woken once by each timer.
#[allow(
    clippy::future_not_send,
    reason = "the test polls the request by hand, with a waker that counts"
)]
async fn has_one_timer(store: impl Store + 'static, freeze: impl FnOnce()) {
    let name = store.name().to_owned();
    let options = ExpressSessionOptions::default().with_deadline(LIMIT);
    let handle = ExpressSession::with_options(store, options);
    let mut options = SessionOptions::new();
    options.failure.deadline = LIMIT;
    let engine = options.engine(handle, Secrets::new(["keyboard cat"]).unwrap()).unwrap();
    let mut request = http::Request::new(());
    let session = engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
    session.insert("n", 1).unwrap();
    let cookie = engine.commit(&session).await.unwrap().unwrap();
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    engine.load(RequestHead::from(&request)).await.unwrap().unwrap();

    freeze();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut load = pin!(engine.load(RequestHead::from(&request)));
    assert!(load.as_mut().poll(&mut context).is_pending());
    let polled = Instant::now();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    // The timers of the request fire before this one, however slow the machine is.
    sleep_until(polled + LIMIT).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "{name}");
    let Poll::Ready(answer) = load.poll(&mut context) else { panic!("it has no end") };
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), format!("{name}: get_and_touch: no answer within 5s"));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_request_to_redis_has_one_timer() {
    let mut server = RedisServer::start().unwrap();
    let options = RedisOptions::default().with_deadline(LIMIT);
    let store = RedisStore::open_with(&server.url(), options).unwrap();
    has_one_timer(store, || server.pause().unwrap()).await;
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_request_to_memcached_has_one_timer() {
    let mut server = Memcached::start().unwrap();
    let options = MemcachedOptions::default().with_deadline(LIMIT);
    let store = MemcachedStore::open_with(&server.url(), options).unwrap();
    has_one_timer(store, || server.pause().unwrap()).await;
}
