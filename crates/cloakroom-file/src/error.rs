//! Maps the system's errors to the contract's. None contains the path of a session, because the file's name is the id.

use std::io;

use cloakroom_core::{Error, ErrorKind};

/// The store's name.
pub(crate) const STORE: &str = "file";

/// Returns the error for a failed call to the system. `did` says what was tried, such as `read a session`.
pub(crate) fn of_io(did: &'static str, cause: &io::Error) -> Error {
    use io::ErrorKind as Io;

    let (kind, why) = match cause.kind() {
        Io::StorageFull => (ErrorKind::Full, "the disk is full"),
        Io::QuotaExceeded => (ErrorKind::Full, "the disk quota is used up"),
        Io::FileTooLarge => (ErrorKind::TooLarge, "the file would be too large"),
        Io::PermissionDenied => (ErrorKind::Unavailable, "permission denied"),
        Io::ReadOnlyFilesystem => (ErrorKind::Unavailable, "the file system is read-only"),
        Io::NotADirectory => (ErrorKind::Unavailable, "a part of the path is not a folder"),
        Io::InvalidFilename => (ErrorKind::InvalidId, "the file system does not accept the name"),
        _ => (ErrorKind::Unavailable, "the system refused"),
    };
    // The system's error contains a number and no path. An error of `tempfile` contains a path, but not that of a
    // session.
    let source = cause
        .raw_os_error()
        .map_or_else(|| io::Error::from(cause.kind()), io::Error::from_raw_os_error);
    Error::new(kind, STORE, "io", format!("cannot {did}: {why}")).with_source(source)
}

/// Returns the error for a file that exceeds the limit.
pub(crate) fn above_limit(bytes: u64, most: u64) -> Error {
    let message = format!("the record is {bytes} bytes long; the limit is {most} (maxRecord)");
    Error::new(ErrorKind::TooLarge, STORE, "io", message)
}

/// Returns the error for a lock that another process held until the deadline. Nothing was written.
pub(crate) fn locked() -> Error {
    let message = "another process did not release its lock in time";
    Error::new(ErrorKind::Timeout, STORE, "io", message)
}

/// Returns the error for a deadline that passed before anything was written.
pub(crate) fn late() -> Error {
    Error::new(ErrorKind::Timeout, STORE, "io", "the deadline has passed")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn errors_of_the_system_have_a_kind_and_no_path() {
        for (cause, kind, message) in [
            (io::ErrorKind::StorageFull, ErrorKind::Full, "the disk is full"),
            (io::ErrorKind::QuotaExceeded, ErrorKind::Full, "the disk quota is used up"),
            (io::ErrorKind::FileTooLarge, ErrorKind::TooLarge, "the file would be too large"),
            (io::ErrorKind::PermissionDenied, ErrorKind::Unavailable, "permission denied"),
            (
                io::ErrorKind::ReadOnlyFilesystem,
                ErrorKind::Unavailable,
                "the file system is read-only",
            ),
            (io::ErrorKind::Other, ErrorKind::Unavailable, "the system refused"),
        ] {
            let error = of_io("write a session", &io::Error::new(cause, "/sessions/SECRET.json"));
            assert_eq!(error.kind(), kind);
            assert_eq!(error.to_string(), format!("file: io: cannot write a session: {message}"));
            let source = error.source().unwrap().to_string();
            assert!(!format!("{error:?} {source}").contains("SECRET"), "{error:?}");
        }
    }
}
