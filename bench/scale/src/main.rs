//! The area `scale`: more sessions, more writers of one session, more in flight, and longer records.

mod all_sessions;
mod backend;
mod fill;
mod in_flight;
mod in_memory;
mod long_records;
mod many_sessions;
mod one_session;
mod own_process;

use cloakroom_bench::{Options, allocations::Counting, cpu};

use crate::backend::Backend;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    if own_process::is_alone() {
        return;
    }
    let options = Options::from_arguments();
    // Before the workers start, so that there is one.
    cpu::pin(std::process::id(), cpu::SUBJECT);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        many_sessions::measure(options).await;
        in_memory::measure(options).await;
        all_sessions::measure(options).await;
        one_session::measure(&Backend::start().await, options).await;
        in_flight::measure(options).await;
        long_records::measure(&Backend::start().await, options).await;
    });
}
