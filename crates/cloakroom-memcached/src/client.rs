//! Sends commands through the application's client, which makes its own connections. All that is known here is whether
//! a call was answered, so the store can neither leave a silent connection nor say that a command was not sent.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use cloakroom_backend::Operation;
use memcache::exp::Error as ClientError;

use crate::{
    loss::{Failure, Loss},
    pool::Pool,
};

/// Makes one attempt. While the server is in trouble, attempts are made one at a time, as on the store's own
/// connections.
pub(crate) async fn ask<T>(
    pool: &Pool,
    operation: &Operation,
    patience: Duration,
    command: impl Future<Output = Result<T, ClientError>> + Send,
) -> Result<T, Failure> {
    let mut pass = pool.gate.pass(patience).await.map_err(Failure::shared)?;
    let limit = patience.min(operation.patience());
    let mut asked = Asked { pool, operation, limit, since: Some(Instant::now()) };
    let outcome = pass.hold(patience, command).await;
    let since = asked.since.take();
    match (outcome, since) {
        (Err(cause), Some(since)) if Loss::of(&cause).is_some() => {
            pool.gate.failed(&pass, since, &cause);
            Err(cause.into())
        }
        (outcome, _) => {
            pool.gate.answered();
            outcome.map_err(Failure::from)
        }
    }
}

/// A command on the application's client. If its call is dropped or meets its deadline, the answer counts as lost.
struct Asked<'a> {
    pool: &'a Pool,
    operation: &'a Operation,
    /// How long the server may be silent.
    limit: Duration,
    since: Option<Instant>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let Some(since) = self.since else { return };
        // The client does not report whether the command was sent.
        self.operation.lose_answer();
        let gate = &self.pool.gate;
        if gate.is_silent(since, self.limit) && !gate.has_answered_since(since) {
            gate.lost(since);
        }
    }
}
