//! The callback of a call, and what it is answered with.

use std::time::Duration;

use cloakroom_compat::Callback;
use cloakroom_core::{Clock, Error, ErrorKind, Listed, Revision, SessionData, TimeToLive, Touched};

use crate::{frame::Answer, operation::Operation, settings::Settings};

/// A callback that waits for the child.
pub(crate) enum Reply {
    Get(Callback<Option<SessionData>>),
    Done(Callback<()>),
    Touch(Callback<Touched>),
    Length(Callback<u64>),
    /// The sessions so far.
    All(Callback<Vec<Listed>>, Vec<(String, SessionData)>),
}

impl Reply {
    /// Answers with an error. It runs code of the application.
    pub(crate) fn fail(self, error: Error) {
        match self {
            Self::Get(callback) => callback.err(error),
            Self::Done(callback) => callback.err(error),
            Self::Touch(callback) => callback.err(error),
            Self::Length(callback) => callback.err(error),
            Self::All(callback, _) => callback.err(error),
        }
    }

    /// Answers with what the child said. It runs code of the application.
    pub(crate) fn answer(self, settings: &Settings, operation: Operation, answer: Answer) {
        let failed = match answer {
            Answer::Failed(how, about) => settings.store_failed(operation, how, &about),
            Answer::Rubbish(about) => settings.rubbish(operation, &about),
            Answer::Twice => settings.twice(operation),
            Answer::TooLarge(bytes) => too_large(settings, operation, bytes),
            Answer::NoIds => {
                let message = "the store lists its sessions without their ids";
                settings.error(ErrorKind::Unsupported, operation, message)
            }
            Answer::NotOffered => match self {
                Self::Touch(callback) => return callback.ok(Touched::NotOffered),
                _ => {
                    let message = format!("the store has no method `{}`", operation.name());
                    settings.error(ErrorKind::Unsupported, operation, message)
                }
            },
            Answer::Done | Answer::Nothing | Answer::Session(_) | Answer::Number(_) => {
                return self.succeed(settings, operation, answer);
            }
        };
        self.fail(failed);
    }

    fn succeed(self, settings: &Settings, operation: Operation, answer: Answer) {
        match (self, answer) {
            (Self::Get(callback), Answer::Session(record)) => {
                callback.answer(parse(settings, operation, record).map(Some));
            }
            (Self::Get(callback), _) => callback.ok(None),
            (Self::Done(callback), _) => callback.ok(()),
            (Self::Touch(callback), _) => callback.ok(Touched::Extended),
            (Self::Length(callback), Answer::Number(number)) => callback.ok(number),
            (Self::Length(callback), _) => callback.ok(0),
            (Self::All(callback, sessions), _) => {
                let now_ms = Clock::system().now_ms();
                let listed = |(sid, session)| listed(sid, session, now_ms);
                callback.ok(sessions.into_iter().map(listed).collect());
            }
        }
    }
}

/// Makes an item of a listing. Connect's `all` tells of no expiry, so the time left is that of the cookie in the record.
/// If that has passed, only a touch can have kept the session: it lives for its max age at most.
fn listed(sid: String, session: SessionData, now_ms: i64) -> Listed {
    let by_cookie = session.time_to_live(now_ms);
    let session = session.with_revision(Revision::of_text());
    let time_left = match by_cookie {
        TimeToLive::Expired => session.time_to_live(now_ms),
        by_cookie => by_cookie,
    };
    let time_left = match time_left {
        TimeToLive::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        TimeToLive::Browser => None,
        TimeToLive::Expired => Some(Duration::ZERO),
    };
    Listed::new(sid, session, time_left)
}

/// Reads what the store answered with, as `JSON.stringify` wrote it.
pub(crate) fn parse(
    settings: &Settings,
    operation: Operation,
    record: String,
) -> Result<SessionData, Error> {
    SessionData::from_json(record)
        .map_err(|error| error.with_context(settings.name.clone(), operation.name()))
}

/// The error for a record above the limit, as the other stores have it.
pub(crate) fn too_large(settings: &Settings, operation: Operation, bytes: u64) -> Error {
    let most = settings.max_record;
    let message = format!("the record is {bytes} bytes long; the limit is {most} (max_record)");
    settings.error(ErrorKind::TooLarge, operation, message)
}
