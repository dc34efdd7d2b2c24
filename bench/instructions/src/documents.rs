//! The records that are read and changed.

use std::fmt::Write;

/// The end of all cookies: far away, and as long as every other date.
const MEMBERS: &str = r#""cookie":{"originalMaxAge":3600000,"expires":"2099-01-01T00:00:00.000Z","httpOnly":true,"path":"/"},"views":1,"user":{"id":4711,"name":"Ada Lovelace","email":"ada.lovelace@example.com","admin":false},"csrfSecret":"0e1f9a7c52b8d36440aa91cb","roles":["editor","reviewer","billing"],"locale":"en-GB","flash":{"info":[],"error":[]}"#;

/// A record of about this many bytes.
pub(crate) fn record(bytes: usize) -> String {
    let mut text = format!("{{{MEMBERS},\"cart\":[");
    for number in 0.. {
        if text.len() + 110 > bytes {
            break;
        }
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"sku":"{number:010x}","title":"Item {number} caf\u00e9 \"quoted\"","price":4.5,"tags":["a","b"],"note":null}}"#
        );
    }
    text + "]}"
}
