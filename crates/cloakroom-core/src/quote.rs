//! Quoting in messages.

/// The most characters of a text that a message quotes.
const MOST: usize = 40;

/// The text in quotes; of a longer one the first 40 characters, and an ellipsis.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(quoted("a\n\"é"), "\"a\\n\\\"é\"");
        assert_eq!(quoted(&"é".repeat(40)), format!("\"{}\"", "é".repeat(40)));
        assert_eq!(quoted(&"é".repeat(400_000)), format!("\"{}\"…", "é".repeat(40)));
    }
}
