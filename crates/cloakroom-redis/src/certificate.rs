//! Reads the parts of an X.509 certificate that decide whether OpenSSL accepts it, and that rustls does not expose.

use cloakroom_core::to_iso_string;
use tokio_rustls::rustls::{
    CertificateError,
    pki_types::{ServerName, SubjectPublicKeyInfoDer, UnixTime},
};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// `id-ce-subjectAltName`, 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The parts of a certificate (RFC 5280, section 4.1).
pub(crate) struct Certificate<'a> {
    pub(crate) is_version_1: bool,
    pub(crate) key: PublicKey<'a>,
    not_before: String,
    not_after: String,
    common_names: Vec<&'a str>,
    has_dns_names: bool,
}

pub(crate) struct PublicKey<'a> {
    pub(crate) info: SubjectPublicKeyInfoDer<'a>,
    /// The content of the algorithm's identifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) bits: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Parses a certificate in DER. Returns `None` if it is malformed.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut fields = Reader(Reader(Reader(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
        let is_version_1 = fields.expect(VERSION).is_none();
        // The serial number, the signature algorithm and the issuer are not needed.
        for _ in 0..3 {
            fields.next()?;
        }
        let mut validity = Reader(fields.expect(SEQUENCE)?);
        let (not_before, not_after) = (date(validity.next()?)?, date(validity.next()?)?);
        let common_names = common_names(fields.expect(SEQUENCE)?)?;
        let key = PublicKey::parse(fields.next()?)?;
        let mut has_dns_names = false;
        while let Some(field) = fields.next() {
            if field.tag == EXTENSIONS {
                has_dns_names = has_dns_name(Reader(field.content).expect(SEQUENCE)?)?;
            }
        }
        Some(Self { is_version_1, key, not_before, not_after, common_names, has_dns_names })
    }

    /// Rejects a certificate that is not valid yet or has expired.
    pub(crate) fn check_time(&self, now: UnixTime) -> Result<(), CertificateError> {
        let ms = i64::try_from(now.as_secs()).ok().and_then(|secs| secs.checked_mul(1_000));
        let now = ms.and_then(to_iso_string).ok_or(CertificateError::BadEncoding)?;
        let now: String = now.chars().filter(char::is_ascii_digit).take(14).collect();
        if now < self.not_before {
            Err(CertificateError::NotValidYet)
        } else if now > self.not_after {
            Err(CertificateError::Expired)
        } else {
            Ok(())
        }
    }

    /// Returns true if the subject's common name matches the host. It counts only if the certificate has no DNS names,
    /// as in `checkServerIdentity` of Node.js 20.
    pub(crate) fn is_subject(&self, host: &ServerName<'_>) -> bool {
        let ServerName::DnsName(host) = host else { return false };
        !self.has_dns_names && self.common_names.iter().any(|name| matches(host.as_ref(), name))
    }
}

/// Compares a host with a name of the certificate. A `*` matches the first label of a name that has at least three.
fn matches(host: &str, name: &str) -> bool {
    let host = host.trim_end_matches('.');
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(rest), Some((_, domain))) => rest.contains('.') && domain.eq_ignore_ascii_case(rest),
        _ => host.eq_ignore_ascii_case(name),
    }
}

impl<'a> PublicKey<'a> {
    fn parse(info: Element<'a>) -> Option<Self> {
        let mut fields = Reader(info.content);
        let algorithm = fields.expect(SEQUENCE)?;
        // The first byte of a BIT STRING is the number of unused bits at its end; a key has no unused bits.
        let bits = fields.expect(BIT_STRING)?.strip_prefix(&[0])?;
        Some(Self { info: SubjectPublicKeyInfoDer::from(info.whole), algorithm, bits })
    }
}

/// Returns the time as `YYYYMMDDHHMMSS` in UTC.
fn date(time: Element<'_>) -> Option<String> {
    let text = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    if time.tag != UTC_TIME {
        return Some(text.to_owned());
    }
    // Two-digit years from 50 on belong to the 20th century (RFC 5280, section 4.1.2.5.1).
    let century = if text.get(..2)? < "50" { "20" } else { "19" };
    Some(format!("{century}{text}"))
}

/// Returns the subject's common names, or `None` if the subject is malformed.
fn common_names(subject: &[u8]) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut sets = Reader(subject);
    while let Some(set) = sets.next() {
        let mut attributes = Reader(set.content);
        while let Some(attribute) = attributes.next() {
            let mut attribute = Reader(attribute.content);
            if attribute.expect(OBJECT_IDENTIFIER)? == COMMON_NAME {
                names.extend(std::str::from_utf8(attribute.next()?.content));
            }
        }
    }
    Some(names)
}

/// Returns true if the extensions contain a DNS name, or `None` if they are malformed. With one, the common name does
/// not count.
fn has_dns_name(extensions: &[u8]) -> Option<bool> {
    let mut extensions = Reader(extensions);
    while let Some(extension) = extensions.next() {
        let mut fields = Reader(extension.content);
        if fields.expect(OBJECT_IDENTIFIER)? != ALTERNATIVE_NAMES {
            continue;
        }
        // The optional flag `critical` may precede the value.
        while let Some(field) = fields.next() {
            if field.tag == OCTET_STRING {
                let mut names = Reader(Reader(field.content).expect(SEQUENCE)?);
                return Some(std::iter::from_fn(|| names.next()).any(|name| name.tag == DNS_NAME));
            }
        }
    }
    Some(false)
}

/// An element of DER.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
}

/// Reads one element of DER after another; `None` at the end and for malformed DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, header) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let bytes = rest.get(..usize::from(first & 0x7f)).filter(|bytes| bytes.len() <= 3)?;
            let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, 2 + bytes.len())
        };
        let (whole, rest) = self.0.split_at_checked(header + length)?;
        self.0 = rest;
        Some(Element { tag, whole, content: &whole[header..] })
    }

    /// Returns the content of the next element if it has this tag. Otherwise it reads nothing.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if *self.0.first()? == tag { self.next().map(|element| element.content) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_node() {
        for (host, name, wanted) in [
            ("localhost", "localhost", true),
            ("LocalHost.", "localhost", true),
            ("a.example.com", "*.example.com", true),
            ("a.b.example.com", "*.example.com", false),
            ("example.com", "*.com", false),
            ("localhost", "*", false),
            ("a.example.com", "example.com", false),
        ] {
            assert_eq!(matches(host, name), wanted, "{host} {name}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for bytes in [&[][..], b"0", &[0x30, 0x80], &[0x30, 0x84, 0xff], &[0x30, 2, 0x30, 0]] {
            assert!(Certificate::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn dates_have_a_century() {
        let date = |tag, text: &'static str| {
            date(Element { tag, whole: &[], content: text.as_bytes() }).unwrap()
        };
        assert_eq!(date(UTC_TIME, "491231235959Z"), "20491231235959");
        assert_eq!(date(UTC_TIME, "500101000000Z"), "19500101000000");
        assert_eq!(date(0x18, "20500101000000Z"), "20500101000000");
    }
}
