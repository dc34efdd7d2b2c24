//! What a callback costs over a plain async call: `cargo bench -p cloakroom-compat`.
//!
//! Each row is one call through an `async_trait` object, which allocates a box of its own: `direct` returns at once,
//! `boxed` awaits a second boxed future, `oneshot` answers through `tokio::sync::oneshot`, `promisify` through our callback.
//! Inline the answer is there before the call returns; otherwise a worker thread sends it back.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports to its reader"
)]

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
};

use async_trait::async_trait;
use cloakroom_compat::{Callback, promisify};
use cloakroom_core::{Error, ErrorKind};
use criterion::{Criterion, criterion_group, criterion_main};
use futures::{executor::block_on, future::BoxFuture};
use tokio::sync::oneshot;

type Answer = Result<u64, Error>;

#[async_trait]
trait Call: Sync {
    async fn call(&self, number: u64) -> Answer;
}

fn gone<E>(_: E) -> Error {
    Error::new(ErrorKind::Unavailable, "bench", "call", "gone")
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

struct Oneshot;

#[async_trait]
impl Call for Oneshot {
    async fn call(&self, number: u64) -> Answer {
        let (tx, rx) = oneshot::channel();
        assert!(tx.send(black_box(number)).is_ok());
        rx.await.map_err(gone)
    }
}

struct Promisify;

#[async_trait]
impl Call for Promisify {
    async fn call(&self, number: u64) -> Answer {
        promisify(|callback: Callback<u64>| callback.ok(black_box(number))).await
    }
}

/// A thread that answers what it is sent.
fn worker<T: Send + 'static>(
    answer: impl Fn(u64, T) + Send + 'static,
) -> mpsc::SyncSender<(u64, T)> {
    let (tx, rx) = mpsc::sync_channel(64);
    thread::spawn(move || rx.iter().for_each(|(number, back)| answer(number, back)));
    tx
}

struct OneshotThread(mpsc::SyncSender<(u64, oneshot::Sender<u64>)>);

#[async_trait]
impl Call for OneshotThread {
    async fn call(&self, number: u64) -> Answer {
        let (tx, rx) = oneshot::channel();
        self.0.send((number, tx)).map_err(gone)?;
        rx.await.map_err(gone)
    }
}

struct PromisifyThread(mpsc::SyncSender<(u64, Callback<u64>)>);

#[async_trait]
impl Call for PromisifyThread {
    async fn call(&self, number: u64) -> Answer {
        promisify(|callback| drop(self.0.send((number, callback)))).await
    }
}

/// Inline answers are ready at the first poll, so no executor is measured.
fn once(call: &dyn Call) -> Answer {
    let mut future = pin!(call.call(7));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("an inline answer was late"),
    }
}

fn benches(c: &mut Criterion) {
    let inline: [(&str, &dyn Call); 4] =
        [("direct", &Direct), ("boxed", &Boxed), ("oneshot", &Oneshot), ("promisify", &Promisify)];
    for (name, call) in inline {
        let counted = allocation_counter::measure(|| assert!(once(call).is_ok()));
        println!("allocations inline/{name}: {}", counted.count_total);
    }
    let mut group = c.benchmark_group("inline");
    for (name, call) in inline {
        group.bench_function(name, |b| b.iter(|| once(black_box(call)).unwrap()));
    }
    group.finish();

    let mut group = c.benchmark_group("other_thread");
    let oneshot =
        OneshotThread(worker(|number, tx: oneshot::Sender<u64>| assert!(tx.send(number).is_ok())));
    group.bench_function("oneshot", |b| b.iter(|| block_on(Call::call(&oneshot, 7)).unwrap()));
    let promisify = PromisifyThread(worker(|number, callback: Callback<u64>| callback.ok(number)));
    group.bench_function("promisify", |b| b.iter(|| block_on(Call::call(&promisify, 7)).unwrap()));
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
