//! Encrypted tokens in their compact form (RFC 7516) with direct keys: the two algorithms of NextAuth and Auth.js, one of
//! which better-auth uses, too.
//!
//! A token is five parts: a header, an empty key, an IV, the ciphertext and a tag. The header is authenticated as the
//! text that was sent, so nobody can change it either.

mod cipher;
mod encryption;
mod inflate;
mod key;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::json;

use crate::TokenRefusal;
pub(crate) use cipher::open;
pub(crate) use encryption::Encryption;
pub(crate) use inflate::inflate;
pub(crate) use key::Key;

/// Encrypts a text. The header says so, and the IV has as many bytes as the algorithm takes.
pub(crate) fn seal(key: &Key, header: &str, iv: &[u8], text: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.encode(header);
    let (ciphertext, tag) = cipher::seal(key, iv, header.as_bytes(), text.as_bytes())?;
    let [iv, ciphertext, tag] = [iv, &ciphertext, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Some(format!("{header}..{iv}.{ciphertext}.{tag}"))
}

/// A token taken apart, before anything of it is trusted.
pub(crate) struct Sealed<'a> {
    /// The first part as it was sent, which the tag covers.
    header_text: &'a str,
    pub(crate) encryption: Encryption,
    /// `None` if the header names no key, and an empty text if what it names is not a string.
    pub(crate) key_id: Option<String>,
    /// Whether the content has to be inflated.
    pub(crate) is_compressed: bool,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Sealed<'a> {
    /// Takes a token apart. The algorithm must be `dir`, and the encryption one of these.
    pub(crate) fn parse(token: &'a str, accepted: &[Encryption]) -> Result<Self, TokenRefusal> {
        let mut parts = token.split('.');
        let mut next = || parts.next().ok_or(TokenRefusal::Malformed);
        let (header_text, key, iv, ciphertext, tag) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() || !key.is_empty() {
            return Err(TokenRefusal::Malformed);
        }
        // Strict: no padding, no other unused bits, no white space. The packages write nothing else.
        let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed);
        let header = String::from_utf8(decode(header_text)?).map_err(|_| TokenRefusal::Header)?;
        let header = Header::parse(&header).ok_or(TokenRefusal::Header)?;
        let encryption = header.encryption(accepted)?;
        let (iv, ciphertext, tag) = (decode(iv)?, decode(ciphertext)?, decode(tag)?);
        let (key_id, is_compressed) = (header.key_id, header.compression.is_some());
        Ok(Self { header_text, encryption, key_id, is_compressed, iv, ciphertext, tag })
    }

    /// Returns the content, or `None` if this key does not decrypt it.
    pub(crate) fn open(self, key: &Key) -> Option<Vec<u8>> {
        let Self { header_text, iv, ciphertext, tag, .. } = self;
        cipher::open(key, &iv, header_text.as_bytes(), ciphertext, &tag)
    }

    /// As [`open`](Self::open), for a caller that has several keys to try.
    pub(crate) fn try_open(&self, key: &Key) -> Option<Vec<u8>> {
        let ciphertext = self.ciphertext.clone();
        cipher::open(key, &self.iv, self.header_text.as_bytes(), ciphertext, &self.tag)
    }
}

#[derive(Default)]
struct Header {
    algorithm: Option<String>,
    encryption: Option<String>,
    key_id: Option<String>,
    is_critical: bool,
    compression: Option<String>,
}

impl Header {
    fn parse(text: &str) -> Option<Self> {
        let mut header = Self::default();
        // Of two equal names the last counts, as in JavaScript.
        for (name, value) in json::members(text)? {
            let text = || json::unquote(value).map(std::borrow::Cow::into_owned);
            match &*name {
                "alg" => header.algorithm = text(),
                "enc" => header.encryption = text(),
                "kid" => header.key_id = Some(text().unwrap_or_default()),
                "crit" => header.is_critical = true,
                "zip" => header.compression = Some(text().unwrap_or_default()),
                _ => {}
            }
        }
        Some(header)
    }

    fn encryption(&self, accepted: &[Encryption]) -> Result<Encryption, TokenRefusal> {
        if self.is_critical {
            return Err(TokenRefusal::Header);
        }
        let is = |encryption: &&Encryption| self.encryption.as_deref() == Some(encryption.name());
        let encryption =
            accepted.iter().find(is).filter(|_| self.algorithm.as_deref() == Some("dir"));
        let encryption = *encryption.ok_or(TokenRefusal::Algorithm)?;
        let is_known = self.compression.as_ref().is_none_or(|compression| compression == "DEF");
        if is_known { Ok(encryption) } else { Err(TokenRefusal::Compressed) }
    }
}
