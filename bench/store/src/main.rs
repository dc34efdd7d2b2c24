//! The area `store`: 64 tasks that use one store, beside the bare client that sends the same commands.
//!
//! A store is one file, with an `impl Backend`, and a line in [`main`].

mod backend;
mod cached_stores;
mod case;
mod cloakroom_store;
mod file_stores;
mod memcached_stores;
mod mongodb_stores;
mod node;
mod npm_stores;
mod redis_cluster_stores;
mod redis_stores;
mod sql_statements;
mod sql_stores;

use cloakroom_bench::{Options, allocations::Counting, cpu};

use crate::backend::measure;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let options = Options::from_arguments();
    // Before the workers start, so that there is one.
    cpu::pin(std::process::id(), cpu::SUBJECT);
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        measure::<redis_stores::OnRedis>(options).await;
        measure::<redis_cluster_stores::OnRedisCluster>(options).await;
        measure::<memcached_stores::OnMemcached>(options).await;
        measure::<mongodb_stores::OnMongoDb>(options).await;
        measure::<file_stores::InFiles>(options).await;
        measure::<sql_stores::OnPostgres>(options).await;
        measure::<sql_stores::OnMariaDb>(options).await;
        measure::<sql_stores::InSqlite>(options).await;
        measure::<cached_stores::Cache>(options).await;
        measure::<npm_stores::OfNpm>(options).await;
    });
}
