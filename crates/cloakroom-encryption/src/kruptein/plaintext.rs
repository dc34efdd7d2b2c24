//! Plaintexts: the value as `JSON.stringify` prints it, and from 3.4 on inside an object that names its type.

use cloakroom_core::{Error, json};

use super::options::{KrupteinPlaintext, KrupteinVersion};
use crate::{
    error::corrupt,
    text::{decode, quote, unquote},
};

/// Returns the plaintext for the JSON text of a session.
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
    // Without the type, 3.4 could not tell a string that looks like JSON from an object.
    match (version, form) {
        (KrupteinVersion::V3_4, KrupteinPlaintext::Object) => {
            format!("{{\"type\":\"json\",\"value\":{value}}}")
        }
        (KrupteinVersion::V3_4, _) => format!("{{\"type\":\"string\",\"value\":{value}}}"),
        _ => value,
    }
}

/// Returns the JSON text of the session, however it was wrapped.
pub(super) fn read(version: KrupteinVersion, plaintext: Vec<u8>) -> Result<String, Error> {
    let mut json = decode(plaintext)?;
    if version == KrupteinVersion::V3_4 {
        json = unwrapped(&json)
            .ok_or_else(|| corrupt("the decrypted text does not name its type, json or string"))?;
    }
    // A session is an object, so a string is always another layer.
    while json.starts_with('"') {
        json = unquote(&json)?;
    }
    Ok(json)
}

/// Returns the JSON text of the value in `{"type":"json","value":…}` or `{"type":"string","value":…}`.
fn unwrapped(json: &str) -> Option<String> {
    let (mut kind, mut value) = (None, None);
    // If a name occurs twice, the last value counts, as in JavaScript.
    for (name, found) in json::members(json)? {
        match &*name {
            "type" => kind = Some(found),
            "value" => value = Some(found),
            _ => {}
        }
    }
    matches!(kind?, "\"json\"" | "\"string\"").then(|| value.map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

    use super::*;
    use crate::error::STORE;

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
            assert_eq!((error.kind(), error.store()), (ErrorKind::Corrupt, STORE));
            assert!(!format!("{error:?}").contains("hush"));
        }
    }
}
