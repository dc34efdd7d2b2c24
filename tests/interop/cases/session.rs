//! Random sessions, as the text of JavaScript values.

use proptest::{collection::vec, prelude::*, sample::select};

/// The text of a JavaScript value: odd numbers, half surrogate pairs, integer-like names, unicode.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let unicode = vec(
        prop_oneof![
            "\\PC".prop_map(|text| text),
            select(vec![
                "\\ud83d",
                "\\ude00",
                "\\ud83d\\ude00",
                "\\u0000",
                "\\u001f",
                "\u{2028}",
                "\u{feff}",
                "\\\"",
                "\\\\",
                "\\/"
            ])
            .prop_map(str::to_owned),
        ],
        0..6,
    )
    .prop_map(|parts| {
        let escape =
            |part: String| if part == "\"" || part == "\\" { format!("\\{part}") } else { part };
        format!("\"{}\"", parts.into_iter().map(escape).collect::<String>())
    });
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "1e21",
            "1e20",
            "-1e-7",
            "0.000001",
            "5e-324",
            "9007199254740993",
            "18446744073709551616",
            "1.7976931348623157e308",
            "4.35",
            "[]",
            "{}",
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        unicode,
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((name(), inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
}

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "10",
            "2",
            "01",
            "a.b",
            "$set",
            "\\ud83d",
            "toJSON",
            "length",
            "quoted \\\" name"
        ])
        .prop_map(str::to_owned),
        "[a-zA-Zа-я\u{1f600}-\u{1f64f}]{1,6}",
    ]
}

pub(crate) fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
