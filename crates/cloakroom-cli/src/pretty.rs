//! Indents a JSON text and changes no token of it: a number stays as it was written, and so does an escape.

/// Returns the text with a line for each member and item.
pub(crate) fn pretty(json: &str) -> String {
    let mut pretty = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if is_text {
            pretty.push(character);
            is_text = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
            continue;
        }
        match character {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                is_text = true;
                pretty.push(character);
            }
            '{' | '[' => {
                pretty.push(character);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    pretty.push(end);
                } else {
                    depth += 1;
                    line(&mut pretty, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut pretty, depth);
                pretty.push(character);
            }
            ',' => {
                pretty.push(character);
                line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            _ => pretty.push(character),
        }
    }
    pretty
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    // A record can be nested so deeply that its indentation would take more memory than there is.
    text.push_str(&"  ".repeat(depth.min(20)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_stays() {
        let text = r#"{ "a":1.0,"b":[ ],"c":{"d":"\ud83d,{\"}"},"e":[1,{}]}"#;
        let wanted = "{\n  \"a\": 1.0,\n  \"b\": [],\n  \"c\": {\n    \"d\": \"\\ud83d,{\\\"}\"\n  },\n  \"e\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(pretty(text), wanted);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(pretty(&deep).len() < 10_000_000);
    }
}
