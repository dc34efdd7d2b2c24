//! Runs some operations under callgrind, which counts the instructions of each: `cargo xtask bench instructions`.
//!
//! callgrind is told to begin at zero when [`measured`] is entered, and to write a file when it is left. This program prints
//! the names of the operations in that order, and how often each was run.
#![allow(clippy::print_stdout, reason = "what is printed is read by the task")]

mod documents;
mod layer;
mod record;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// How often each operation is run while it is counted. What is random in an operation, such as a new session's id,
/// and what hash tables do with random keys, is so the same on average.
const TIMES: usize = 500;

/// The operations in order, and what they do the given time.
type Operation = (&'static str, Box<dyn FnMut(usize)>);

fn main() {
    let operations = record::operations().into_iter().chain(layer::operations());
    for (name, mut operation) in operations {
        // What is done once, such as finding out what the processor can do, is not counted.
        for time in 0..3 {
            operation(time);
        }
        measured(&mut operation);
        println!("{TIMES}\t{name}");
    }
}

/// What callgrind looks at; `xtask/src/bench/instructions.rs` has this name too.
#[inline(never)]
fn measured(operation: &mut dyn FnMut(usize)) {
    for time in 0..TIMES {
        operation(time);
    }
}

/// The output of a future that does not have to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an operation without a server waits"),
    }
}
