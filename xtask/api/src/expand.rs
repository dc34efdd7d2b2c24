//! Macros that a crate defines and calls for its own items, expanded: enough of `macro_rules!` for that.

use std::collections::BTreeMap;

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser};

/// What a macro's variables stand for.
type Variables = BTreeMap<String, Value>;

#[derive(Clone, Debug)]
enum Value {
    One(TokenStream),
    Many(Vec<Variables>),
}

/// Returns what the call of a macro becomes, or `None` if no rule takes it.
pub(crate) fn expand(rules: &TokenStream, input: &TokenStream) -> Option<TokenStream> {
    let input: Vec<TokenTree> = input.clone().into_iter().collect();
    self::rules(rules).into_iter().find_map(|(pattern, body)| {
        let pattern: Vec<TokenTree> = pattern.into_iter().collect();
        let (variables, rest) = take(&pattern, &input)?;
        rest.is_empty().then(|| fill(&body, &[&variables]))
    })
}

/// The rules of a macro: patterns and bodies.
pub(crate) fn rules(rules: &TokenStream) -> Vec<(TokenStream, TokenStream)> {
    let groups = rules.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let groups: Vec<TokenStream> = groups.collect();
    groups.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Takes what a pattern describes from the input. Returns its variables and the rest.
fn take<'a>(
    mut pattern: &[TokenTree],
    mut input: &'a [TokenTree],
) -> Option<(Variables, &'a [TokenTree])> {
    let mut variables = Variables::new();
    while let [first, after @ ..] = pattern {
        match (first, after) {
            (dollar, [TokenTree::Group(group), rest @ ..]) if is(dollar, '$') => {
                let (separator, rest) = repetition(rest);
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut times = Vec::new();
                while let Some((found, behind)) =
                    take(&inner, input).filter(|(_, behind)| behind.len() < input.len())
                {
                    times.push(found);
                    input = behind;
                    match (&separator, input) {
                        (Some(mark), [next, behind @ ..])
                            if next.to_string() == mark.to_string() =>
                        {
                            input = behind
                        }
                        (Some(_), _) => break,
                        (None, _) => {}
                    }
                }
                for name in names(&group.stream()) {
                    variables.insert(name, Value::Many(times.clone()));
                }
                pattern = rest;
            }
            (dollar, [TokenTree::Ident(name), colon, TokenTree::Ident(kind), rest @ ..])
                if is(dollar, '$') && is(colon, ':') =>
            {
                let (value, behind) = fragment(&kind.to_string(), input)?;
                variables.insert(name.to_string(), Value::One(value));
                (pattern, input) = (rest, behind);
            }
            (TokenTree::Group(group), rest) => {
                let (TokenTree::Group(other), behind) = input.split_first()? else { return None };
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let content: Vec<TokenTree> = other.stream().into_iter().collect();
                let (found, left) = take(&inner, &content)?;
                if !left.is_empty() || group.delimiter() != other.delimiter() {
                    return None;
                }
                variables.extend(found);
                (pattern, input) = (rest, behind);
            }
            (token, rest) => {
                let (other, behind) = input.split_first()?;
                if token.to_string() != other.to_string() {
                    return None;
                }
                (pattern, input) = (rest, behind);
            }
        }
    }
    Some((variables, input))
}

/// Takes one fragment, such as a type.
fn fragment<'a>(kind: &str, input: &'a [TokenTree]) -> Option<(TokenStream, &'a [TokenTree])> {
    fn length<T: Parse>(input: &[TokenTree]) -> Option<usize> {
        let parse = |stream: ParseStream<'_>| {
            stream.parse::<T>()?;
            Ok(stream.parse::<TokenStream>()?.into_iter().count())
        };
        let rest = parse.parse2(input.iter().cloned().collect()).ok()?;
        Some(input.len() - rest)
    }
    let length = match kind {
        "ty" => length::<syn::Type>(input),
        "path" => length::<syn::Path>(input),
        "expr" => length::<syn::Expr>(input),
        "literal" => length::<syn::Lit>(input),
        "lifetime" => length::<syn::Lifetime>(input),
        "vis" => length::<syn::Visibility>(input),
        "ident" => matches!(input.first(), Some(TokenTree::Ident(_))).then_some(1),
        "tt" => (!input.is_empty()).then_some(1),
        _ => None,
    }?;
    let (value, rest) = input.split_at(length);
    Some((value.iter().cloned().collect(), rest))
}

