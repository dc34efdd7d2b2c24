//! What came of a request, in the words of a case.

use super::Observed;
use crate::json::Json;

/// What express-session says of a record without a cookie, where ours has words of its own.
const NO_COOKIE: &str = "Cannot read properties of undefined (reading 'expires')";

/// The members of a case that tell what came of its request.
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
        // The recording's app answers with the error; the layer says nothing of it.
        ("body".into(), Json::from(if is_refused { &*first_error } else { &*observed.body })),
        ("nextErrors".into(), Json::Array(errors)),
        ("seen".into(), observed.seen.clone().unwrap_or(Json::Null)),
    ])
}

/// A store call, not its completion.
fn is_call(event: &Json) -> bool {
    let operation = event.items().first().and_then(Json::text);
    operation.is_some_and(|operation| !operation.ends_with(".done"))
}

/// The events, with those that only an Express app has: where a request is refused, `next(err)` and the `end` of its
/// error handler follow the `get`; where it is not, an error is told when the response has gone, and here before.
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

/// The message of an error, without what stands before it.
fn text_of(error: &str) -> &str {
    let message = error.rsplit(": ").next().unwrap_or(error);
    if message.starts_with("the record has no cookie") { NO_COOKIE } else { message }
}
