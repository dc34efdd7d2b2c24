//! The session documents, the same bytes on every machine.

use std::fmt::Write;

/// The members that each session has besides its cookie: of 500 bytes, as typical as one can be.
const MEMBERS: &str = r#""views":1,"user":{"id":4711,"name":"Ada Lovelace","email":"ada.lovelace@example.com","admin":false},"csrfSecret":"0e1f9a7c52b8d36440aa91cb","roles":["editor","reviewer","billing"],"locale":"en-GB","lastSeen":"2026-03-21T10:11:12.345Z","flash":{"info":[],"error":[]}"#;

/// A session of about this many bytes, with its cookie: 8 members, and items in a cart as many as fill it.
pub fn session(bytes: usize, expires: &str) -> String {
    format!("{{{},{}}}", cookie(expires), members(bytes.saturating_sub(cookie(expires).len() + 3)))
}

/// The members of such a session, without its cookie, as one object.
pub fn data(bytes: usize) -> String {
    format!("{{{}}}", members(bytes.saturating_sub(2)))
}

/// A session of 111 bytes, so that many fit in memory: its cookie, and one member.
pub fn short_session(expires: &str) -> String {
    format!(r#"{{{},"views":1}}"#, cookie(expires))
}

/// A session with this many small members besides its cookie.
pub fn session_of_members(number: usize, expires: &str) -> String {
    format!("{{{},{}}}", cookie(expires), many(number))
}

/// The members of such a session, without its cookie, as one object.
pub fn data_of_members(number: usize) -> String {
    format!("{{{}}}", many(number))
}

fn cookie(expires: &str) -> String {
    format!(
        r#""cookie":{{"originalMaxAge":3600000,"expires":"{expires}","httpOnly":true,"path":"/"}}"#
    )
}

fn members(bytes: usize) -> String {
    let mut text = MEMBERS.to_owned();
    // What is less than an item is filled with letters.
    if text.len() + 200 < bytes {
        text += r#","cart":{"items":["#;
        for number in 0.. {
            let item = item(number);
            if text.len() + item.len() + 60 > bytes {
                break;
            }
            text += if number == 0 { "" } else { "," };
            text += &item;
        }
        text += r#"],"total":12.5}"#;
    }
    let rest = bytes.saturating_sub(text.len() + r#","returnTo":"/""#.len());
    let _ = write!(text, r#","returnTo":"/{}""#, "a".repeat(rest));
    text
}

fn item(number: usize) -> String {
    format!(
        r#"{{"sku":"{:010x}","title":"Item number {number} caf\u00e9 \"quoted\"","qty":{},"price":{}.5,"tags":["a","b"],"inStock":{},"note":null}}"#,
        number * 7_919,
        1 + number % 5,
        number % 90,
        !number.is_multiple_of(3)
    )
}

fn many(number: usize) -> String {
    let mut text = r#""views":1"#.to_owned();
    for number in 1..number {
        let _ = write!(text, r#","member{number:02}":{{"seen":{number},"name":"value {number}"}}"#);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_their_size_and_are_json() {
        for bytes in [500, 4_096, 20_480, 102_400] {
            for text in [session(bytes, "2099-01-01T00:00:00.000Z"), data(bytes)] {
                assert_eq!(text.len(), bytes);
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["views"], 1);
            }
        }
        assert_eq!(short_session("2099-01-01T00:00:00.000Z").len(), 111);
        let value: serde_json::Value = serde_json::from_str(&data_of_members(50)).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 50);
    }
}
