//! Memory in front of Redis, beside the memory store and beside Redis without it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use cloakroom::{
    MemoryStore, Secrets, SessionData, Store,
    cache::{CacheOptions, Cached},
    redis::{RedisOptions, RedisStore},
    tower::{Session, SessionOptions},
};
use cloakroom_bench::tasks::Task;
use cloakroom_test_support::RedisServer;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    backend::{Answer, Backend},
    case::{Case, Place, with_clone},
    cloakroom_store::{self, PATIENCE, let_others_run},
    redis_stores::{place, sid, start},
};

const MEMORY: &str = "MemoryStore";
const BOUNDED: &str = "Cached, bounded, on Redis";
const COHERENT: &str = "Cached, coherent, on Redis";
const PLAIN: &str = "RedisStore";

/// How many sessions there are.
const SESSIONS: usize = 10_000;

pub(crate) struct Cache(RedisServer);

impl Backend for Cache {
    const NAME: &str = "Memory in front of Redis";

    fn start() -> Self {
        Self(start())
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let (place, _) = place(&self.0, format!("{}, {size}", Self::NAME), MEMORY).await;
        // Each subject has sessions of its own: an extension by one would be announced to another.
        let open = |prefix| {
            let options = RedisOptions::default().with_prefix(prefix).with_deadline(PATIENCE);
            RedisStore::open_with(&self.0.url(), options).expect("it is a URL")
        };
        let (behind_bounded, behind_coherent) = (open("bounded:"), open("coherent:"));
        let (plain, memory) = (open("plain:"), MemoryStore::new());
        let session = SessionData::from_json(text).expect("it is a session");
        let stores: [&dyn Store; 4] = [&behind_bounded, &behind_coherent, &plain, &memory];
        for store in stores {
            for number in 0..SESSIONS {
                store.set(&sid(number), &session).await.expect("the store stores");
            }
        }
        // As the README recommends for sessions that live for hours.
        let options = CacheOptions::default().with_touch_interval(Duration::from_secs(60));
        let bounded = Cached::new(behind_bounded, options.clone());
        let coherent = Cached::coherent(behind_coherent, options).expect("Redis announces changes");
        while !coherent.stats().is_active {
            coherent.get(&sid(0)).await.expect("the store answers");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let stores: [(&'static str, Arc<dyn Store>); 4] = [
            (MEMORY, Arc::new(memory)),
            (BOUNDED, Arc::new(bounded)),
            (COHERENT, Arc::new(coherent)),
            (PLAIN, Arc::new(plain)),
        ];
        let (numbers, mut cases, mut answers) = (zipf(), Vec::new(), Vec::new());
        for (name, store) in stores {
            cases.push(cloakroom_store::get(&place, name, &store, text.len(), sid));
            cases.push(requests(&place, name, &store, &numbers));
            answers.push(cloakroom_store::answer(name, &store, sid));
        }
        (cases, answers)
    }
}

/// Numbers of sessions, of which the first ones come most often: by Zipf's law.
fn zipf() -> Arc<[usize]> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=SESSIONS)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    // Any fixed sequence does. This one is Weyl's.
    let golden = 0.618_033_988_749_894_9;
    let points = (0..1 << 17).map(|number| (f64::from(number) * golden).fract() * sum);
    points.map(|point| sums.partition_point(|sum| *sum < point).min(SESSIONS - 1)).collect()
}

/// The page that is asked for.
#[derive(Clone, Copy)]
struct Page;

impl Service<Request<()>> for Page {
    type Response = Response<u32>;
    type Error = Infallible;
    type Future = Ready<Result<Response<u32>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let session = request.extensions().get::<Session>().expect("the layer puts it there");
        let views: u32 = session.get("views").expect("it is a number").expect("it is there");
        assert_eq!(views, 1);
        ready(Ok(Response::new(views)))
    }
}

/// Requests through the layer, each of which reads a session and extends it.
fn requests(
    place: &Place,
    name: &'static str,
    store: &Arc<dyn Store>,
    numbers: &Arc<[usize]>,
) -> Case {
    let secrets = Secrets::new(["keyboard cat"]).expect("it is a secret");
    let cookies: Arc<[String]> = (0..SESSIONS)
        .map(|number| format!("connect.sid={}", secrets.cookie_value(&sid(number))))
        .collect();
    let options =
        SessionOptions::new().with_cookie(|cookie| cookie.with_max_age(Duration::from_secs(3_600)));
    let layer = options.layer(Arc::clone(store), secrets).expect("the options are valid");
    let all = (layer.layer(Page), cookies, Arc::clone(numbers));
    let run = with_clone(&all, |(mut page, cookies, numbers), mut task: Task| async move {
        // Each task begins at another place.
        let first = task.number() * 2_003;
        while let Some(number) = task.next() {
            let at = first + usize::try_from(number).expect("64 bits");
            let cookie = &cookies[numbers[at % numbers.len()]];
            let request = Request::get("/account").header("cookie", cookie);
            let request = request.body(()).expect("it is a request");
            let Ok(response) = page.call(request).await;
            assert!(response.status().is_success(), "{}", response.status());
            let_others_run(number).await;
        }
    });
    Case::new(place, name, "request, by Zipf's law", run)
}
