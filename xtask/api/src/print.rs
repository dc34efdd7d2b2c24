//! Tokens as one line of text, spaced as rustfmt does it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns the tokens of a type, a path or a signature as text.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    append(&mut text, tokens.to_token_stream());
    text
}

fn append(text: &mut String, tokens: TokenStream) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    // Punctuation of several characters, such as `->`, is joined.
    let mut joined = String::new();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        match token {
            TokenTree::Punct(mark) => {
                joined.push(mark.as_char());
                if mark.spacing() == Spacing::Alone || !goes_on(&joined, next) {
                    punctuation(text, &joined, next);
                    joined.clear();
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => (" { ", " }"),
                    Delimiter::None => ("", ""),
                };
                let one = group.delimiter() == Delimiter::Parenthesis && is_one_tuple(text, group);
                if open == "[" && ends_word(text) {
                    text.push(' ');
                }
                text.push_str(if text.ends_with(' ') { open.trim_start() } else { open });
                append(text, group.stream());
                let content = text.trim_end().trim_end_matches(',').len();
                text.truncate(content);
                text.push_str(if one { "," } else { "" });
                text.push_str(close);
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if ends_word(text) || text.ends_with(['"', ')', ']']) {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
            }
        }
    }
}

/// Returns true if the text ends with a name or with the parameters of one.
fn ends_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
}

/// Returns true if the parentheses are those of a tuple with one member, which needs its comma.
fn is_one_tuple(before: &str, group: &proc_macro2::Group) -> bool {
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    !ends_word(before)
        && tokens.last().is_some_and(is_comma)
        && tokens.iter().filter(|token| is_comma(token)).count() == 1
}

fn goes_on(joined: &str, next: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Punct(next)) = next else { return false };
    ["->", "::", "=>", "==", ".."].contains(&&*format!("{joined}{}", next.as_char()))
}

fn punctuation(text: &mut String, mark: &str, next: Option<&TokenTree>) {
    // A trailing comma comes and goes with the line breaks.
    if mark == ">" {
        text.truncate(text.trim_end().trim_end_matches(',').len());
    }
    match mark {
        "," | ";" => *text += &format!("{mark} "),
        ":" => text.push_str(": "),
        "->" | "=" | "+" | "=>" | "==" | "|" => {
            text.truncate(text.trim_end().len());
            *text += &format!(" {mark} ");
        }
        "'" | "&" | "#" | "$" | "*" | "?" => {
            // After a name it begins something: `&'a dyn`, `for<'a> &'a`.
            if (ends_word(text) || text.ends_with(')')) && mark != "*" {
                text.push(' ');
            }
            text.push_str(mark);
        }
        _ => text.push_str(mark),
    }
    if mark == ">"
        && matches!(next, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace)
    {
        text.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_does_not_depend_on_line_breaks() {
        for (source, expected) in [
            (
                "impl < T : ? Sized + 'static > Store for Arc < T >",
                "impl<T: ?Sized + 'static> Store for Arc<T>",
            ),
            (
                "fn a ( & 'a self , b : & mut [ u8 ; 20 ] , ) -> Option < ( ) >",
                "fn a(&'a self, b: &mut [u8; 20]) -> Option<()>",
            ),
            (
                "Arc<dyn for<'a> Fn(&'a str,) -> Vec<u8,> + Send,>",
                "Arc<dyn for<'a> Fn(&'a str) -> Vec<u8> + Send>",
            ),
            ("<S as Service<R>>::Future", "<S as Service<R>>::Future"),
            (
                "where S: Into<(A,)>, S::Error: Into<(A, B,)>",
                "where S: Into<(A,)>, S::Error: Into<(A, B)>",
            ),
            ("*const T", "*const T"),
        ] {
            let tokens: TokenStream = source.parse().unwrap();
            assert_eq!(text(tokens), expected);
        }
    }
}
