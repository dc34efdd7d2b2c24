//! Work aside: what comes back, and what when it never comes.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use cloakroom_core::{Error, ErrorKind};
use cloakroom_encryption::aside;
use tokio::runtime::Builder;

/// The kind of the error, which shows nothing of the session.
fn kind(result: Result<String, Error>) -> ErrorKind {
    let error = result.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    error.kind()
}

#[tokio::test]
async fn work_that_panics_is_an_error_that_quotes_nothing() {
    assert_eq!(aside(|| Ok("done".to_owned())).await.unwrap(), "done");
    assert_eq!(kind(aside(|| panic!("hush")).await), ErrorKind::Other);
    let own = || Err(Error::new(ErrorKind::Corrupt, "encryption", "decrypt", "its own"));
    assert_eq!(kind(aside(own).await), ErrorKind::Corrupt);
}

/// Polls once.
fn at_once(work: impl Future<Output = Result<String, Error>>) -> Result<String, Error> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits for what never comes"),
    }
}

#[test]
fn work_on_a_runtime_that_has_shut_down_is_an_error() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    assert_eq!(kind(at_once(aside(|| Ok("hush".to_owned())))), ErrorKind::Unavailable);
}

#[test]
fn work_outside_of_a_runtime_is_an_error() {
    assert_eq!(kind(at_once(aside(|| Ok("hush".to_owned())))), ErrorKind::Config);
}
