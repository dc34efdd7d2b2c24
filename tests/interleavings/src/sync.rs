//! What `std::sync` is to the included code.

pub use real::sync::PoisonError;
pub use shuttle::sync::{Mutex, MutexGuard};

pub use crate::lazy::LazyLock;
