//! The middleware as an app sees it. The life of a session is tested by the program `frameworks` in `tests`.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]
#![allow(clippy::future_not_send, reason = "a request stays on its worker")]

mod errors;
mod extractor;
mod failing;
mod nested;
mod options;
mod site;
