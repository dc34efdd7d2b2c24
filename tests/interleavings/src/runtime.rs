//! What `tokio::runtime` is to the included code: a runtime whose tasks are shuttle's, and which a test can end.

use real::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use shuttle::thread;

use crate::task::{AbortHandle, JoinHandle, Task};

/// As `tokio::runtime::Id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u32);

/// As `tokio::runtime::Handle`.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    id: Id,
    /// `None` after its end.
    tasks: Mutex<Option<Vec<AbortHandle>>>,
}

impl Handle {
    /// A runtime that has just begun.
    #[must_use]
    pub fn begin(id: u32) -> Self {
        Self(Arc::new(Inner { id: Id(id), tasks: Mutex::new(Some(Vec::new())) }))
    }

    /// As `tokio::runtime::Handle::id`.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.id
    }

    /// As `tokio::runtime::Handle::spawn`.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (task, handle) = Task::new(future);
        let runs = {
            let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.as_mut().map(|tasks| tasks.push(handle.abort_handle())).is_some()
        };
        if !runs {
            task.refuse();
            return handle;
        }
        // Dropping its handle would end the execution without it.
        real::mem::forget(shuttle::future::spawn(task));
        handle
    }

    /// Drops all tasks, as a runtime does that is dropped. No task runs when this returns.
    pub fn end(&self) {
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        for task in tasks.into_iter().flatten() {
            task.abort();
            while !task.is_finished() {
                thread::yield_now();
            }
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.id).finish()
    }
}
