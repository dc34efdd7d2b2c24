//! What kruptein encrypts for a session: `JSON.stringify` of what it is given, and from 3.4 on a word about its type.

use super::{
    super::{corrupt, quote, text, unquote},
    KrupteinPlaintext, KrupteinVersion,
};
use crate::{Error, name::is_name, scan};

/// The plaintext for the JSON text of a session.
pub(super) fn write(
    version: KrupteinVersion,
    form: KrupteinPlaintext,
    session_json: &str,
) -> String {
    let value = match form {
        KrupteinPlaintext::Object => session_json.to_owned(),
        KrupteinPlaintext::Text => quote(session_json),
        KrupteinPlaintext::QuotedText => quote(&quote(session_json)),
    };
    match (version, form) {
        (KrupteinVersion::V3_4, KrupteinPlaintext::Object) => {
            format!("{{\"type\":\"json\",\"value\":{value}}}")
        }
        (KrupteinVersion::V3_4, _) => format!("{{\"type\":\"string\",\"value\":{value}}}"),
        _ => value,
    }
}

/// The JSON text of the session, however it was wrapped.
pub(super) fn read(version: KrupteinVersion, plaintext: Vec<u8>) -> Result<String, Error> {
    let mut json = text(plaintext)?;
    if version == KrupteinVersion::V3_4 {
        json = unwrapped(&json).ok_or_else(|| corrupt("what was encrypted has no type"))?;
    }
    // A session is an object, so a string is always one more layer.
    while json.starts_with('"') {
        json = unquote(&json)?;
    }
    Ok(json)
}

/// The value within `{"type":"json","value":…}` or `{"type":"string","value":…}`, as JSON.
fn unwrapped(json: &str) -> Option<String> {
    // The scanner counts in 32 bits.
    u32::try_from(json.len()).ok()?;
    let members = scan::members(json).ok()?;
    let member =
        |name| Some(members.iter().rfind(|span| is_name(span.name(json), name))?.value(json));
    match member("type")? {
        "\"json\"" | "\"string\"" => Some(member("value")?.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::STORE, *};

    const SESSION: &str = r#"{"cookie":{},"a":"\ud800 \" é"}"#;

    #[test]
    fn every_wrapping_is_read() {
        use KrupteinPlaintext::*;
        use KrupteinVersion::*;

        for version in [V2, V3_0, V3_1_1, V3_1_3, V3_4] {
            for form in [Object, Text, QuotedText] {
                let written = write(version, form, SESSION);
                assert_eq!(read(version, written.into()).unwrap(), SESSION, "{version:?} {form:?}");
            }
        }
        assert_eq!(write(V3_0, Text, r#"{"a":1}"#), r#""{\"a\":1}""#);
        assert_eq!(write(V3_4, Object, r#"{"a":1}"#), r#"{"type":"json","value":{"a":1}}"#);
        assert_eq!(write(V3_4, Text, r#"{"a":1}"#), r#"{"type":"string","value":"{\"a\":1}"}"#);
    }

    #[test]
    fn what_is_no_wrapping_is_corrupt_and_never_shown() {
        for (version, plaintext) in [
            (KrupteinVersion::V3_4, &b"{\"a\":\"hush\"}"[..]),
            (KrupteinVersion::V3_4, b"{\"type\":\"buffer\",\"value\":\"hush\"}"),
            (KrupteinVersion::V3_4, b"\"hush\""),
            (KrupteinVersion::V3_4, b""),
            (KrupteinVersion::V3_0, b"\"hush"),
            (KrupteinVersion::V3_0, b"\"hush\" hush"),
            (KrupteinVersion::V3_0, b"hush\xff"),
        ] {
            let error = read(version, plaintext.to_vec()).unwrap_err();
            assert_eq!((error.kind(), error.store()), (crate::ErrorKind::Corrupt, STORE));
            assert!(!format!("{error:?}").contains("hush"));
        }
    }
}
