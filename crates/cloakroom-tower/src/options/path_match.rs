//! How the cookie's path is compared with a request's.

/// How the cookie's path is compared with a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathMatch {
    /// As text: `/admin` matches `/administrator` too (express-session 1.19.0).
    Prefix,
    /// By whole segments, as browsers do (RFC 6265, 5.1.4).
    Segments,
}

impl PathMatch {
    /// Returns true if a request for `path` has the session of a cookie for `cookie_path`.
    pub(crate) fn matches(self, cookie_path: &str, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(cookie_path) else { return false };
        match self {
            Self::Prefix => true,
            Self::Segments => {
                rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_text_or_by_segments() {
        // Path of the cookie, path of the request, as text (observed on express-session 1.19.0), by segments.
        let rows = [
            ("/", "/", true, true),
            ("/", "/x", true, true),
            ("/", "*", false, false),
            ("/admin", "/admin", true, true),
            ("/admin", "/admin/", true, true),
            ("/admin", "/admin/x", true, true),
            ("/admin", "/administrator", true, false),
            ("/admin", "/Admin", false, false),
            ("/admin", "/x/admin", false, false),
            ("/admin", "/%61dmin", false, false),
            ("/admin", "//admin", false, false),
            ("/admin/", "/admin", false, false),
            ("/admin/", "/admin/x", true, true),
        ];
        for (cookie, path, prefix, segments) in rows {
            assert_eq!(PathMatch::Prefix.matches(cookie, path), prefix, "{cookie} {path}");
            assert_eq!(PathMatch::Segments.matches(cookie, path), segments, "{cookie} {path}");
        }
    }
}
