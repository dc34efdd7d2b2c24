//! One operation: its errors, its checks, work aside, and the runtimes that it can be on.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::Duration;

use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes, within};
use cloakroom_core::{Error, ErrorKind};
use futures::executor::block_on;
use tokio::runtime::Builder;

const MINUTE: Duration = Duration::from_secs(60);

fn start(idempotency: Idempotency) -> Operation {
    Operation::start("store", "set", idempotency, MINUTE)
}

#[test]
fn after_a_lost_answer_every_error_of_a_write_has_an_unknown_outcome() {
    for idempotency in [Idempotency::Read, Idempotency::Repeatable, Idempotency::Once] {
        let operation = start(idempotency);
        let is_unknown = || {
            let errors = [operation.timeout(), operation.error(ErrorKind::Other, "refused")];
            assert!(
                errors.iter().all(|error| (error.store(), error.operation()) == ("store", "set"))
            );
            let unknown = errors.map(|error| error.outcome_unknown());
            assert_eq!(unknown[0], unknown[1]);
            unknown[0]
        };
        assert!(!is_unknown(), "nothing was sent yet");
        operation.lose_answer();
        assert_eq!(is_unknown(), idempotency != Idempotency::Read);
        operation.find_answer();
        assert!(!is_unknown());
    }
}

#[test]
fn a_part_has_an_outcome_of_its_own() {
    let operation = start(Idempotency::Once);
    operation.lose_answer();
    assert!(!operation.part().outcome_unknown() && !operation.reading().outcome_unknown());
    let reading = operation.reading();
    reading.lose_answer();
    assert!(!reading.outcome_unknown(), "it reads");
    assert_eq!(operation.part().deadline(), operation.deadline());
}

#[test]
fn only_what_can_be_repeated_is_and_once() {
    assert!(!start(Idempotency::Once).repeat());
    for idempotency in [Idempotency::Read, Idempotency::Repeatable] {
        let operation = start(idempotency);
        assert!(operation.repeat() && !operation.repeat());
    }
}

#[test]
fn a_limit_without_end_does_not_overflow() {
    let operation = Operation::start("store", "get", Idempotency::Read, Duration::MAX);
    assert!(operation.time_left() > MINUTE && !operation.is_over());
    assert!(operation.patience() < operation.time_left());
}

#[tokio::test]
async fn the_patience_is_the_stores_own_whatever_the_caller_has() {
    let patience = within(Some(MINUTE), "layer", "call", Idempotency::Read, async {
        let operation = Operation::start("store", "get", Idempotency::Read, 2 * MINUTE);
        assert!(operation.time_left() <= MINUTE);
        Ok(operation.part().patience())
    });
    assert_eq!(patience.await.unwrap(), MINUTE / 2 * 3);
}

#[test]
fn what_no_store_takes_is_refused() {
    let operation = start(Idempotency::Once);
    let kind = |error: Error| error.kind();
    assert_eq!(operation.check_id("").map_err(kind), Err(ErrorKind::InvalidId));
    assert_eq!(operation.check_id(" ").map_err(kind), Ok(()));
    assert_eq!(
        operation.check_ttl(Some(Duration::ZERO)).map_err(kind),
        Err(ErrorKind::InvalidData)
    );
    assert_eq!(operation.check_ttl(Some(Duration::from_nanos(1))).map_err(kind), Ok(()));
    assert_eq!(operation.check_ttl(None).map_err(kind), Ok(()));
    assert_eq!(operation.check_origin(None::<u64>).map_err(kind), Err(ErrorKind::InvalidData));
    assert_eq!(operation.check_origin(Some(7)).map_err(kind), Ok(7));
}

#[test]
fn work_aside_answers_under_the_name_of_its_operation() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let operation = start(Idempotency::Once);
        assert_eq!(operation.aside(|| Ok(7)).await.unwrap(), 7);
        let refused = || Err::<(), _>(Error::new(ErrorKind::Corrupt, "cipher", "decrypt", "no"));
        let error = operation.aside(refused).await.unwrap_err();
        assert_eq!(error.to_string(), "store: set: no");
        let error = operation.aside::<()>(|| panic!("hush")).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Other, false));
        assert!(!format!("{error:?}").contains("hush"));
    });
}

/// Work that has begun goes on, and nobody waits for it.
#[tokio::test]
async fn work_aside_is_waited_for_until_the_deadline() {
    let operation = Operation::start("store", "get", Idempotency::Read, Duration::from_millis(20));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let work = operation.aside(move || {
        let _ = wait.recv();
        Ok(())
    });
    assert_eq!(work.await.unwrap_err().kind(), ErrorKind::Timeout);
    drop(go);
}

#[test]
fn a_runtime_that_lacks_a_driver_is_a_config_error_that_names_it() {
    let nothing = || Builder::new_current_thread().build().unwrap();
    let time = || Builder::new_current_thread().enable_time().build().unwrap();
    let all = || Builder::new_current_thread().enable_all().build().unwrap();
    for (needs, runtime, wanted) in [
        (Needs::Time, nothing(), Some("no time driver")),
        (Needs::TimeAndIo, nothing(), Some("no time driver")),
        (Needs::Time, time(), None),
        (Needs::TimeAndIo, time(), Some("no I/O driver")),
        (Needs::TimeAndIo, all(), None),
    ] {
        let runtimes = Runtimes::new(needs);
        // What was found out about one runtime says nothing about the next.
        all().block_on(async { runtimes.current(&start(Idempotency::Read)).unwrap() });
        for _ in 0..2 {
            let found =
                runtime.block_on(async { runtimes.current(&start(Idempotency::Read)).map(drop) });
            match (found, wanted) {
                (Ok(()), None) => {}
                (Err(error), Some(wanted)) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.to_string().contains(wanted), "{error}");
                }
                (found, wanted) => panic!("{needs:?}: {found:?} and not {wanted:?}"),
            }
        }
    }
    let outside = block_on(async { Runtimes::new(Needs::Time).current(&start(Idempotency::Read)) });
    let text = outside.unwrap_err().to_string();
    assert_eq!(text, "store: set: must be called from within a tokio runtime");
}
