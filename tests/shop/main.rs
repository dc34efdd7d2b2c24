//! A shop with Passport logins, messages, forms with tokens and visitors who are remembered, of which Express answers one
//! request and Rust the next: nobody can tell which.
//!
//! Express's side is `tests/node/passport_shop.mjs`, made of the packages that such apps use; Rust's is `rust.rs`, made
//! of cloakroom-express, with `logins.rs`. A visit is random, and after each step both sides have to show what the
//! visitor expects, which knows nothing of sides.
//!
//! ```text
//! SEED=17 cargo xtask test -p cloakroom-tests --test shop
//! SEED=1000 VISITS=500 cargo xtask test -p cloakroom-tests --test shop
//! ```

#![allow(clippy::print_stdout, reason = "a test tells what it has seen")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod browser;
mod guard;
mod logins;
mod middlewares;
mod model;
mod rust;
mod visits;

use std::env;

use cloakroom_test_support::{Memcached, Mongod, RedisServer};

use crate::{
    model::visit,
    visits::{Seen, Shop, Variant},
};

const VARIANTS: [Variant; 5] = [
    Variant { passport: "0.5", keep: false },
    Variant { passport: "0.6", keep: false },
    Variant { passport: "0.6", keep: true },
    Variant { passport: "0.7", keep: false },
    Variant { passport: "0.7", keep: true },
];

/// How many visits each variant has.
const VISITS: u64 = 20;

/// What a visit is about. Each has to be seen, or else the visits go past it.
const SEEN: [&str; 9] = [
    "a forged token refused",
    "a logout",
    "a logout of a visitor who was remembered",
    "a message of the other side",
    "a stale token refused",
    "a token of the other side",
    "an old cookie worth nothing",
    "remembered by the other side",
    "remembered by the same side",
];

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}

/// The first visit of these seeds that is not as its visitor expects.
fn first_surprise(shop: &Shop, seeds: std::ops::Range<u64>, seen: &mut Seen) -> Option<String> {
    seeds.into_iter().find_map(|seed| {
        let steps = visit(seed);
        let what = shop.play(&steps, seen).err()?;
        let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
        Some(format!("seed {seed}:\n{}\n{what}", steps.join("\n")))
    })
}

async fn take_turns(store: &str, url: &str) {
    let seed = number("SEED");
    let visits = number("VISITS").unwrap_or(if seed.is_some() { 1 } else { VISITS });
    let mut seen = Seen::new();
    for (number, variant) in (0..).zip(VARIANTS) {
        // Each variant has visits of its own; a seed that is asked for is played to all.
        let first = seed.unwrap_or(number * VISITS);
        let shop = Shop::open(store, url, variant, variant.keeps()).await;
        if let Some(what) = first_surprise(&shop, first..first + visits, &mut seen) {
            panic!("{store} with {variant:?}, {what}\n{}", shop.node.log());
        }
    }
    println!("{visits} visits of each shop: {seen:?}");
    if visits >= VISITS {
        for what in SEEN {
            assert!(seen.get(what).is_some_and(|times| *times >= 5), "{what}: {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn express_and_rust_take_turns_on_redis() {
    let server = RedisServer::start().unwrap();
    take_turns("redis-10", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mongod and the npm packages"]
async fn express_and_rust_take_turns_on_mongodb() {
    let server = Mongod::start().unwrap();
    take_turns("mongo-6", &format!("{}/shop", server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs memcached and the npm packages"]
async fn express_and_rust_take_turns_on_memcached() {
    let server = Memcached::start().unwrap();
    take_turns("memcached-3", &format!("memcached://{}", server.addr())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server and the npm packages"]
async fn a_side_that_keeps_what_the_other_drops_is_found() {
    let server = RedisServer::start().unwrap();
    for variant in VARIANTS {
        let shop = Shop::open("redis-10", &server.url(), variant, !variant.keeps()).await;
        let found = first_surprise(&shop, 0..VISITS, &mut Seen::new());
        assert!(found.is_some(), "{variant:?}");
    }
}
