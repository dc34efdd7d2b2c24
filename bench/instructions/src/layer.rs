//! The layer over the memory store: a whole request, without a network.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    task::{Context, Poll},
    time::Duration,
};

use cloakroom_core::{Clock, MemoryOptions, MemoryStore, Secrets, SessionData, Store};
use cloakroom_tower::{Session, SessionOptions};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Operation, TIMES, documents::record, now};

const ID: &str = "qW3eRtYuIoPaSdFgHjKlZxCvBnM12345";
/// In 2027.
const NOW: i64 = 1_800_000_000_000;

pub(crate) fn operations() -> Vec<Operation> {
    let (safe, express) = (SessionOptions::new, || {
        SessionOptions::express().with_resave(false).with_save_uninitialized(false)
    });
    vec![
        ("layer, safe: read", requests(safe(), Page::Read)),
        ("layer, safe: write", requests(safe(), Page::Write)),
        ("layer, safe: anonymous", requests(safe(), Page::Anonymous)),
        ("layer, express: read", requests(express(), Page::Read)),
        ("layer, express: write", requests(express(), Page::Write)),
        ("layer, express: anonymous", requests(express(), Page::Anonymous)),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Page {
    Read,
    Write,
    /// The browser has no cookie, and the page asks for no session.
    Anonymous,
}

impl Service<Request<()>> for Page {
    type Response = Response<u32>;
    type Error = Infallible;
    type Future = Ready<Result<Response<u32>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let session = || request.extensions().get::<Session>().expect("the layer puts it there");
        let views = || session().get::<u32>("views").expect("a number").expect("it is there");
        ready(Ok(Response::new(match self {
            Self::Read => views(),
            Self::Write => {
                session().insert("views", views() + 1).expect("a number is JSON");
                views()
            }
            Self::Anonymous => 0,
        })))
    }
}

/// An operation that sends a request through the layer.
fn requests(options: SessionOptions, page: Page) -> Box<dyn FnMut(usize)> {
    // Time goes on from request to request, but by as much in each run.
    let clock = Clock::fixed(NOW);
    let store = MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
    let session = SessionData::from_json(record(500)).expect("it is a session");
    now(store.set(ID, &session)).expect("there is space");
    let options = options
        .with_cookie(|cookie| cookie.with_max_age(Duration::from_secs(3_600)))
        .with_expiry(|expiry| expiry.with_clock(clock.clone()));
    let secrets = Secrets::new(["keyboard cat"]).expect("it is a secret");
    let cookie = format!("connect.sid={}", secrets.cookie_value(ID));
    let layer = options.layer(store, secrets).expect("the options are valid");
    let mut service = layer.layer(page);
    let request = || {
        let request = Request::get("/account").header("host", "localhost");
        let request = match page {
            Page::Anonymous => request,
            _ => request.header("cookie", &cookie),
        };
        request.body(()).expect("it is a request")
    };
    // Made before, so that they are not counted. Three are for the runs that nobody counts.
    let mut requests: Vec<_> = (0..TIMES + 3).map(|_| request()).collect();
    Box::new(move |_| {
        clock.advance(10);
        let request = requests.pop().expect("there is one for each time");
        let response = now(service.call(request)).expect("it never fails");
        assert!(response.status().is_success(), "{}", response.status());
        black_box(response);
    })
}
