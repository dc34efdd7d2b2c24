//! A whole store that answers at once: as an async one, with callbacks, and from one to the other.

use std::{hint::black_box, rc::Rc, sync::Arc};

use async_trait::async_trait;
use cloakroom::{
    Atomic, Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, Enumerate, Error,
    SessionData, Store, Touched, callbackify_store, promisify, promisify_store,
};
use tokio::runtime::Runtime;

use crate::{Subject, now};

const TABLE: &str = "A store that answers at once";
const GET: &str = "get, as an async store";
const CALL: &str = "get, with a callback";
const ASYNC: &str = "the async store";
const CALLBACK: &str = "the callback store, promisify around its get";

/// It has no sessions.
struct Empty;

impl CallbackStore for Empty {
    fn name(&self) -> &str {
        "empty"
    }
    fn get(&self, _: &str, callback: Callback<Option<SessionData>>) {
        callback.ok(black_box(None));
    }
    fn set(&self, _: &str, _: &SessionData, callback: Callback<()>) {
        callback.ok(());
    }
    fn destroy(&self, _: &str, callback: Callback<()>) {
        callback.ok(());
    }
    fn touch(&self, _: &str, _: &SessionData, callback: Callback<Touched>) {
        callback.ok(Touched::NotOffered);
    }
    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}

/// It has no sessions either.
struct AsyncEmpty;

#[async_trait]
impl Store for AsyncEmpty {
    fn name(&self) -> &str {
        "empty"
    }
    async fn get(&self, _: &str) -> Result<Option<SessionData>, Error> {
        Ok(black_box(None))
    }
    async fn set(&self, _: &str, _: &SessionData) -> Result<(), Error> {
        Ok(())
    }
    async fn destroy(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
    async fn touch(&self, _: &str, _: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::NotOffered)
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

pub(crate) fn subjects(runtime: &Rc<Runtime>) -> Vec<Subject> {
    let get = |name, store: Arc<dyn Store>| {
        let run = move || {
            let found = now(black_box(&store).get("an id"));
            assert!(found.expect("it answers").is_none());
        };
        Subject { table: TABLE, work: GET, name, base: ASYNC, run: Box::new(run) }
    };
    let call =
        |name, run: Box<dyn Fn()>| Subject { table: TABLE, work: CALL, name, base: CALLBACK, run };
    // A store that is called back needs a runtime, so both of them are called in one.
    let (one, other) = (Rc::clone(runtime), Rc::clone(runtime));
    let back = callbackify_store(AsyncEmpty).on(runtime.handle().clone());
    vec![
        get(ASYNC, Arc::new(AsyncEmpty)),
        get("cloakroom, promisify_store", Arc::new(promisify_store(Empty))),
        call(
            CALLBACK,
            Box::new(move || {
                let found = one.block_on(promisify(|callback| Empty.get("an id", callback)));
                assert!(found.expect("it answers").is_none());
            }),
        ),
        call(
            "cloakroom, callbackify_store, promisify around its get",
            Box::new(move || {
                let found = other.block_on(promisify(|callback| back.get("an id", callback)));
                assert!(found.expect("it answers").is_none());
            }),
        ),
    ]
}
