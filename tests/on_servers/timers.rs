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
    tower::{RequestHead, SessionEngine, SessionOptions},
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

/// Returns an engine on the store, and a request with a session that its server has answered once.
async fn request(
    sessions: ExpressSession,
    options: &SessionOptions,
) -> (SessionEngine, http::Request<()>) {
    let engine = options.clone().engine(sessions, Secrets::new(["keyboard cat"]).unwrap()).unwrap();
    let mut request = http::Request::new(());
    let session = engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
    session.insert("n", 1).unwrap();
    let cookie = engine.commit(&session).await.unwrap().unwrap();
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
    (engine, request)
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
    options.failure.deadline = Some(LIMIT);
    let (engine, request) = request(handle, &options).await;

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

/// Nobody sets a limit but in the URL, which is longer than the default of the layer and the handle.
async fn waits_as_long_as_the_url_says(url: &str, freeze: impl FnOnce()) {
    let sessions = cloakroom::open(url).unwrap();
    let (engine, request) = request(sessions.clone(), &SessionOptions::new()).await;
    freeze();
    let (layer, handle) =
        futures::join!(engine.load(RequestHead::from(&request)), sessions.get("id"));
    for error in [layer.unwrap_err(), handle.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().ends_with(": no answer within 6s"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_request_to_redis_waits_as_long_as_the_url_says() {
    let mut server = RedisServer::start().unwrap();
    let url = format!("{}?deadline=6000", server.url());
    waits_as_long_as_the_url_says(&url, || server.pause().unwrap()).await;
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_request_to_memcached_waits_as_long_as_the_url_says() {
    let mut server = Memcached::start().unwrap();
    let url = format!("memcached://{}?deadline=6000&timeout=6000", server.addr());
    waits_as_long_as_the_url_says(&url, || server.pause().unwrap()).await;
}
