//! What the server answered. The client's own conversions are not used: their errors quote the answer.

use cloakroom_core::Error;
use redis::Value;

use crate::{call::Call, error};

/// A string, or `None` where there is none.
pub(crate) fn text(call: &Call, value: Value) -> Result<Option<Vec<u8>>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        other => Err(refused_or_unexpected(call, &other)),
    }
}

/// A number.
pub(crate) fn number(call: &Call, value: Value) -> Result<i64, Error> {
    match value {
        Value::Int(number) => Ok(number),
        other => Err(refused_or_unexpected(call, &other)),
    }
}

/// `OK` is `true`, and nothing, as of a condition that did not hold, is `false`.
pub(crate) fn done(call: &Call, value: Value) -> Result<bool, Error> {
    match value {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        other => Err(refused_or_unexpected(call, &other)),
    }
}

/// Several answers in one.
pub(crate) fn list(call: &Call, value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(refused_or_unexpected(call, &other)),
    }
}

pub(crate) fn refused_or_unexpected(call: &Call, value: &Value) -> Error {
    match value {
        Value::ServerError(refusal) => error::refused(call, refusal),
        _ => error::unexpected(call),
    }
}
