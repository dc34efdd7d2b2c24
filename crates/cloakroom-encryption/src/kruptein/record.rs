//! The stored text of kruptein: encoded DER, or JSON. It names neither the version nor the cipher nor the digest, so
//! these follow from its form and from the length of the HMAC.

use serde::{Deserialize, Serialize};

use super::options::{KrupteinAlgorithm, KrupteinVersion};
use crate::{EncodeAs, Hashing, der, encode_as::NodeBuffer, key::Key};

/// The parts of a stored text.
pub(super) struct Record {
    /// The ciphertext, and its encoded text, over which most generations compute the HMAC.
    pub(super) ciphertext: Vec<u8>,
    pub(super) ciphertext_text: String,
    pub(super) hmac: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) salt: Vec<u8>,
    /// The additions of GCM. `None` with CBC.
    pub(super) authenticated: Option<Authenticated>,
}

/// GCM's tag and its additional data.
pub(super) struct Authenticated {
    pub(super) tag: Vec<u8>,
    pub(super) data: Vec<u8>,
}

/// A record, and what its form reveals about its writer.
pub(super) struct Found {
    pub(super) record: Record,
    /// The generations that write this form.
    pub(super) versions: &'static [KrupteinVersion],
    pub(super) hashing: Hashing,
}

impl Record {
    pub(super) fn algorithm(&self) -> KrupteinAlgorithm {
        match self.authenticated {
            Some(_) => KrupteinAlgorithm::Aes256Gcm,
            None => KrupteinAlgorithm::InsecureAes256Cbc,
        }
    }

    /// Computes the HMAC as this generation does: over the ciphertext, or over the ciphertext, the salt and the IV.
    pub(super) fn hmac(&self, version: KrupteinVersion, hashing: Hashing, key: &Key) -> Vec<u8> {
        // kruptein 3.1.1 to 3.3.0 compute `text + salt + iv`. JavaScript decodes the buffers as UTF-8 there, with
        // U+FFFD for invalid bytes, so the HMAC covers only a part of them.
        let (salt, iv) = (String::from_utf8_lossy(&self.salt), String::from_utf8_lossy(&self.iv));
        let text = self.ciphertext_text.as_bytes();
        let parts = match version {
            KrupteinVersion::V2 | KrupteinVersion::V3_0 => [text, &[], &[]],
            KrupteinVersion::V3_1_1 | KrupteinVersion::V3_1_3 => {
                [text, salt.as_bytes(), iv.as_bytes()]
            }
            KrupteinVersion::V3_4 => [&*self.ciphertext, &self.salt, &self.iv],
        };
        hashing.hmac(&**key, &parts)
    }

    /// Reads a stored text of any generation and encoding. `None` if kruptein does not write such a text.
    pub(super) fn read(stored: &str) -> Option<Found> {
        if stored.starts_with('{') {
            let json: AnyJson = serde_json::from_str(stored).ok()?;
            ENCODINGS.into_iter().find_map(|encode_as| read_json(&json, encode_as))
        } else {
            ENCODINGS.into_iter().find_map(|encode_as| read_der(stored, encode_as))
        }
    }

    /// Writes the form of 3.0 and later. Before 3.4, encoded texts stand in the strings, so the whole is base64 of
    /// base64.
    pub(super) fn write_der(&self, version: KrupteinVersion, encode_as: EncodeAs) -> String {
        let inner = |bytes: &[u8]| match version {
            KrupteinVersion::V3_4 => bytes.to_vec(),
            _ => encode_as.encode(bytes).into_bytes(),
        };
        let (ciphertext, hmac) = (inner(&self.ciphertext), inner(&self.hmac));
        let (tag, data) = match &self.authenticated {
            Some(Authenticated { tag, data }) => (&**tag, inner(data)),
            None => (&[][..], Vec::new()),
        };
        let strings = [&*ciphertext, &*hmac, &*self.iv, &*self.salt, tag, &*data];
        // With CBC, kruptein 3.4 writes the two strings of GCM empty; the earlier generations leave them out.
        let is_short = self.authenticated.is_none() && version < KrupteinVersion::V3_4;
        encode_as.encode(&der::write(if is_short { &strings[..4] } else { &strings }))
    }

