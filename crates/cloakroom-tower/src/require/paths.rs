//! Paths as a guard compares them.

use cloakroom_core::decode_uri_component;

use crate::PathMatch;

/// Returns true if a browser that is sent to this location asks for this path. A location with a host never does.
pub(super) fn leads_to(location: &str, path: &str) -> bool {
    let own = location.split(['?', '#']).next().unwrap_or_default();
    let is_local = own.starts_with('/') && !own.starts_with("//");
    // Browsers resolve dots before they ask. A location with a slash at its end can be another route, so that one has
    // to be equal as text.
    let is_resolved = || !own.ends_with('/') && resolved_path(own).is_some_and(|own| own == path);
    is_local && (own == path || is_resolved())
}

pub(super) fn is_below(above: &str, path: &str) -> bool {
    PathMatch::Segments.matches(above, path)
}

/// Returns the paths as requests have them: with a slash at the beginning and without one at the end. A `/*` at the end
/// is dropped, since a path always includes the paths below it.
pub(super) fn absolute<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Vec<String> {
    let absolute = |path: String| {
        let path = path.trim_start_matches('/').trim_end_matches(['/', '*']);
        format!("/{path}")
    };
    paths.into_iter().map(Into::into).map(absolute).collect()
}

/// Returns the path as a server sees it that decodes escapes and follows dots, or `None` if it cannot be decoded. A
/// guard that compared only the text would let `/x/../admin` and `/%61dmin` pass.
///
/// ```
/// use cloakroom_tower::resolved_path;
///
/// assert_eq!(resolved_path("/x/..//%61dmin/").as_deref(), Some("/admin"));
/// assert_eq!(resolved_path("/%ff"), None);
/// ```
#[must_use]
pub fn resolved_path(path: &str) -> Option<String> {
    let decoded = decode_uri_component(path)?;
    let mut segments: Vec<&str> = Vec::new();
    // Some servers treat a backslash as a slash.
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    Some(format!("/{}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_to_its_own_path_alone() {
        for (location, path, leads) in [
            ("/login", "/login", true),
            ("/login?x=/y#z", "/login", true),
            ("/x/../login", "/login", true),
            ("/", "/", true),
            ("/login/", "/login/", true),
            ("/login/", "/login", false),
            ("/login", "/login/", false),
            ("/login", "/login/help", false),
            ("//login", "//login", false),
            ("https://example.com/login", "/login", false),
            ("login", "/login", false),
        ] {
            assert_eq!(leads_to(location, path), leads, "{location} {path}");
        }
    }
}
