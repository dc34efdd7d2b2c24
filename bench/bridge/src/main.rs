//! The area `bridge`: what a callback costs over a plain async call, for one call and for a whole store.

mod calls;
mod stores;

use std::{
    hint::black_box,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use cloakroom_bench::{Options, Sample, allocations, allocations::Counting, cpu};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Something that is called again and again.
struct Subject {
    table: &'static str,
    work: &'static str,
    name: &'static str,
    base: &'static str,
    run: Box<dyn Fn()>,
}

fn main() {
    let options = Options::from_arguments();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = Rc::new(runtime.expect("a runtime can be made"));
    let subjects: Vec<Subject> =
        calls::subjects().into_iter().chain(stores::subjects(&runtime)).collect();
    for round in 0..options.rounds {
        for Subject { table, work, name, base, run } in &subjects {
            let (nanos, allocations) = measure(options, run);
            Sample::new(table, work, name, base, round)
                .with("CPU, ns", nanos)
                .with("allocations", allocations)
                .print();
        }
    }
}

/// The CPU time and the allocations of one call.
fn measure(options: Options, run: &dyn Fn()) -> (f64, f64) {
    let time = Duration::from_millis(if options.quick { 20 } else { 200 });
    let (began, mut times) = (Instant::now(), 0);
    while began.elapsed() < time / 4 {
        (0..64).for_each(|_| run());
        times += 64;
    }
    times *= 4;
    let before = cpu::of_this_thread();
    for _ in 0..times {
        run();
    }
    let nanos = (cpu::of_this_thread() - before).as_nanos() as f64 / f64::from(times);
    allocations::start();
    (0..64).for_each(|_| run());
    (nanos, allocations::stop() as f64 / 64.0)
}

/// The output of a future that is ready when it is polled first, so that no executor is measured.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => black_box(output),
        Poll::Pending => panic!("an answer that is there was late"),
    }
}