    /// Writes the form of 2.x, and of later versions with `use_asn1: false`.
    pub(super) fn write_json(&self, version: KrupteinVersion, encode_as: EncodeAs) -> String {
        let authenticated = self.authenticated.as_ref();
        let hmac = encode_as.encode(&self.hmac);
        let data = authenticated.map(|found| encode_as.encode(&found.data));
        let written = if version == KrupteinVersion::V3_4 {
            serde_json::to_string(&Json34 {
                ct: &self.ciphertext_text,
                hmac,
                iv: encode_as.encode(&self.iv),
                salt: encode_as.encode(&self.salt),
                at: authenticated.map(|found| encode_as.encode(&found.tag)),
                aad: data,
            })
        } else {
            serde_json::to_string(&Json {
                hmac,
                ct: &self.ciphertext_text,
                iv: NodeBuffer::new(&self.iv),
                salt: NodeBuffer::new(&self.salt),
                aad: data,
                at: authenticated.map(|found| NodeBuffer::new(&found.tag)),
            })
        };
        written.expect("texts and numbers are always JSON")
    }
}

/// The encodings in the order in which they are tried. Hex comes before base64, because every hex text is also a base64
/// text, but a base64 text of random bytes is practically never a hex text.
const ENCODINGS: [EncodeAs; 4] =
    [EncodeAs::Hex, EncodeAs::Base64, EncodeAs::Base64Url, EncodeAs::Binary];

/// The generations that write DER with the text of the ciphertext in it.
const DER_OF_TEXT: &[KrupteinVersion] =
    &[KrupteinVersion::V3_0, KrupteinVersion::V3_1_1, KrupteinVersion::V3_1_3];

fn read_der(stored: &str, encode_as: EncodeAs) -> Option<Found> {
    let bytes = encode_as.decode(stored)?;
    let [ciphertext, hmac, iv, salt, tag, data] = der::read::<6>(&bytes).or_else(|| {
        let [ciphertext, hmac, iv, salt] = der::read::<4>(&bytes)?;
        Some([ciphertext, hmac, iv, salt, &[], &[]])
    })?;
    let inner = |bytes| encode_as.decode(str::from_utf8(bytes).ok()?);
    // Before 3.4 these are encoded texts. The bytes of an HMAC are practically never such a text.
    let (ciphertext, hmac, data, versions) = match inner(hmac) {
        Some(hmac) => (inner(ciphertext)?, hmac, inner(data)?, DER_OF_TEXT),
        None => (ciphertext.to_vec(), hmac.to_vec(), data.to_vec(), &[KrupteinVersion::V3_4][..]),
    };
    let is_cbc = tag.is_empty() && data.is_empty();
    Some(Found {
        hashing: Hashing::of_length(hmac.len())?,
        record: Record {
            ciphertext_text: encode_as.encode(&ciphertext),
            ciphertext,
            hmac,
            iv: iv.to_vec(),
            salt: salt.to_vec(),
            authenticated: (!is_cbc).then(|| Authenticated { tag: tag.to_vec(), data }),
        },
        versions,
    })
}

/// The JSON of 2.0 to 3.3. The order of the members is that of kruptein.
#[derive(Serialize)]
struct Json<'a> {
    hmac: String,
    ct: &'a str,
    iv: NodeBuffer,
    salt: NodeBuffer,
    #[serde(skip_serializing_if = "Option::is_none")]
    aad: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<NodeBuffer>,
}

/// The JSON of 3.4.
#[derive(Serialize)]
struct Json34<'a> {
    ct: &'a str,
    hmac: String,
    iv: String,
    salt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aad: Option<String>,
}

/// The JSON of any generation.
#[derive(Deserialize)]
struct AnyJson {
    ct: String,
    hmac: String,
    iv: Bytes,
    salt: Bytes,
    at: Option<Bytes>,
    aad: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Buffer(NodeBuffer),
    Text(String),
}

fn read_json(json: &AnyJson, encode_as: EncodeAs) -> Option<Found> {
    let hmac = encode_as.decode(&json.hmac)?;
    let is_3_4 = matches!(json.salt, Bytes::Text(_));
    let bytes = |bytes: &Bytes| match bytes {
        Bytes::Text(text) if is_3_4 => encode_as.decode(text),
        Bytes::Buffer(buffer) if !is_3_4 => buffer.bytes().map(<[u8]>::to_vec),
        _ => None,
    };
    let authenticated = match (&json.at, &json.aad) {
        (Some(tag), Some(data)) => {
            Some(Authenticated { tag: bytes(tag)?, data: encode_as.decode(data)? })
        }
        (None, None) => None,
        _ => return None,
    };
    Some(Found {
        hashing: Hashing::of_length(hmac.len())?,
        record: Record {
            ciphertext: encode_as.decode(&json.ct)?,
            ciphertext_text: json.ct.clone(),
            hmac,
            iv: bytes(&json.iv)?,
            salt: bytes(&json.salt)?,
            authenticated,
        },
        versions: if is_3_4 {
            &[KrupteinVersion::V3_4]
        } else {
            &[KrupteinVersion::V2, KrupteinVersion::V3_1_3]
        },
    })
}
