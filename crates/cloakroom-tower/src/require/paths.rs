//! Paths as a guard compares them.

use std::borrow::Cow;

use cloakroom_core::decode_uri_component;

use crate::PathMatch;

/// Returns true if a browser that is sent to this location asks for this path. A location with a host never does.
pub(super) fn leads_to(location: &str, path: &str) -> bool {
    let own = location.split(['?', '#']).next().unwrap_or_default();
    let is_local = own.starts_with('/') && !own.starts_with("//");
    // Browsers resolve dots before they ask. A location with a slash at its end can be another route, so that one has
    // to be equal as text.
    let is_resolved = || {
        !own.ends_with('/')
            && decode_uri_component(own)
                .is_some_and(|own| resolved(&own, &['/', '\\'], true) == path)
    };
    is_local && (own == path || is_resolved())
}

pub(super) fn is_below(above: &str, path: &str) -> bool {
    PathMatch::Segments.matches(above, path)
}

/// As [`is_below`], in any letter case: Express compares its routes so, unless an app sets `case sensitive routing`.
pub(super) fn is_below_in_any_case(above: &str, path: &str) -> bool {
    let start = path.get(..above.len()).filter(|start| start.eq_ignore_ascii_case(above));
    start.is_some_and(|start| is_below(start, path))
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

/// The longest path with escapes, dots or the like that is taken apart, in bytes.
const LONGEST: usize = 4_096;

/// Returns the paths that a server can take this one for: the path itself, and what is left of it if escapes are decoded
/// and dots are followed, in each order in which servers do that. Returns `None` if it cannot be decoded, and if it is
/// longer than 4,096 bytes and not the same for all servers.
///
/// A guard in front of other servers does not know how they read a path. To nginx, `/x%2Fy/../admin` is `/x/admin`, since
/// it decodes first; to Next.js and others that use the URLs of WHATWG, it is `/admin`. So guard a request if any of
/// these paths has to be guarded, and exempt it only if all of them are exempt.
///
/// Servers differ in these points:
///
/// - Dots are followed before escapes are decoded, afterwards, both times or never. `%2e` is a dot.
/// - An escaped slash or backslash separates segments, or it is a part of one. Where it is, it stays escaped here.
/// - A backslash separates segments, or it does not.
/// - Of several slashes in a row, one counts, or all. After two at the beginning there is a host, or there is not: to
///   `new URL(path, base)` of Node.js, `//x/admin` is `/admin`.
/// - A slash at the end counts, or it does not.
///
/// Letter case stays as it is. Express compares routes in any case by default, so compare these paths in any case with
/// what is guarded, if such a server is behind.
///
/// ```
/// use cloakroom_tower::path_readings;
///
/// assert_eq!(path_readings("/admin").unwrap(), ["/admin"]);
/// assert_eq!(path_readings("/%61dmin").unwrap(), ["/%61dmin", "/admin"]);
/// let readings = path_readings("/x%2Fy/../admin").unwrap();
/// assert!(readings.contains(&"/admin".to_owned()) && readings.contains(&"/x/admin".to_owned()));
/// assert_eq!(path_readings("/%ff"), None);
/// ```
#[must_use]
pub fn path_readings(path: &str) -> Option<Vec<String>> {
    let is_plain = path == "/"
        || !path.contains(['%', '\\'])
            && !path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."));
    if is_plain {
        return Some(vec![path.to_owned()]);
    }
    if path.len() > LONGEST {
        return None;
    }
    let starts = with_resolutions(path);
    let mut decoded = Vec::new();
    for start in &starts {
        add(&mut decoded, &decode_uri_component(start)?);
        add(&mut decoded, &decoded_segments(start)?);
    }
    let mut readings = Vec::new();
    for reading in starts.into_iter().chain(decoded.iter().flat_map(|path| with_resolutions(path)))
    {
        let without_slash = reading.trim_end_matches('/');
        add(&mut readings, if without_slash.is_empty() { "/" } else { without_slash });
        add(&mut readings, &reading);
    }
    Some(readings)
}

fn add(readings: &mut Vec<String>, reading: &str) {
    if !readings.iter().any(|known| known == reading) {
        readings.push(reading.to_owned());
    }
}

/// Returns what follows the host in a path that is a reference to another site, as browsers and WHATWG's URLs read it.
fn without_host(path: &str) -> Option<String> {
    const SEPARATORS: [char; 2] = ['/', '\\'];
    let rest = path.strip_prefix('/')?.strip_prefix(SEPARATORS)?;
    // They skip all further slashes.
    let (_, path) = rest.trim_start_matches(SEPARATORS).split_once(SEPARATORS).unwrap_or_default();
    Some(format!("/{path}"))
}

/// Decodes all escapes but those of a slash and of a backslash.
fn decoded_segments(path: &str) -> Option<String> {
    const SEPARATORS: [&str; 4] = ["%2F", "%2f", "%5C", "%5c"];
    let kept = SEPARATORS.iter().fold(path.to_owned(), |path, escape| {
        // Decoding the escape of the percent sign leaves the escape behind it.
        path.replace(escape, &format!("%25{}", escape.trim_start_matches('%')))
    });
    decode_uri_component(&kept).map(Cow::into_owned)
}

/// Returns the path, and what is left of it when a host is taken off and its dots are followed, in either order.
fn with_resolutions(path: &str) -> Vec<String> {
    let mut resolutions = Vec::new();
    add_resolutions(path, &mut resolutions);
    let hosted: Vec<_> = resolutions.iter().filter_map(|path| without_host(path)).collect();
    for path in hosted {
        add_resolutions(&path, &mut resolutions);
    }
    resolutions
}

fn add_resolutions(path: &str, resolutions: &mut Vec<String>) {
    add(resolutions, path);
    for separators in [&['/'][..], &['/', '\\']] {
        for merges in [false, true] {
            add(resolutions, &resolved(path, separators, merges));
        }
    }
}

/// Follows the dots in a path whose segments end at `separators`. If it `merges` slashes, empty segments do not count.
fn resolved(path: &str, separators: &[char], merges: bool) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_with_slash = false;
    for segment in path.strip_prefix(separators).unwrap_or(path).split(separators) {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        ends_with_slash = matches!(&*dots, "" | "." | "..");
        match &*dots {
            ".." => drop(segments.pop()),
            "." => {}
            // The last segment is what follows the slash at the end.
            "" if merges => {}
            _ => segments.push(segment),
        }
    }
    let path = format!("/{}", segments.join("/"));
    if ends_with_slash && !path.ends_with('/') { path + "/" } else { path }
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
