//! The stores of the table, each with a server that was started for it.

mod file;
mod memcached;
mod memory;
mod mongodb;
mod redis;
mod sql;

use std::{sync::Arc, time::Duration};

use cloakroom_conformance::{Options, StoreUnderTest, run_with};
use cloakroom_core::{Error, Store};

use super::{
    Result,
    column::{Column, Several},
    outcomes::Outcomes,
};

/// Makes the columns in their order: a store has a line here, and a file beside the others.
pub(super) async fn columns() -> Result<Vec<Column>> {
    Ok(vec![
        memory::column().await?,
        redis::column().await?,
        memcached::column().await?,
        mongodb::column().await?,
        file::column().await?,
        sql::column().await?,
        sql::mariadb().await?,
        sql::sqlite().await?,
    ])
}

/// Makes the columns of the second table: a setup of several servers has a line here, and a function in the store's file.
pub(super) async fn on_several_servers() -> Result<Vec<Several>> {
    Ok(vec![
        redis::cluster().await?,
        redis::sentinels().await?,
        memcached::ring().await?,
        mongodb::replica_set().await?,
    ])
}

/// Where a store's own test runs the suite, in the folder of its crate.
const SUITE: &str = "tests/conformance.rs";
/// Enough for cases that wait to wait together, and few enough for each to get on.
const AT_ONCE: usize = 16;
/// How long anything may take, so that the table says the same on a machine that is slow or busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the suite where no store's own test does.
async fn run<S: Send + Sync + 'static>(server: S, subject: fn(&S) -> StoreUnderTest) -> Outcomes {
    let server = Arc::new(server);
    let mut options = Options::default();
    options.time_limit = PATIENCE;
    options.at_once = AT_ONCE;
    run_with(options, move || {
        let server = Arc::clone(&server);
        async move { subject(&server) }
    })
    .await
    .into()
}

/// Two handles on the same sessions, and a neighbour of theirs.
fn three<S: Store + 'static>(
    open: impl Fn(&str) -> std::result::Result<S, Error>,
) -> StoreUnderTest {
    let open = |part| open(part).expect("the URL of a server that was just started");
    StoreUnderTest::new(open("")).with_second_handle(open("")).with_neighbour(open(".neighbour"))
}
