//! What holds whatever the order of the steps of several threads.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod memory;
mod shared;
mod turn;

/// How many orders are tried at random, and how many with few changes of the thread.
const ORDERS: usize = 2_000;

/// Runs the test in many orders. If nobody can go on, it fails: a wake-up was lost.
fn in_any_order(test: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(test, ORDERS);
    shuttle::check_pct(test, ORDERS, 3);
}
