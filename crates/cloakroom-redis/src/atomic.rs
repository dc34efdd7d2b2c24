//! The conditional writes: `SET NX`, and an update that compares the stored record (`update.rs`). connect-redis has none.

use std::{future::ready, sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, whole_seconds};
use cloakroom_core::{Atomic, Created, Error, SessionData, Touched, Updated};
use redis::Value;

use crate::{
    RedisStore, Ttl,
    command::command,
    error, reply,
    script::GET_AND_TOUCH,
    swap::{Swap, Swapped},
    ttl::{Expiry, LONGEST},
};

#[async_trait]
impl Atomic for RedisStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let operation = self.operation("create", Idempotency::Once);
        let key = self.key(&operation, sid)?;
        let record = self.options().stringify(&operation, session)?;
        let mut set = command("SET", &key, record.len());
        set.arg(&*record).arg("NX");
        let revision = self.options().revision(record);
        let expiry = self.expiry(session);
        match expiry {
            Expiry::Seconds(seconds) => set.arg("EX").arg(seconds),
            Expiry::Never => &mut set,
            // The contract: a session whose expiry has passed is not stored, but the answer is the same.
            Expiry::Passed => {
                let operation = operation.reading();
                let answer = self.send(&operation, redis::cmd("EXISTS").arg(&key)).await?;
                let there = reply::number(&operation, answer)? > 0;
                return Ok(if there { Created::Exists } else { Created::Stored(revision) });
            }
        };
        let write = async {
            let answer = self.send(&operation, &set).await?;
            Ok(if reply::done(&operation, answer)? {
                Created::Stored(revision)
            } else {
                Created::Exists
            })
        };
        self.noting(&operation, sid, session, expiry, write).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let operation = self.operation("update", Idempotency::Once);
        let key = self.key(&operation, sid)?;
        let read_from = self.options().read_from(&operation, session)?;
        let record = self.options().stringify(&operation, session)?;
        let expiry = self.expiry(session);
        let swap = Swap { key: &key, read_from, record: &record, expiry };
        let swapping = self.swap(&operation, &swap);
        Ok(match self.noting(&operation, sid, session, expiry, swapping).await? {
            Swapped::Stored => Updated::Stored(self.options().revision(record)),
            Swapped::Missing => Updated::Gone,
            Swapped::Other(current) => {
                self.options().parse(&operation, current)?.map_or(Updated::Gone, Updated::Conflict)
            }
        })
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get_and_touch", Idempotency::Repeatable);
        let key = self.key(&operation, sid)?;
        operation.check_ttl(ttl)?;
        let options = self.options();
        let (answer, expiry) = match &options.ttl {
            _ if options.disable_touch || options.disable_ttl => {
                (self.send(&operation.reading(), &command("GET", &key, 0)).await?, Expiry::Passed)
            }
            Ttl::Browser(default) => {
                let seconds = whole_seconds(ttl.unwrap_or(*default)).min(LONGEST);
                (self.getex(&operation, &key, seconds).await?, Expiry::Seconds(seconds))
            }
            // connect-redis from 7 on calls the function with the session, for `set` and `touch`.
            Ttl::Of(_) => return self.get_then_touch(&operation, sid, key).await,
        };
        let Some(record) = reply::text(&operation, answer)? else { return Ok(None) };
        let Some(session) = options.parse(&operation, record)? else { return Ok(None) };
        // Only the record says whose it is, so this is a second round trip.
        self.noting(&operation, sid, &session, expiry, ready(Ok(()))).await?;
        Ok(Some(session))
    }
}

impl RedisStore {
    /// Sends `GETEX`, or a script with the same effect to a server before Redis 6.2.
    async fn getex(&self, operation: &Operation, key: &str, seconds: u64) -> Result<Value, Error> {
        if !self.lacks_getex().load(Ordering::Relaxed) {
            let mut getex = command("GETEX", key, 0);
            match self.send(operation, getex.arg("EX").arg(seconds)).await? {
                // Remembered for the life of the store: asking again would cost an old server a round trip for each
                // visit.
                Value::ServerError(refusal) if error::is_unknown_command(&refusal) => {
                    self.lacks_getex().store(true, Ordering::Relaxed);
                }
                answer => return Ok(answer),
            }
        }
        let seconds = seconds.to_string();
        let arguments = [seconds.as_bytes()];
        GET_AND_TOUCH.run(self.connection(), operation, key, &arguments).await
    }

    /// Returns the session and then sets its expiry, in two round trips: a `ttl` that is a function needs the session
    /// first.
    async fn get_then_touch(
        &self,
        operation: &Operation,
        sid: &str,
        key: String,
    ) -> Result<Option<SessionData>, Error> {
        let reading = operation.reading();
        let answer = self.send(&reading, &command("GET", &key, 0)).await?;
        let Some(record) = reply::text(&reading, answer)? else { return Ok(None) };
        let Some(session) = self.options().parse(&reading, record)? else { return Ok(None) };
        let expiry = self.expiry(&session);
        let touch = self.move_expiry(operation, key, expiry);
        let touched = self.noting(operation, sid, &session, expiry, touch).await?;
        // It was destroyed between the two commands, so the user has logged out.
        Ok((touched == Touched::Extended).then_some(session))
    }
}
