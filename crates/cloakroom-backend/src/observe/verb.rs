//! The span of what a handle or a layer does, such as a commit, with the operations of the store inside.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    time::Instant,
};

use cloakroom_core::Error;
use tracing::{Span, debug_span, field::Empty};

use super::{
    call::is_inside,
    outcome::Outcome,
    spans::{TARGET, record_end},
};

/// The span. It is closed also if the work is dropped.
struct Verb {
    span: Span,
    began: Instant,
    outcome: Outcome,
}

impl Drop for Verb {
    fn drop(&mut self) {
        record_end(&self.span, self.outcome, self.began.elapsed());
    }
}

pub(super) async fn verb<T: Send>(
    by: &'static str,
    operation: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    // A handle below a layer does what the operation's own span says.
    if is_inside() {
        return work.await;
    }
    let span = debug_span!(
        target: TARGET,
        "cloakroom.session",
        "otel.name" = operation,
        by,
        operation,
        outcome = Empty,
        duration = Empty,
        "error.type" = Empty,
        "otel.status_code" = Empty,
    );
    let mut verb = Verb { span, began: Instant::now(), outcome: Outcome::Dropped };
    let mut work = pin!(work);
    let result = poll_fn(|cx| verb.span.in_scope(|| work.as_mut().poll(cx))).await;
    verb.outcome =
        result.as_ref().map_or_else(|error| Outcome::Failed(error.kind()), |_| Outcome::Ok);
    result
}
