//! `docs/npm-stores.md`: what the suite says of the session stores on npm, and what their maintainers could do.

mod column;
mod findings;
mod page;
mod servers;
mod stores;

use std::{error::Error, fs, path::PathBuf, sync::Arc, time::Duration};

use cloakroom_conformance::{Options, run_with};

use self::{column::Column, servers::Servers, stores::Published};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a case may take, so that the page says the same on a machine that is slow or busy.
const PATIENCE: Duration = Duration::from_secs(900);
/// Each case has a Node.js process of its own.
const AT_ONCE: usize = 6;

/// Runs the suite on the stores with these names, or on all if no name is given, and writes the page. Of the other stores,
/// it takes what their last run said; `none` only writes the page.
///
/// # Errors
///
/// What is missing, or does not work; a store without a run; and a failure that the page does not explain.
pub async fn write(only: &[String]) -> Result<()> {
    let names = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let is_unknown =
        |name: &&String| *name != "none" && stores::STORES.iter().all(|one| one.name != **name);
    if let Some(unknown) = only.iter().find(is_unknown) {
        let known: Vec<_> = stores::STORES.iter().map(|one| one.name).collect();
        return Err(
            format!("unknown store {unknown:?}: must be one of {}", known.join(", ")).into()
        );
    }
    let mut servers = None;
    let mut columns = Vec::new();
    for store in stores::STORES {
        let column = if names(store.name) {
            let servers = match &servers {
                Some(started) => started,
                None => servers.insert(Arc::new(Servers::start()?)),
            };
            let column = run(store, servers).await?;
            column.save()?;
            column
        } else {
            Column::of_the_last_run(store)?
        };
        columns.push(column);
    }
    fs::write(root().join("docs/npm-stores.md"), page::page(&columns))?;
    let unexplained = findings::unexplained(&columns);
    if unexplained.is_empty() {
        Ok(())
    } else {
        Err(format!("findings.rs does not explain these:\n{}", unexplained.join("\n")).into())
    }
}

async fn run(store: &'static Published, servers: &Arc<Servers>) -> Result<Column> {
    let mut options = Options::default();
    (options.time_limit, options.at_once) = (PATIENCE, AT_ONCE);
    let shared = Arc::clone(servers);
    let report = run_with(options, move || {
        let servers = Arc::clone(&shared);
        async move { store.subject(&servers).await }
    })
    .await;
    Column::new(store, &report)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
