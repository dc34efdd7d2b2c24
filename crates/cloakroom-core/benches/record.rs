//! What a record costs, beside `serde_json::Value` and a typed struct: `cargo bench -p cloakroom-core`.
//!
//! The record is a login with a cart: a user, a token, and as many cart items as fill the size. Two jobs:
//! `read` loads it and reads the user; `write` loads it, sets the number of views, and writes it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports to its reader"
)]

use std::hint::black_box;

use cloakroom_core::SessionData;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
struct Typed {
    cookie: TypedCookie,
    user: User,
    csrf: String,
    cart: Vec<Item>,
    views: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedCookie {
    original_max_age: Option<u64>,
    expires: Option<String>,
    http_only: bool,
    path: String,
}

#[derive(Serialize, Deserialize)]
struct User {
    id: u32,
    name: String,
    roles: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    title: String,
    price: f64,
    count: u32,
    options: Vec<String>,
}

/// A record of at least `size` bytes, and less than an item more.
fn record(size: usize) -> String {
    let mut record = Typed {
        cookie: TypedCookie {
            original_max_age: Some(86_400_000),
            expires: Some("2100-01-02T00:00:00.000Z".into()),
            http_only: true,
            path: "/".into(),
        },
        user: User {
            id: 4_711,
            name: "Zoë Ångström".into(),
            roles: vec!["admin".into(), "ops".into()],
        },
        csrf: "h2kM-3s_9hJ2hCVQ1V9QBBTGVfJnKfnK".into(),
        cart: Vec::new(),
        views: 41,
    };
    while serde_json::to_string(&record).unwrap().len() < size {
        let number = record.cart.len() as u32;
        record.cart.push(Item {
            sku: format!("A-{number:06}"),
            title: format!("Tea no. {number}, \"first flush\""),
            price: 4.35 + f64::from(number),
            count: number % 5,
            options: vec!["gift".into(), "250 g".into()],
        });
    }
    serde_json::to_string(&record).unwrap()
}

fn session_read(text: &str) -> u32 {
    SessionData::from_json(text).unwrap().get::<User>("user").unwrap().unwrap().id
}

fn value_read(text: &str) -> u32 {
    let value: Value = serde_json::from_str(text).unwrap();
    User::deserialize(&value["user"]).unwrap().id
}

fn typed_read(text: &str) -> u32 {
    serde_json::from_str::<Typed>(text).unwrap().user.id
}

fn session_write(text: &str) -> String {
    let mut session = SessionData::from_json(text).unwrap();
    session.insert("views", 42).unwrap();
    session.to_json().into_owned()
}

fn value_write(text: &str) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap();
    value["views"] = 42.into();
    value.to_string()
}

fn typed_write(text: &str) -> String {
    let mut typed: Typed = serde_json::from_str(text).unwrap();
    typed.views = 42;
    serde_json::to_string(&typed).unwrap()
}

type Job = (&'static str, fn(&str));

const READ: [Job; 3] = [
    ("session", |text| {
        black_box(session_read(text));
    }),
    ("value", |text| {
        black_box(value_read(text));
    }),
    ("typed", |text| {
        black_box(typed_read(text));
    }),
];

const WRITE: [Job; 3] = [
    ("session", |text| drop(black_box(session_write(text)))),
    ("value", |text| drop(black_box(value_write(text)))),
    ("typed", |text| drop(black_box(typed_write(text)))),
];

fn benches(c: &mut Criterion) {
    for (job, rows) in [("read", READ), ("write", WRITE)] {
        let mut group = c.benchmark_group(job);
        for size in [500, 4_000, 100_000] {
            let text = record(size);
            group.throughput(Throughput::Bytes(text.len() as u64));
            for (name, run) in rows {
                let counted = allocation_counter::measure(|| run(&text));
                println!("allocations {job}/{name}/{size}: {}", counted.count_total);
                group.bench_with_input(BenchmarkId::new(name, size), &text, |b, text| {
                    b.iter(|| run(text))
                });
            }
            let counted = allocation_counter::measure(|| drop(SessionData::from_json(&*text)));
            println!("allocations load/session/{size}: {}", counted.count_total);
        }
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);
