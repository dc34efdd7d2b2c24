//! Converts JSON text to the document that connect-mongo stores for it, type by type, so that Node.js reads back the
//! values that it would have stored itself.

use cloakroom_core::json::members;

use super::{
    Kind, Value,
    cookie::{append_cookie, write_cookie},
    once::{members_once, once_each},
    to_json::to_json,
    writer::{Unfit, Writer, by_name},
};

/// Returns the document for a session's text.
///
/// `base` is the document that the session was read from. A value that prints as it did there is copied from it and
/// keeps its type, such as a date, binary data or a 64-bit integer. New and changed values become what connect-mongo
/// makes of them.
pub(crate) fn from_json(text: &str, base: Option<&[u8]>) -> Result<Vec<u8>, Unfit> {
    if let Some(base) = base
        && to_json(base).is_ok_and(|printed| printed == text)
    {
        return Ok(base.to_vec());
    }
    let mut out = Writer::default();
    let base = base.map(by_name).unwrap_or_default();
    for (name, value) in members_once(text).unwrap_or_default() {
        let before = base.get(&*name).copied();
        if name == "cookie" {
            append_member_cookie(value, before, &mut out)?;
        } else {
            out.convert(&name, value, before, 1)?;
        }
    }
    out.finish()
}

fn append_member_cookie(
    json: &str,
    before: Option<Value<'_>>,
    out: &mut Writer,
) -> Result<(), Unfit> {
    if let Some(before) = before.filter(|before| before.kind == Kind::DOCUMENT) {
        let mut printed = String::new();
        if write_cookie(before.bytes, &mut printed).is_ok() && printed == json {
            return out.element(before.kind, "cookie", before.bytes);
        }
    }
    let Some(members) = members(json) else {
        return out.convert("cookie", json, before, 1);
    };
    let members: Vec<_> = members.collect();
    out.nested(Kind::DOCUMENT, "cookie", |out| {
        if append_cookie(&members, out)? {
            return Ok(());
        }
        once_each(members).iter().try_for_each(|(name, value)| out.convert(name, value, None, 2))
    })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Bson, DateTime, Decimal128, Document, doc, oid::ObjectId};
    use proptest::prelude::*;

    use super::{super::elements, *};

    fn bytes(document: &Document) -> Vec<u8> {
        let mut bytes = Vec::new();
        document.to_writer(&mut bytes).unwrap();
        bytes
    }

    fn document(bytes: &[u8]) -> Document {
        Document::from_reader(bytes).unwrap()
    }

    fn converted(text: &str, base: Option<&Document>) -> Document {
        document(&from_json(text, base.map(bytes).as_deref()).unwrap())
    }

    #[test]
    fn numbers_and_strings_become_what_npm_makes_of_them() {
        let text = r#"{"i":2147483647,"j":-2147483648,"k":2147483648,"z":-0,"e":1e2,"f":1.5,"big":9007199254740993,"inf":1E400,"s":"Zo\u00eb \ud83d","t":[true,null,{}]}"#;
        assert_eq!(
            converted(text, None),
            doc! {
                "i": i32::MAX, "j": i32::MIN, "k": 2_147_483_648.0, "z": -0.0, "e": 100, "f": 1.5,
                "big": 9_007_199_254_740_992.0, "inf": f64::INFINITY, "s": "Zoë \u{fffd}",
                "t": [true, Bson::Null, {}],
            }
        );
        assert!(matches!(converted(r#"{"z":-0}"#, None).get("z"), Some(Bson::Double(_))));
    }

    #[test]
    fn an_express_cookie_gets_its_nine_places_and_its_date() {
        let cookie = r#"{"originalMaxAge":3600000,"expires":"2100-01-01T01:00:00.000Z","secure":true,"httpOnly":true,"path":"/"}"#;
        let text = format!(r#"{{"cookie":{cookie}}}"#);
        let stored = doc! { "cookie": {
            "originalMaxAge": 3_600_000, "partitioned": Bson::Null, "priority": Bson::Null,
            "expires": DateTime::from_millis(4_102_448_400_000), "secure": true, "httpOnly": true,
            "domain": Bson::Null, "path": "/", "sameSite": Bson::Null,
        }};
        assert_eq!(converted(&text, None), stored);
        assert_eq!(to_json(&bytes(&stored)).unwrap(), text);
        // As connect-mongo stores a cookie that is a plain object.
        let plain = r#"{"cookie":{"expires":"2100-01-01T01:00:00.000Z","path":"/","tag":1}}"#;
        let stored =
            doc! { "cookie": { "expires": "2100-01-01T01:00:00.000Z", "path": "/", "tag": 1 } };
        assert_eq!(converted(plain, None), stored);
        assert_eq!(to_json(&bytes(&stored)).unwrap(), plain);
    }

    #[test]
    fn what_nobody_changed_keeps_its_type() {
        let id = ObjectId::parse_str("5f1d7f3e2b5f1d7f3e2b5f1d").unwrap();
        let base = doc! {
            "cookie": { "path": "/" },
            "user": { "_id": id, "since": DateTime::from_millis(1), "visits": 7_i64 },
            "price": Decimal128::from_bytes([1; 16]),
            "list": [DateTime::from_millis(2), 1.0, i64::MAX],
            "raw": Bson::Binary(mongodb::bson::Binary {
                subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes: vec![0, 255],
            }),
        };
        let text = to_json(&bytes(&base)).unwrap();
        assert!(
            text.contains(r#""list":["1970-01-01T00:00:00.002Z",1,9223372036854775807]"#),
            "{text}"
        );
        assert!(text.contains(r#""_id":"5f1d7f3e2b5f1d7f3e2b5f1d""#), "{text}");
        assert_eq!(converted(&text, Some(&base)), base);

        let changed = text.replace(r#""visits":7"#, r#""visits":8"#).replace(",1,922", ",2,922");
        let mut expected = base.clone();
        expected.get_document_mut("user").unwrap().insert("visits", 8);
        expected.get_array_mut("list").unwrap()[1] = Bson::Int32(2);
        assert_eq!(converted(&changed, Some(&base)), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(from_json(r#"{"a\u0000b":1}"#, None), Err(Unfit::NulInName));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(300), "]".repeat(300));
        assert_eq!(from_json(&deep, None), Err(Unfit::TooDeep));
    }

    #[test]
    fn a_doubled_name_counts_once() {
        assert_eq!(converted(r#"{"a":1,"b":2,"a":3}"#, None), doc! { "a": 3, "b": 2 });
    }

    /// JSON that `JSON.stringify` does not print: with space, escapes, infinite numbers, doubled names.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            prop::sample::select(vec![
                "null",
                "true",
                "1.0",
                "-0",
                "1E400",
                "12345678901234567890",
                "2147483648",
                "\"\\ud83d\"",
                "\"\\u00e9\\/\\\"\"",
                "\"\"",
                "[ ]",
                "{}",
                "{\"a\":1,\"a\":2}",
                "\"2020-01-01T00:00:00.000Z\"",
            ])
            .prop_map(str::to_owned),
            any::<f64>()
                .prop_filter("JSON has no others", |n| n.is_finite())
                .prop_map(|n| format!("{n:e}")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = "[a-c$.]{0,2}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec((name, inner), 0..4).prop_map(|members| object(&members)),
            ]
        })
    }

    /// A name as some program writes it, and what it means; BSON holds U+FFFD for half a surrogate pair, as Node.js
    /// writes it there.
    fn name() -> impl Strategy<Value = (String, String)> {
        let names = [
            ("cookie", "cookie"),
            ("\\u0063ooki\\u0065", "cookie"),
            ("a", "a"),
            ("\\u0061", "a"),
            ("\\\\", "\\"),
            ("\\\\\\\\", "\\\\"),
            ("\\\\n", "\\n"),
            ("\\/", "/"),
            ("\\u00E9", "é"),
            ("\\ud83d\\uDE00", "😀"),
            ("\\ud800", "\u{fffd}"),
            ("\\uD800", "\u{fffd}"),
            ("\\\\ud800", "\\ud800"),
        ];
        prop::sample::select(names.map(|(raw, name)| (raw.to_owned(), name.to_owned())).to_vec())
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    proptest! {
        #[test]
        fn a_text_and_its_document_lead_to_each_other(
            members in prop::collection::vec(("[a-c]|cookie", json()), 0..5), change in json(),
        ) {
            let text = object(&members);
            let document = from_json(&text, None).unwrap();
            Document::from_reader(&document[..]).unwrap();
            let printed = to_json(&document).unwrap();
            // With the document as the base, both the printed text and the original one lead back to it.
            prop_assert_eq!(&from_json(&printed, Some(&document)).unwrap(), &document);
            prop_assert_eq!(&from_json(&text, Some(&document)).unwrap(), &document);

            // A new member leaves all others unchanged.
            let more = format!("{{\"new\":{change}{}{}", if members.is_empty() { "" } else { "," }, &printed[1..]);
            let changed = from_json(&more, Some(&document)).unwrap();
            let kept: Vec<_> = elements(&changed).unwrap().skip(1).collect();
            prop_assert_eq!(kept, elements(&document).unwrap().collect::<Vec<_>>());
        }

        /// As in JavaScript, a doubled name keeps its first position and its last value.
        #[test]
        fn names_count_by_what_they_mean(members in prop::collection::vec((name(), 0..9_i32), 0..7)) {
            let raw: Vec<_> = members.iter().map(|((raw, _), value)| (raw.clone(), value.to_string())).collect();
            let mut model = Document::new();
            for ((_, name), value) in members {
                match model.get_mut(&name) {
                    Some(known) => *known = value.into(),
                    None => drop(model.insert(name, value)),
                }
            }
            for base in [None, Some(&model), Some(&doc! { "a": 1_i64, "\\\\": 2_i64 })] {
                let made = converted(&object(&raw), base);
                prop_assert_eq!(made.keys().collect::<Vec<_>>(), model.keys().collect::<Vec<_>>());
                for (name, value) in &model {
                    let of = |value: &Bson| value.as_i64().or(value.as_i32().map(i64::from));
                    prop_assert_eq!(made.get(name).and_then(of), of(value), "{}", name);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let length = u32::try_from(bytes.len() + 5).unwrap();
            let framed = [&length.to_le_bytes(), &bytes[..], &[0]].concat();
            for bytes in [&bytes, &framed] {
                let _ = (to_json(bytes), from_json("{\"a\":1}", Some(bytes)));
            }
        }
    }
}
