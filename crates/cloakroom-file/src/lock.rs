//! Locks that hold between processes.
//!
//! A lock is on an open file, so the system releases it when its process ends, even if the process is killed. The lock
//! files are never removed: if one were removed and created again, two processes could each hold a lock of that name.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    time::Duration,
};

use cloakroom_backend::jitter;
use cloakroom_core::Error;
use fs4::{FileExt, TryLockError};

use crate::{
    error::{late, locked, of_io},
    until::Until,
};

/// The number of lock files. Sessions with the same one wait for each other.
const LOCKS: u8 = 64;

/// The first pause between two attempts, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_micros(100), Duration::from_millis(5)];

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "closing the file releases it")] File);

/// Returns the name of the lock file of a session. All processes and versions must agree on it.
pub(crate) fn file_of(name: &str) -> String {
    // FNV-1a, because the standard library's hashes may change.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("lock-{}", hash % u64::from(LOCKS))
}

impl Lock {
    /// Waits for the lock of this file, which is created if it is missing. From then on, the caller may write.
    pub(crate) fn wait(path: &Path, until: &Until) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|cause| of_io("open a lock", &cause))?;
        let mut pause = PAUSES[0];
        loop {
            // Not `file.try_lock()`: that is a method of `File` itself from Rust 1.89 on.
            match FileExt::try_lock(&file) {
                Ok(()) if until.may_write() => return Ok(Self(file)),
                Ok(()) => return Err(late()),
                Err(TryLockError::WouldBlock) if until.is_over() => return Err(locked()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(jitter(PAUSES[0]..=pause)),
                Err(TryLockError::Error(cause)) => return Err(of_io("lock a session", &cause)),
            }
            pause = (pause * 2).min(PAUSES[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_process_takes_the_same_lock() {
        assert_eq!(file_of("a.json"), "lock-0");
        assert_eq!(file_of("b.json"), "lock-15");
    }

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let within = |limit| Until::new(Instant::now() + limit);
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(20));
        let lock = Lock::wait(&path, &within(long)).unwrap();
        let error = Lock::wait(&path, &within(short)).unwrap_err();
        assert!(error.to_string().contains("did not release its lock"), "{error}");
        drop(lock);
        Lock::wait(&path, &within(long)).unwrap();
        let error = Lock::wait(&path, &within(Duration::ZERO)).unwrap_err();
        assert!(error.to_string().contains("has passed"), "{error}");
    }
}