/// The body with its variables' values in place. The innermost repetition comes last.
fn fill(body: &TokenStream, scopes: &[&Variables]) -> TokenStream {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let find = |name: &str| scopes.iter().rev().find_map(|variables| variables.get(name));
    let mut filled = TokenStream::new();
    let mut rest = &tokens[..];
    while let [first, after @ ..] = rest {
        match (first, after) {
            (dollar, [TokenTree::Group(group), behind @ ..]) if is(dollar, '$') => {
                let (separator, behind) = repetition(behind);
                let many = names(&group.stream()).into_iter().find_map(|name| match find(&name) {
                    Some(Value::Many(times)) => Some(times),
                    _ => None,
                });
                for (index, variables) in many.into_iter().flatten().enumerate() {
                    if index > 0 {
                        filled.extend(separator.clone());
                    }
                    let scopes: Vec<&Variables> =
                        scopes.iter().copied().chain([variables]).collect();
                    filled.extend(fill(&group.stream(), &scopes));
                }
                rest = behind;
            }
            (dollar, [TokenTree::Ident(name), behind @ ..]) if is(dollar, '$') => {
                match find(&name.to_string()) {
                    Some(Value::One(value)) => filled.extend(value.clone()),
                    _ => filled.extend([TokenTree::Ident(name.clone())]),
                }
                rest = behind;
            }
            (TokenTree::Group(group), behind) => {
                let inner = fill(&group.stream(), scopes);
                filled.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
                rest = behind;
            }
            (token, behind) => {
                filled.extend([token.clone()]);
                rest = behind;
            }
        }
    }
    filled
}

/// Takes `sep *`, `sep +`, `*`, `+` or `?` from behind a repetition. Returns the separator and the rest.
fn repetition(after: &[TokenTree]) -> (Option<TokenTree>, &[TokenTree]) {
    let ends = |token: &TokenTree| ['*', '+', '?'].into_iter().any(|mark| is(token, mark));
    match after {
        [mark, rest @ ..] if ends(mark) => (None, rest),
        [separator, mark, rest @ ..] if ends(mark) => (Some(separator.clone()), rest),
        _ => (None, after),
    }
}

/// The names of the variables in a pattern or a body.
fn names(tokens: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match (token, tokens.get(index + 1)) {
            (dollar, Some(TokenTree::Ident(name))) if is(dollar, '$') => {
                found.push(name.to_string())
            }
            (TokenTree::Group(group), _) => found.extend(names(&group.stream())),
            _ => {}
        }
    }
    found
}

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::text;

    #[test]
    fn calls_are_expanded() {
        for (rules, input, expected) in [
            (
                "($($t:ty),+) => { $( impl Store for $t {} )+ }",
                "Arc<S>, &S",
                "impl Store for Arc<S> {} impl Store for &S {}",
            ),
            (
                "($n:ident, $f:literal) => { #[cfg(feature = $f)] fn $n() {} }",
                "a, \"b\"",
                "#[cfg(feature = \"b\")] fn a() {}",
            ),
            (
                "({ $($g:ident { $($n:ident [$($need:ident)*])* })* }) => { $($( $g $n = [$($need),*]; )*)* }",
                "{ get { a [] b [x y] } set { c [z] } }",
                "get a = []; get b = [x, y]; set c = [z];",
            ),
            (
                "($then:path, $($input:tt)*) => { $then! { $($input)* {1} } }",
                "table, a b",
                "table! { a b {1} }",
            ),
        ] {
            let tokens = |text: &str| text.parse::<TokenStream>().unwrap();
            let expanded = expand(&tokens(rules), &tokens(input)).unwrap();
            assert_eq!(text(expanded), text(tokens(expected)));
        }
        assert!(expand(&"(a) => {}".parse().unwrap(), &"b".parse().unwrap()).is_none());
    }
}
