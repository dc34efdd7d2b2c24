//! A `thread_local!` for the threads of shuttle, which all run on one thread of the system.

use core::{cell::Cell, fmt};

use shuttle::thread::LocalKey;

/// As `std::thread::LocalKey<Cell<T>>`, whose short methods shuttle's key does not have.
pub(crate) struct LocalCell<T: 'static>(pub(crate) &'static LocalKey<Cell<T>>);

impl<T: Copy> LocalCell<T> {
    /// Returns the value of this thread.
    pub(crate) fn get(&'static self) -> T {
        self.0.with(Cell::get)
    }

    /// Sets the value of this thread.
    pub(crate) fn set(&'static self, value: T) {
        self.0.with(|cell| cell.set(value));
    }

    /// Sets the value of this thread, and returns the one before.
    pub(crate) fn replace(&'static self, value: T) -> T {
        self.0.with(|cell| cell.replace(value))
    }
}

impl<T> fmt::Debug for LocalCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCell").finish_non_exhaustive()
    }
}

macro_rules! thread_local {
    (static $name:ident: Cell<$value:ty> = const { $initial:expr };) => {
        static $name: $crate::local::LocalCell<$value> = {
            shuttle::thread_local! {
                static KEY: Cell<$value> = $initial;
            }
            $crate::local::LocalCell(&KEY)
        };
    };
}
