//! Compressed content: `zip` with the value `DEF` (RFC 7516, section 4.1.3).

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The longest content in bytes, as in jose 4.15 and 6.2. A token of some kilobytes could expand to a thousand times that.
const MOST: usize = 250_000;

/// Returns the content, or `None` if it is longer than [`MOST`] bytes or cannot be inflated.
pub(crate) fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    // One more, since content that fills the buffer looks as if more followed.
    let content = decompress_to_vec_with_limit(compressed, MOST + 1).ok()?;
    (content.len() <= MOST).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored block of DEFLATE (RFC 1951, section 3.2.4) holds at most 65,535 bytes as they are.
    fn stored(length: usize) -> Vec<u8> {
        let content = vec![b'a'; length];
        let mut compressed = Vec::new();
        for block in content.chunks(65_535) {
            let length = block.len() as u16;
            compressed.push(0);
            compressed.extend(length.to_le_bytes());
            compressed.extend((!length).to_le_bytes());
            compressed.extend(block);
        }
        compressed.extend([1, 0, 0, 0xff, 0xff]);
        compressed
    }

    #[test]
    fn content_is_inflated_up_to_the_limit() {
        for length in [0, 1, 65_535, 65_536, MOST - 1, MOST] {
            assert_eq!(inflate(&stored(length)).map(|content| content.len()), Some(length));
        }
        assert_eq!(inflate(&stored(MOST + 1)), None);
        let cut = stored(100);
        for length in 0..cut.len() {
            assert_eq!(inflate(&cut[..length]), None, "{length}");
        }
        assert_eq!(inflate(&[0xff; 40]), None);
    }
}
