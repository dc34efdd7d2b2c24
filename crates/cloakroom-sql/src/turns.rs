//! The order of those who write to a SQLite file.
//!
//! SQLite has none: a writer that finds the file locked looks again after pauses of up to 100 ms (`sqlite3_busy_timeout`),
//! and those that come just when it is free overtake it, so that some never get the lock. So the writers of a process
//! stand in a line for each file, whichever of its stores they use, and only other processes are left to SQLite's lock.
//!
//! A future that nobody polls cannot pass the turn on. So the one whose turn it is gives signs of life, and without them
//! the others form a new line. SQLite's lock protects the file in any case.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How often a writer gives a sign of life.
const SIGN: Duration = Duration::from_millis(100);

/// After this time without a sign, nobody waits for a writer.
const SILENCE: Duration = Duration::from_millis(500);

/// The lines of all files that stores use.
static FILES: Mutex<Vec<(PathBuf, Weak<Turns>)>> = Mutex::new(Vec::new());

/// The line of those who write.
pub(crate) struct Turns {
    line: Mutex<Arc<Semaphore>>,
    /// The number of signs of life.
    signs: AtomicU64,
}

/// The right to write until it is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    fn new() -> Self {
        Self { line: Mutex::new(Arc::new(Semaphore::new(1))), signs: AtomicU64::new(0) }
    }

    /// Returns the line of a file, which all stores of this process share. A database in memory, or one that a URI names,
    /// gets a line of its own.
    pub(crate) fn of_file(path: &Path) -> Arc<Self> {
        let name = path.to_string_lossy();
        if name.is_empty() || name == ":memory:" || name.starts_with("file:") {
            return Arc::new(Self::new());
        }
        let path = resolved(path);
        // Nothing panics while the lock is held.
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(_, turns)| turns.strong_count() > 0);
        let known = files.iter().find(|(file, _)| *file == path);
        if let Some(turns) = known.and_then(|(_, turns)| turns.upgrade()) {
            return turns;
        }
        let turns = Arc::new(Self::new());
        files.push((path, Arc::downgrade(&turns)));
        turns
    }

    /// Waits for the turn of the caller.
    pub(crate) async fn take(self: Arc<Self>) -> Turn {
        loop {
            let line = Arc::clone(&self.line());
            let mut permit = pin!(Arc::clone(&line).acquire_owned());
            let permit = loop {
                let signs = self.signs.load(Ordering::Relaxed);
                match timeout(SILENCE, &mut permit).await {
                    Ok(permit) => break permit.ok(),
                    Err(_) if signs == self.signs.load(Ordering::Relaxed) => {
                        self.form_anew(&line);
                        break None;
                    }
                    Err(_) => {}
                }
            };
            if let Some(permit) = permit {
                self.sign();
                return Turn { turns: self, _permit: permit };
            }
        }
    }

    /// Makes a new line, in which those who wait in the old one stand in the same order.
    fn form_anew(&self, old: &Arc<Semaphore>) {
        let mut line = self.line();
        if Arc::ptr_eq(&line, old) {
            *line = Arc::new(Semaphore::new(1));
            old.close();
        }
    }

    fn sign(&self) {
        self.signs.fetch_add(1, Ordering::Relaxed);
    }

    fn line(&self) -> MutexGuard<'_, Arc<Semaphore>> {
        // Nothing panics while the lock is held.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Does the work, and gives signs of life for as long as it takes.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match timeout(SIGN, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.turns.sign(),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Whoever is next has as much time for its first sign.
        self.turns.sign();
    }
}

/// Returns the same path for each spelling of a file that the system knows. The file may not exist yet.
fn resolved(path: &Path) -> PathBuf {
    let in_folder = || {
        let name = path.file_name().ok_or(io::ErrorKind::NotFound)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok::<_, io::Error>(folder.unwrap_or(Path::new(".")).canonicalize()?.join(name))
    };
    path.canonicalize().or_else(|_| in_folder()).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin};

    use futures::poll;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_taken_in_the_order_of_the_calls() {
        let turns = Arc::new(Turns::new());
        let first = Arc::clone(&turns).take().await;
        let mut second = pin!(Arc::clone(&turns).take());
        let mut third = pin!(Arc::clone(&turns).take());
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        drop(first);
        // Whoever comes now stands behind them.
        let mut fourth = pin!(Arc::clone(&turns).take());
        assert!(poll!(&mut fourth).is_pending() && poll!(&mut third).is_pending());
        drop(second.await);
        drop(third.await);
        drop(fourth.await);
    }

    #[test]
    fn a_file_has_one_line_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let first = Turns::of_file(&path);
        let spelled = folder.path().join(".").join("sessions.db");
        assert!(Arc::ptr_eq(&first, &Turns::of_file(&spelled)));
        std::fs::write(&path, "").unwrap();
        assert!(Arc::ptr_eq(&first, &Turns::of_file(&spelled)));
        assert!(!Arc::ptr_eq(&first, &Turns::of_file(&folder.path().join("other.db"))));
        for own in [":memory:", "file:sqlx-in-memory-0", ""].map(Path::new) {
            assert!(!Arc::ptr_eq(&Turns::of_file(own), &Turns::of_file(own)), "{own:?}");
        }
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(weak.upgrade().is_none(), "a file that no store uses is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_turn_is_waited_for_and_one_without_a_sign_is_not() {
        let turns = Arc::new(Turns::new());
        let long = Arc::clone(&turns).take().await;
        let began = Instant::now();
        let work = async { long.during(sleep(Duration::from_secs(60))).await };
        let mut next = pin!(Arc::clone(&turns).take());
        tokio::select! {
            _ = &mut next => panic!("the turn is not over"),
            () = work => {}
        }
        drop(long);
        let silent = next.await;
        assert_eq!(began.elapsed().as_secs(), 60);
        // A sign is given only by a future that is polled.
        let mut stopped = pin!(silent.during(pending::<()>()));
        assert!(poll!(&mut stopped).is_pending());
        let took = Instant::now();
        let third = Arc::clone(&turns).take().await;
        assert!(took.elapsed() <= SILENCE * 2, "{:?}", took.elapsed());
        // What the silent one does later does not disturb the new line.
        let mut fourth = pin!(Arc::clone(&turns).take());
        assert!(poll!(&mut fourth).is_pending());
        drop(third);
        drop(fourth.await);
    }
}
