//! The runtime on which the stores run.

use std::{future::Future, sync::LazyLock};

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_all().build().expect("the system has sockets to spare")
});

pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    RUNTIME.block_on(work)
}
