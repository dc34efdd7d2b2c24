//! Finds what no test may print, in any form in which a program may have printed it.

/// Returns the first text in a line that [`hushed`](crate::hushed) has made, or that [`unique`](crate::unique) has made of
/// `sid`. It is found as it is, percent-encoded, in base64, in hexadecimal digits and as a list of bytes.
#[must_use]
pub fn leak_in(line: &str) -> Option<String> {
    plain(line)
        .or_else(|| plain(&of_percent(line)))
        .or_else(|| runs(line, is_base64).find_map(|run| (0..4).find_map(|at| of_base64(run, at))))
        .or_else(|| runs(line, is_hex).find_map(|run| (0..2).find_map(|at| of_hex(run, at))))
        .or_else(|| runs(line, |byte| b"0123456789, ".contains(&byte)).find_map(of_list))
}

/// The fewest characters of such a text: `sid-9f86d081884c7d65-1`.
const SHORTEST: usize = 22;

fn plain(text: &str) -> Option<String> {
    // The marks of a unique text: sixteen digits, and a number after them.
    let is_unique = |word: &&str| {
        word.split('-').collect::<Vec<_>>().windows(2).any(|pair| {
            pair[0].len() == 16
                && pair[0].bytes().all(is_hex)
                && pair[1].starts_with(|first: char| first.is_ascii_digit())
        })
    };
    let mut words = runs(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
        .filter(|word| word.contains("sid-") || word.contains("hushed-"));
    words.find(is_unique).map(str::to_owned)
}

/// The parts of a text that consist of these characters.
fn runs(text: &str, is_part: impl Fn(u8) -> bool) -> impl Iterator<Item = &str> {
    let is_other = move |character: char| !character.is_ascii() || !is_part(character as u8);
    text.split(is_other).filter(|run| run.len() >= SHORTEST)
}

fn in_bytes(bytes: &[u8]) -> Option<String> {
    plain(&String::from_utf8_lossy(bytes))
}

fn of_percent(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend_from_slice(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Both alphabets of RFC 4648.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// What a run of base64 says from this place on: the text may begin in the middle of the run.
fn of_base64(run: &str, at: usize) -> Option<String> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in run.bytes().skip(at) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        (bits, count) = (bits << 6 | u32::from(six), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    in_bytes(&bytes)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn of_hex(run: &str, at: usize) -> Option<String> {
    let pairs = run.as_bytes()[at..].chunks_exact(2);
    let bytes = pairs.filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    in_bytes(&bytes.collect::<Vec<u8>>())
}

/// `104, 117, 115`, as `Debug` shows bytes.
fn of_list(run: &str) -> Option<String> {
    let bytes: Vec<u8> = run.split(',').filter_map(|word| word.trim().parse().ok()).collect();
    in_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hushed, unique};

    #[test]
    fn what_must_be_hushed_is_found_in_any_line() {
        let (sid, password) = (unique("sid"), hushed("password"));
        for (line, leak) in [
            (format!("redis: get: {sid:?} is gone"), Some(&sid)),
            (format!("redis://ann:{password}@localhost"), Some(&password)),
            (format!("the key is app:{sid}."), Some(&sid)),
            (format!("prefix {}", unique("prefix")), None),
            ("a hushed-up sid-e 0123456789abcdef-1".to_owned(), None),
        ] {
            assert_eq!(leak_in(&line).as_ref(), leak, "{line}");
        }
    }

    /// Base64 with one of the alphabets.
    fn base64(text: &str, alphabet: &[u8; 64]) -> String {
        let groups = text.as_bytes().chunks(3).flat_map(|group| {
            let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            (0..=group.len()).map(move |at| bits >> (18 - 6 * at) & 0x3f)
        });
        groups.map(|six| char::from(alphabet[six as usize])).collect()
    }

    #[test]
    fn a_secret_an_id_and_a_value_are_found_in_every_form() {
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let alphabets = ["+/", "-_"].map(|last| [letters, last].concat().into_bytes());
        for text in [unique("sid"), hushed("secret"), hushed("value")] {
            // It begins at each of the places that base64 tells apart.
            for around in ["", "a", "ab", "s:", "{\"user\":\""] {
                let whole = format!("{around}{text}\"}}");
                let percent: String = whole.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let some = whole.replace('-', "%2d").replace('"', "%22");
                let hex: String = whole.bytes().map(|byte| format!("{byte:02x}")).collect();
                let [standard, for_urls] = alphabets
                    .each_ref()
                    .map(|alphabet| base64(&whole, alphabet.first_chunk().unwrap()));
                for encoded in [
                    percent,
                    some,
                    hex.to_uppercase(),
                    format!("0x{hex}"),
                    format!("key-{for_urls}"),
                    format!("{standard}=="),
                    hex,
                    format!("{:?}", whole.as_bytes()),
                ] {
                    let line = format!("memcached: get: {encoded}: a message");
                    let found = leak_in(&line).unwrap_or_else(|| panic!("not found: {line}"));
                    assert!(found.contains(&text), "{found}: {line}");
                }
            }
            assert_eq!(
                leak_in(&base64(&text[..text.len() / 2], alphabets[0].first_chunk().unwrap())),
                None
            );
        }
    }
}
