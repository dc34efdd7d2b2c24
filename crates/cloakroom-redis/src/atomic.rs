//! The conditional writes.

use std::{sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use cloakroom_core::{Atomic, Created, Error, ErrorKind, Session, Touched, Updated};
use redis::Value;

use crate::{
    RedisStore, Ttl,
    call::{Call, Effect},
    error,
    record::Fingerprint,
    reply,
    script::{GET_AND_TOUCH, UPDATE},
    store::Expiry,
    ttl::whole_seconds,
};

#[async_trait]
impl Atomic for RedisStore {
    async fn create(&self, sid: &str, session: &Session) -> Result<Created, Error> {
        let call = self.call("create");
        let key = self.key(&call, sid)?;
        let record = self.options().stringify(&call, session)?;
        let revision = Fingerprint::of(&record).revision();
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(record).arg("NX");
        match self.expiry(session) {
            Expiry::Seconds(seconds) => command.arg("EX").arg(seconds),
            Expiry::Never => &mut command,
            Expiry::Passed => {
                let answer = self.send(&call, Effect::Read, redis::cmd("EXISTS").arg(&key)).await?;
                let there = reply::number(&call, answer)? > 0;
                return Ok(if there { Created::Exists } else { Created::Stored(revision) });
            }
        };
        let answer = self.send(&call, Effect::Once, &command).await?;
        Ok(if reply::done(&call, answer)? { Created::Stored(revision) } else { Created::Exists })
    }

    async fn update(&self, sid: &str, session: &Session) -> Result<Updated, Error> {
        let call = self.call("update");
        let key = self.key(&call, sid)?;
        let read_from = self.options().read_from(&call, session)?;
        let record = self.options().stringify(&call, session)?;
        let seconds = match self.expiry(session) {
            Expiry::Seconds(seconds) => seconds.to_string(),
            Expiry::Never => "0".to_owned(),
            Expiry::Passed => "-1".to_owned(),
        };
        let (digest, length) = (read_from.hex(), read_from.length().to_string());
        let arguments = [digest.as_bytes(), length.as_bytes(), seconds.as_bytes(), &record];
        match UPDATE.run(self.connection(), &call, Effect::Once, &key, &arguments).await? {
            Value::Int(1) => Ok(Updated::Stored(Fingerprint::of(&record).revision())),
            Value::Int(_) => Ok(Updated::Gone),
            answer => match reply::text(&call, answer)? {
                Some(current) => Ok(self
                    .options()
                    .parse(&call, current)?
                    .map_or(Updated::Gone, Updated::Conflict)),
                None => Ok(Updated::Gone),
            },
        }
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<Session>, Error> {
        let call = self.call("get_and_touch");
        let key = self.key(&call, sid)?;
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(error::new(&call, ErrorKind::InvalidData, "the ttl is zero"));
        }
        let options = self.options();
        let answer = match &options.ttl {
            _ if options.disable_touch || options.disable_ttl => {
                self.send(&call, Effect::Read, redis::cmd("GET").arg(key)).await?
            }
            Ttl::Browser(default) => {
                self.getex(&call, &key, whole_seconds(ttl.unwrap_or(*default))).await?
            }
            Ttl::Of(_) => return self.get_then_touch(&call, key).await,
        };
        match reply::text(&call, answer)? {
            Some(record) => options.parse(&call, record),
            None => Ok(None),
        }
    }
}

impl RedisStore {
    async fn getex(&self, call: &Call, key: &str, seconds: u64) -> Result<Value, Error> {
        if !self.lacks_getex().load(Ordering::Relaxed) {
            let mut command = redis::cmd("GETEX");
            command.arg(key).arg("EX").arg(seconds);
            match self.send(call, Effect::Repeatable, &command).await? {
                Value::ServerError(refusal) if error::is_unknown_command(&refusal) => {
                    self.lacks_getex().store(true, Ordering::Relaxed);
                }
                answer => return Ok(answer),
            }
        }
        let seconds = seconds.to_string();
        let arguments = [seconds.as_bytes()];
        GET_AND_TOUCH.run(self.connection(), call, Effect::Repeatable, key, &arguments).await
    }

    /// Two round trips: a time to live that is a function of the session can only be known after it.
    async fn get_then_touch(&self, call: &Call, key: String) -> Result<Option<Session>, Error> {
        let answer = self.send(call, Effect::Read, redis::cmd("GET").arg(&key)).await?;
        let Some(record) = reply::text(call, answer)? else { return Ok(None) };
        let Some(session) = self.options().parse(call, record)? else { return Ok(None) };
        let touched = self.move_expiry(call, key, self.expiry(&session)).await?;
        Ok((touched == Touched::Extended).then_some(session))
    }
}
