//! Reads and changes the parameters of a store's URL.

use std::{borrow::Cow, path::PathBuf};

use cloakroom::cookie::decode_uri_component;

/// Decodes the percent-encoding of a part of a URL. A store has refused a part that cannot be decoded.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    decode_uri_component(text).unwrap_or(Cow::Borrowed(text))
}

/// Returns the URL with another value of a parameter.
pub(crate) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (before, others) = without(url, |other| other == name);
    let ampersand = if others.is_empty() { "" } else { "&" };
    format!("{before}?{others}{ampersand}{name}={value}")
}

/// Returns the value of a parameter as it is written.
pub(crate) fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(found, value)| (decoded(found) == name).then_some(value))
}

/// Returns what stands between the scheme and the parameters.
pub(crate) fn path(url: &str) -> &str {
    let before = url.split('?').next().unwrap_or_default();
    before.split_once(':').map_or("", |(_, path)| path)
}

/// Returns the file of a URL of SQLite.
pub(crate) fn sqlite_file(url: &str) -> PathBuf {
    let file = path(url);
    // Two slashes stand before an absolute path.
    PathBuf::from(&*decoded(file.strip_prefix("//").unwrap_or(file)))
}

/// Returns the URL without the parameters that are picked.
pub(crate) fn without_parameters(url: &str, is_picked: impl Fn(&str) -> bool) -> String {
    match without(url, is_picked) {
        (before, others) if others.is_empty() => before.to_owned(),
        (before, others) => format!("{before}?{others}"),
    }
}

/// Returns the URL of MongoDB without the store's index. A new index would create the collection.
pub(crate) fn without_index(url: &str) -> String {
    let url = without_parameters(url, |name| name == "autoRemoveInterval");
    with_parameter(&url, "autoRemove", "disabled")
}

/// Returns what stands before the parameters, and those that are not picked.
fn without(url: &str, is_picked: impl Fn(&str) -> bool) -> (&str, String) {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let others = query.split('&').filter(|pair| {
        !pair.is_empty() && !is_picked(&decoded(pair.split('=').next().unwrap_or_default()))
    });
    (before, others.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_replaced_and_the_others_stay() {
        for (url, changed) in [
            ("redis://h", "redis://h?prefix=p:"),
            ("redis://h?", "redis://h?prefix=p:"),
            ("redis://h?%70refix=a&ttl=5", "redis://h?ttl=5&prefix=p:"),
            ("redis://h/1?ttl=5&prefix=a&scanCount=9", "redis://h/1?ttl=5&scanCount=9&prefix=p:"),
        ] {
            assert_eq!(with_parameter(url, "prefix", "p:"), changed);
            assert_eq!(parameter(changed, "prefix"), Some("p:"));
        }
        assert_eq!(without_parameters("redis://h?a=1&b=2", |name| name == "a"), "redis://h?b=2");
        assert_eq!(without_parameters("redis://h?a=1", |_| true), "redis://h");
        assert_eq!(parameter("redis://h?a=1", "b"), None);
    }
}
