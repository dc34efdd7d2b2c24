//! Paths as the `config.matcher` of a Next.js middleware names them.

use cloakroom_core::{Error, ErrorKind};

/// A path pattern: segments, and then possibly a rest of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `:name`
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing follows.
    None,
    /// `:name?`
    AtMostOne,
    /// `:name*`
    Many,
    /// `:name+`
    AtLeastOne,
    /// `(.*)` or `((?!a|b).*)`: any text that begins with none of these.
    Except(Vec<Glob>),
}

const ACCEPTED: &str = "accepted are segments such as /admin and /:id, and at the end /:path*, /:path+, /:path?, \
                        /(.*) or /((?!api|_next/static).*)";

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for other patterns than these, with the pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::try_parse(text).ok_or_else(|| {
            let message = format!("invalid matcher {text:?}: {ACCEPTED}");
            Error::new(ErrorKind::Config, "authjs", "with_matcher", message)
        })
    }

    fn try_parse(text: &str) -> Option<Self> {
        let mut text = text.strip_prefix('/')?;
        let mut pattern = Self { segments: Vec::new(), rest: Rest::None };
        // The slashes of a group belong to it, and nothing follows it.
        if let Some(at) = text.find('(') {
            let (before, group) = text.split_at(at);
            pattern.rest = Rest::Except(except(group)?);
            text = match before {
                "" => before,
                before => before.strip_suffix('/').filter(|before| !before.is_empty())?,
            };
        }
        let names = text.split('/').filter(|_| !text.is_empty());
        for name in names {
            if pattern.rest != Rest::None && !matches!(pattern.rest, Rest::Except(_)) {
                return None;
            }
            let Some(parameter) = name.strip_prefix(':') else {
                let is_plain =
                    !name.is_empty() && !name.contains([':', '*', '+', '?', '{', '}', ')', '\\']);
                pattern.segments.push(Segment::Literal(is_plain.then(|| name.to_owned())?));
                continue;
            };
            let (parameter, rest) = match parameter.char_indices().next_back()? {
                (at, '?') => (&parameter[..at], Rest::AtMostOne),
                (at, '*') => (&parameter[..at], Rest::Many),
                (at, '+') => (&parameter[..at], Rest::AtLeastOne),
                _ => (parameter, Rest::None),
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if parameter.is_empty() || !parameter.chars().all(is_name) {
                return None;
            }
            match rest {
                Rest::None => pattern.segments.push(Segment::Any),
                _ if matches!(pattern.rest, Rest::Except(_)) => return None,
                rest => pattern.rest = rest,
            }
        }
        Some(pattern)
    }

    /// Returns true if the path matches as a whole. One slash at its end does not count.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let Some(mut left) = path.strip_prefix('/').map(Some) else { return false };
        for segment in &self.segments {
            let Some(text) = left.filter(|text| !text.is_empty()) else { return false };
            let (first, rest) = match text.split_once('/') {
                Some((first, rest)) => (first, Some(rest)),
                None => (text, None),
            };
            let is_met = match segment {
                Segment::Literal(literal) => first == literal,
                Segment::Any => !first.is_empty(),
            };
            if !is_met {
                return false;
            }
            left = rest;
        }
        if let Rest::Except(except) = &self.rest {
            return left.is_some_and(|left| except.iter().all(|glob| !glob.begins(left)));
        }
        let count = match left {
            None | Some("") => 0,
            Some(left) => {
                let left = left.strip_suffix('/').unwrap_or(left);
                if left.split('/').any(str::is_empty) {
                    return false;
                }
                left.split('/').count()
            }
        };
        match self.rest {
            Rest::None => count == 0,
            Rest::AtMostOne => count <= 1,
            Rest::AtLeastOne => count > 0,
            Rest::Many | Rest::Except(_) => true,
        }
    }
}

/// Returns the alternatives of `((?!a|b).*)`, and an empty list for `(.*)`.
fn except(group: &str) -> Option<Vec<Glob>> {
    if group == "(.*)" {
        return Some(Vec::new());
    }
    let alternatives = group.strip_prefix("((?!")?.strip_suffix(").*)")?;
    alternatives.split('|').map(Glob::parse).collect()
}

/// A part of a regular expression that needs no more than characters, `.` and `.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Is(char),
    AnyOne,
    AnyMany,
}

impl Glob {
    fn parse(text: &str) -> Option<Self> {
        let (text, is_anchored) = match text.strip_suffix('$') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let token = match char {
                '.' if chars.next_if_eq(&'*').is_some() => Token::AnyMany,
                '.' => Token::AnyOne,
                '\\' => Token::Is(chars.next().filter(char::is_ascii_punctuation)?),
                '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
                char => Token::Is(char),
            };
            tokens.push(token);
        }
        if !is_anchored {
            tokens.push(Token::AnyMany);
        }
        Some(Self(tokens))
    }

    /// Returns true if the text begins with what this describes, or is it as a whole if it is anchored with `$`.
    fn begins(&self, text: &str) -> bool {
        let (tokens, text): (_, Vec<char>) = (&self.0, text.chars().collect());
        let (mut token, mut at) = (0, 0);
        // Where the last `.*` stands, and how far it reaches. To reach further is the only choice, so this is quick.
        let mut star: Option<(usize, usize)> = None;
        loop {
            match tokens.get(token) {
                Some(Token::AnyMany) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                None if at == text.len() => return true,
                Some(Token::AnyOne) if at < text.len() => {}
                Some(Token::Is(char)) if text.get(at) == Some(char) => {}
                _ => {
                    let Some((place, reached)) = star.filter(|(_, reached)| *reached < text.len())
                    else {
                        return false;
                    };
                    star = Some((place, reached + 1));
                    (token, at) = (place + 1, reached + 1);
                    continue;
                }
            }
            (token, at) = (token + 1, at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_patterns_are_refused_with_what_is_accepted() {
        for text in [
            "",
            "admin",
            "/a*",
            "/:",
            "/:a*/b",
            "/:id(\\d+)",
            "/{a}",
            "/a//b",
            "/((?!a(b)).*)",
            "/(a|b)",
            "/x(.*)",
            "/((?!a).*)/b",
            "/:a?/(.*)",
            "/((?!\\d).*)",
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("invalid matcher {text:?}")), "{error}");
        }
    }

    #[test]
    fn a_long_path_is_compared_quickly() {
        let pattern = Pattern::parse("/((?!.*a.*a.*a.*a.*a.*b$).*)").unwrap();
        assert!(pattern.matches(&format!("/{}", "a".repeat(20_000))));
    }
}
