//! A `LazyLock` that begins anew with each execution, because a lock of shuttle belongs to one.

use real::{
    boxed::Box,
    fmt,
    ops::Deref,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

static EXECUTION: AtomicUsize = AtomicUsize::new(0);

/// Begins an execution: nothing is left of the earlier ones. Executions of different tests must not overlap.
pub fn execution() {
    EXECUTION.fetch_add(1, Ordering::SeqCst);
}

/// As `std::sync::LazyLock`. Its values are never freed.
pub struct LazyLock<T: 'static> {
    create: fn() -> T,
    value: Mutex<Option<(usize, &'static T)>>,
}

impl<T> LazyLock<T> {
    /// A value that is created when it is first used in an execution.
    pub const fn new(create: fn() -> T) -> Self {
        Self { create, value: Mutex::new(None) }
    }
}

impl<T> Deref for LazyLock<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let now = EXECUTION.load(Ordering::SeqCst);
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        match *value {
            Some((execution, value)) if execution == now => value,
            _ => value.insert((now, Box::leak(Box::new((self.create)())))).1,
        }
    }
}

impl<T> fmt::Debug for LazyLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyLock").finish_non_exhaustive()
    }
}
