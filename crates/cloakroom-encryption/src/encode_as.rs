//! Bytes as text, in the encodings of Node.js (`buffer.toString(encoding)`).

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};

/// The encoding of bytes in the stored text: `encodeas` of kruptein, and `encoding` of the WebCrypto adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeAs {
    /// Node's `base64`, with padding.
    Base64,
    /// Node's `base64url`, without padding.
    Base64Url,
    /// Node's `hex`, lower case.
    Hex,
    /// Node's `binary`, one character per byte: the default of kruptein 2.
    Binary,
}

impl EncodeAs {
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => {
                let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
                bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
            }
            Self::Binary => bytes.iter().copied().map(char::from).collect(),
        }
    }

    /// Returns the bytes that [`encode`](Self::encode) writes as this text, or `None` if it writes no bytes like that.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text).ok(),
            Self::Hex => {
                let (pairs, rest) = text.as_bytes().as_chunks();
                let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
                if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
            }
            Self::Binary => text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect(),
        }
    }
}

/// The JSON of a Node.js `Buffer`, `{"type":"Buffer","data":[…]}`: what `JSON.stringify` makes of one. In the JSON of
/// kruptein 2.0 to 3.3, a salt of 128 bytes therefore takes about 450 characters.
#[derive(Serialize, Deserialize)]
pub(crate) struct NodeBuffer {
    r#type: String,
    data: Vec<u8>,
}

impl NodeBuffer {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { r#type: "Buffer".to_owned(), data: bytes.to_vec() }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (self.r#type == "Buffer").then_some(&self.data)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_node_writes_them() {
        for (encoding, text) in [
            (EncodeAs::Base64, "AP+/eg=="),
            (EncodeAs::Base64Url, "AP-_eg"),
            (EncodeAs::Hex, "00ffbf7a"),
            (EncodeAs::Binary, "\0ÿ¿z"),
        ] {
            assert_eq!(encoding.encode(&[0, 255, 191, 122]), text);
            assert_eq!(encoding.decode(text).unwrap(), [0, 255, 191, 122]);
            assert_eq!(encoding.decode(""), Some(Vec::new()));
            assert_eq!(encoding.decode("€"), None);
        }
    }

    #[test]
    fn a_text_has_one_form() {
        for (encoding, text) in [
            (EncodeAs::Base64, "AP+/eg"),
            (EncodeAs::Base64, "AP-_eg=="),
            (EncodeAs::Base64, "AP+/eh=="),
            (EncodeAs::Base64Url, "AP-_eg=="),
            (EncodeAs::Hex, "00FF"),
            (EncodeAs::Hex, "00f"),
        ] {
            assert_eq!(encoding.decode(text), None, "{text:?}");
        }
    }
}
