//! Converts the server's answers. The conversions of the crate `redis` are not used, because their errors quote the
//! answer.

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::Value;

use crate::error;

/// Returns a string, or `None` for a nil answer.
pub(crate) fn text(operation: &Operation, value: Value) -> Result<Option<Vec<u8>>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// Returns a number, such as that of the keys which a command has changed.
pub(crate) fn number(operation: &Operation, value: Value) -> Result<i64, Error> {
    match value {
        Value::Int(number) => Ok(number),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// Returns true for `OK`, and false for a nil answer, which means that a condition did not hold.
pub(crate) fn done(operation: &Operation, value: Value) -> Result<bool, Error> {
    match value {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

pub(crate) fn list(operation: &Operation, value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(refused_or_unexpected(operation, &other)),
    }
}

/// Returns the error for an answer of another type: an error reply, or something that no Redis sends for this command.
pub(crate) fn refused_or_unexpected(operation: &Operation, value: &Value) -> Error {
    match value {
        Value::ServerError(refusal) => error::refused(operation, refusal),
        _ => error::unexpected(operation),
    }
}
