//! One call through an `async_trait` object, which allocates a box of its own.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use cloakroom::{Callback, Error, promisify};
use futures::{channel, future::BoxFuture};
use tokio::sync::oneshot;

use crate::{Subject, now};

const TABLE: &str = "One call that answers at once";
const WORK: &str = "through an async_trait object";
const DIRECT: &str = "an async function";

type Answer = Result<u64, Error>;

#[async_trait]
trait Call: Sync + Send {
    async fn call(&self, number: u64) -> Answer;
}

struct Direct;

#[async_trait]
impl Call for Direct {
    async fn call(&self, number: u64) -> Answer {
        Ok(black_box(number))
    }
}

struct Boxed;

#[async_trait]
impl Call for Boxed {
    async fn call(&self, number: u64) -> Answer {
        let inner: BoxFuture<'_, Answer> = Box::pin(async move { Ok(black_box(number)) });
        inner.await
    }
}

struct Tokio;

#[async_trait]
impl Call for Tokio {
    async fn call(&self, number: u64) -> Answer {
        let (tx, rx) = oneshot::channel();
        tx.send(black_box(number)).expect("the receiver is there");
        Ok(rx.await.expect("it was sent"))
    }
}

struct Futures;

#[async_trait]
impl Call for Futures {
    async fn call(&self, number: u64) -> Answer {
        let (tx, rx) = channel::oneshot::channel();
        tx.send(black_box(number)).expect("the receiver is there");
        Ok(rx.await.expect("it was sent"))
    }
}

struct Promisify;

#[async_trait]
impl Call for Promisify {
    async fn call(&self, number: u64) -> Answer {
        promisify(|callback: Callback<u64>| callback.ok(black_box(number))).await
    }
}

pub(crate) fn subjects() -> Vec<Subject> {
    let calls: [(&str, Arc<dyn Call>); 5] = [
        (DIRECT, Arc::new(Direct)),
        ("a second boxed future", Arc::new(Boxed)),
        ("tokio's oneshot channel", Arc::new(Tokio)),
        ("futures' oneshot channel", Arc::new(Futures)),
        ("cloakroom, promisify", Arc::new(Promisify)),
    ];
    let subjects = calls.into_iter().map(|(name, call)| {
        let run = move || drop(now(black_box(&call).call(7)));
        Subject { table: TABLE, work: WORK, name, base: DIRECT, run: Box::new(run) }
    });
    subjects.collect()
}
