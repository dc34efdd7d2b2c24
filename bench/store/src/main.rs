//! The area `store`: 64 tasks that use one store, beside the bare client that sends the same commands.

mod case;
mod cloakroom_store;
mod memcached_stores;
mod mongodb_stores;
mod node;
mod redis_stores;

use cloakroom_bench::{Options, allocations::Counting, cpu};

use crate::case::Backend;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The sizes of the records, by the names of their tables.
const SIZES: [(&str, usize); 2] = [("500 bytes", 500), ("20 KB", 20_480)];

fn main() {
    let options = Options::from_arguments();
    // Before the workers start, so that there is one.
    cpu::pin(std::process::id(), cpu::SUBJECT);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        for (size, bytes) in SIZES {
            measure(redis_stores::start(size, bytes).await, options).await;
            measure(memcached_stores::start(size, bytes).await, options).await;
            measure(mongodb_stores::start(size, bytes).await, options).await;
        }
    });
}

async fn measure(backend: Backend, options: Options) {
    let cases = &backend.cases;
    let mut allocations = Vec::new();
    for case in cases {
        allocations.push(case.warm_up().await);
    }
    for round in 0..options.rounds {
        for (case, allocations) in cases.iter().zip(&allocations) {
            case.sample(round, options.time(), *allocations).await.print();
        }
    }
}
