//! Asks a server about itself, past the store.

use crate::{stores::scheme, url::without_parameters};

mod memcached;
pub(crate) mod mongodb;
mod redis;

/// What a server says about itself, as far as it does.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Such as `Redis 7.0.15`.
    pub(crate) server: String,
    /// How it works with others, such as `cluster`.
    pub(crate) mode: Option<String>,
    /// The operations that it has carried out since it was started.
    pub(crate) operations: Option<u64>,
    /// Its clock, in milliseconds since 1970.
    pub(crate) clock_ms: Option<i64>,
    /// What an operator should know: (name, text, whether it is a problem).
    pub(crate) notes: Vec<(&'static str, String, bool)>,
}

/// Asks the server of a URL, or of several the first. Returns `None` if it does not answer, or if no server is
/// involved.
pub(crate) async fn ask(url: &str) -> Option<Facts> {
    let scheme = scheme(url);
    match &*scheme {
        "memcached" => memcached::ask(url).await,
        "mongodb" | "mongodb+srv" => mongodb::ask(url).await,
        scheme
            if scheme.starts_with("redis") || scheme.starts_with("valkey") || scheme == "unix" =>
        {
            redis::ask(url).await
        }
        _ => None,
    }
}

/// Returns what stands after `://`, without parameters.
fn rest(url: &str) -> String {
    let url = without_parameters(url, |_| true);
    url.split_once("://").map_or(String::new(), |(_, rest)| rest.to_owned())
}
