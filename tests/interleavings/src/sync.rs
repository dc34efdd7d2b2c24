//! What `std::sync` is to the included code.

pub use real::sync::{Arc, PoisonError};
pub use shuttle::sync::{Mutex, MutexGuard, atomic};

pub use crate::lazy::LazyLock;
