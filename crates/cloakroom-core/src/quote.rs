//! Quotes text in error messages.
//!
//! Names can be as long as a record; a message must fit into a line of a log.

/// The number of characters after which a quoted text is cut.
const MOST: usize = 40;

/// Returns the text in quotes. Cuts it after 40 characters and adds an ellipsis.
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
