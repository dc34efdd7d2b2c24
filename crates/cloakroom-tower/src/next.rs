//! Where a user wanted to go: paths on the same site, and nothing that leads a browser elsewhere.

use cloakroom_core::{decode_uri_component, encode_uri_component};

/// The longest path that is added to a redirect. Some proxies refuse longer URLs.
const MOST_BYTES: usize = 2_048;

/// Returns the text if it is a path of this site that a browser can be sent to, such as `/cart?page=2`, and `None`
/// otherwise.
///
/// A login page reads it from the parameter of [`RequireSession::with_next`](crate::RequireSession::with_next), which
/// anyone can write into a link. Redirect only to what this function returns: `//evil.example` and `/\evil.example`
/// lead browsers to another site.
///
/// An accepted path begins with one slash, is ASCII without spaces, and has at most 2,048 bytes. Both as it is and
/// decoded, it contains no double slash, no backslash, no control character, no `.` or `..` segment, and no escape that
/// is encoded again.
///
/// ```
/// use cloakroom_tower::own_path;
///
/// assert_eq!(own_path("/cart?page=2"), Some("/cart?page=2"));
/// assert_eq!(own_path("//evil.example"), None);
/// assert_eq!(own_path("https://evil.example/"), None);
/// let target = own_path("/\\evil.example").unwrap_or("/");
/// assert_eq!(target, "/");
/// ```
#[must_use]
pub fn own_path(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if text.len() > MOST_BYTES || !is_plain || !text.starts_with('/') {
        return None;
    }
    let path = text.split(['?', '#']).next()?;
    // A server or proxy on the way may decode the path.
    let decoded = decode_uri_component(path)?;
    let is_strange = |c: char| c == '\\' || c.is_control();
    let is_dots = decoded.split('/').any(|segment| matches!(segment, "." | ".."));
    let is_own = !decoded.contains("//")
        && !decoded.contains(is_strange)
        && !is_dots
        && !has_escape(&decoded);
    is_own.then_some(text)
}

fn has_escape(text: &str) -> bool {
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_escape)
}

/// Returns the location with another query parameter, before its fragment if it has one.
pub(crate) fn with_parameter(location: &str, name: &str, value: &str) -> String {
    let (location, fragment) = match location.find('#') {
        Some(at) => location.split_at(at),
        None => (location, ""),
    };
    let sign = match location.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let (name, value) = (encode_uri_component(name), encode_uri_component(value));
    format!("{location}{sign}{name}={value}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_own_site_is_returned_and_nothing_else() {
        for own in [
            "/",
            "/cart",
            "/cart/",
            "/cart?next=//x&y=%5C",
            "/caf%C3%A9",
            "/100%25",
            "/a%20b#top",
            "/@evil.example",
            "/.well-known/x",
            "/a..b/...",
            "/?//evil.example",
        ] {
            assert_eq!(own_path(own), Some(own));
        }
        for other in [
            "",
            "cart",
            "?x",
            "#x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/x\\y",
            "/x//evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " /cart",
            "/ca rt",
            "/café",
            "/x\r\nset-cookie: a=b",
            "/\u{0}",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "/%5Cevil.example",
            "/%5cevil.example",
            "/%09/evil.example",
            "/%0d%0aset-cookie:%20a=b",
            "/%00",
            "/%7F",
            "/%C2%85",
            "/%252Fevil.example",
            "/%25%32%46evil.example",
            "/%25252Fevil.example",
            "/./x",
            "/..//evil.example",
            "/x/../y",
            "/%2e%2e/x",
            "/x/%2E",
            "/%ff",
            "/%",
            "/%zz",
            "http://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "%2Fcart",
        ] {
            assert_eq!(own_path(other), None, "{other:?}");
        }
        let long = format!("/{}", "x".repeat(MOST_BYTES));
        assert_eq!(own_path(&long), None);
        assert!(own_path(&long[..MOST_BYTES]).is_some());
    }

    #[test]
    fn a_parameter_is_added_to_any_location() {
        for (location, with) in [
            ("/login", "/login?next=%2Fa%3Fb%3D1%262"),
            ("/login?", "/login?next=%2Fa%3Fb%3D1%262"),
            ("/login?x=1", "/login?x=1&next=%2Fa%3Fb%3D1%262"),
            ("/login?x=1&", "/login?x=1&next=%2Fa%3Fb%3D1%262"),
            ("/a&b", "/a&b?next=%2Fa%3Fb%3D1%262"),
            ("/a&", "/a&?next=%2Fa%3Fb%3D1%262"),
            ("/login#form", "/login?next=%2Fa%3Fb%3D1%262#form"),
            ("/login#a?b", "/login?next=%2Fa%3Fb%3D1%262#a?b"),
        ] {
            assert_eq!(with_parameter(location, "next", "/a?b=1&2"), with, "{location}");
        }
        assert_eq!(with_parameter("/l", "a b&", "/"), "/l?a%20b%26=%2F");
    }
}
