//! `docs/npm-stores.md`: what the suite says of the session stores on npm, and what their maintainers could do.

mod findings;
mod page;
mod servers;
mod sql;
mod stores;

use std::{error::Error, fs, path::PathBuf, sync::Arc, time::Duration};

use cloakroom_conformance::{Options, Report, StoreUnderTest, run_with};

use self::{servers::Servers, stores::Published};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a case may take, so that the page says the same on a machine that is slow or busy.
const PATIENCE: Duration = Duration::from_secs(900);
/// Each case has a Node.js process of its own.
const AT_ONCE: usize = 6;

/// What the suite says of a store.
struct Column {
    store: &'static Published,
    version: String,
    report: Report,
}

/// Runs the suite on the stores with these names, or on all if there are none, and writes the page if it is on all.
/// Returns the page.
///
/// # Errors
///
/// What is missing, or does not work, and a failure that [`findings`] does not explain.
pub async fn write(only: &[String]) -> Result<String> {
    let servers = Arc::new(Servers::start()?);
    let mut columns = Vec::new();
    for store in stores::STORES.iter().filter(|one| only.is_empty() || only.iter().any(|name| name == one.name)) {
        columns.push(column(store, &servers).await?);
    }
    let page = page::page(&columns);
    if only.is_empty() {
        fs::write(root().join("docs/npm-stores.md"), &page)?;
    }
    let unexplained = findings::unexplained(&columns);
    if unexplained.is_empty() {
        Ok(page)
    } else {
        Err(format!("findings.rs does not explain these:\n{}", unexplained.join("\n")).into())
    }
}

async fn column(store: &'static Published, servers: &Arc<Servers>) -> Result<Column> {
    let version = stores::version(store.name)?;
    let mut options = Options::default();
    (options.time_limit, options.at_once) = (PATIENCE, AT_ONCE);
    let shared = Arc::clone(servers);
    let report = run_with(options, move || {
        let servers = Arc::clone(&shared);
        async move {
            let handle = store.open(&servers);
            StoreUnderTest::new(handle.clone()).with_second_handle(handle).add_guard(servers)
        }
    })
    .await;
    Ok(Column { store, version, report })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
