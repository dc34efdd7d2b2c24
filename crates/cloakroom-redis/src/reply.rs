//! What the server answered. The client's own conversions are not used: their errors quote the answer.

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::Value;

use crate::error;

/// A string, or `None` where there is none.
pub(crate) fn text(operation: &Operation, value: Value) -> Result<Option<Vec<u8>>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// A number.
pub(crate) fn number(operation: &Operation, value: Value) -> Result<i64, Error> {
    match value {
        Value::Int(number) => Ok(number),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// `OK` is `true`, and nothing, as of a condition that did not hold, is `false`.
pub(crate) fn done(operation: &Operation, value: Value) -> Result<bool, Error> {
    match value {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// Several answers in one.
pub(crate) fn list(operation: &Operation, value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

pub(crate) fn refused_or_unexpected(operation: &Operation, value: &Value) -> Error {
    match value {
        Value::ServerError(refusal) => error::refused(operation, refusal),
        _ => error::unexpected(operation),
    }
}
