//! The outcome of a request, in the terms of a case.

use super::Observed;
use crate::json::Json;

/// The error of express-session for a record without a cookie. The layer words it differently.
const NO_COOKIE: &str = "Cannot read properties of undefined (reading 'expires')";

/// Returns the members of a case that describe the outcome of its request.
pub(super) fn as_express(observed: &Observed) -> Json {
    let errors: Vec<Json> = observed.errors.iter().map(|text| Json::from(text_of(text))).collect();
    let is_refused = observed.status == 500;
    let first_error = errors.first().and_then(Json::text).unwrap_or_default();
    let calls = observed.events.iter().filter(|event| is_call(event)).cloned().collect();
    let set_cookie = match &observed.set_cookie[..] {
        [] => Json::Null,
        lines => Json::Array(lines.iter().map(|line| Json::from(&**line)).collect()),
    };
    Json::object(vec![
        ("events".into(), Json::Array(events(observed, is_refused, errors.len()))),
        ("calls".into(), Json::Array(calls)),
        ("status".into(), Json::Number(observed.status.into())),
        ("setCookie".into(), set_cookie),
        // The recording's app answers with the error; the layer does not reveal it.
        ("body".into(), Json::from(if is_refused { &*first_error } else { &*observed.body })),
        ("nextErrors".into(), Json::Array(errors)),
        ("seen".into(), observed.seen.clone().unwrap_or(Json::Null)),
    ])
}

/// Returns true for a store call, and false for its completion.
fn is_call(event: &Json) -> bool {
    let operation = event.items().first().and_then(Json::text);
    operation.is_some_and(|operation| !operation.ends_with(".done"))
}

/// Returns the events, with those that only an Express app has. If a request is refused, `next(err)` and the `end` of
/// its error handler follow the `get`. Otherwise Express reports an error after the response, and the layer before it.
fn events(observed: &Observed, is_refused: bool, errors: usize) -> Vec<Json> {
    let mut events = observed.events.clone();
    if is_refused {
        events.splice(1..1, ["next(err)".into(), "end".into()]);
    }
    events.push("finish".into());
    if !is_refused {
        events.extend(std::iter::repeat_n(Json::from("next(err)"), errors));
    }
    events
}

/// Returns the message of an error, without the text before it.
fn text_of(error: &str) -> &str {
    let message = error.rsplit(": ").next().unwrap_or(error);
    if message.starts_with("the record has no cookie") { NO_COOKIE } else { message }
}
