//! The cookie's headers and signatures.

use std::sync::LazyLock;

use cloakroom_core::{
    Cookie, CookieParser, ErrorKind, Secrets, clear_cookie, encode_uri_component, find_cookie,
    set_cookie,
};

static SECRETS: LazyLock<Secrets> =
    LazyLock::new(|| Secrets::new(["HUSHfirst1", "HUSHsecond2"]).expect("both are secrets"));

/// A `Cookie` header, beside a model of npm's cookie 0.7.2.
pub(crate) fn header(input: &[u8]) {
    for unquote in [true, false] {
        let parser = CookieParser::new().with_unquote(unquote);
        let expected = pairs(input, unquote);
        let found: Vec<(String, String)> =
            parser.pairs(input).map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(found, expected);
        for (name, _) in &expected {
            let all: Vec<_> = parser.values(input, name).collect();
            let same = expected.iter().filter(|(known, _)| known == name);
            assert!(same.map(|(_, value)| value).eq(all.iter()), "{name:?}");
            if unquote {
                assert_eq!(find_cookie(input, name).as_deref(), all.first().map(|value| &**value));
            }
        }
    }
}

/// The naive model: all characters at once, and each step as the package's documentation words it.
fn pairs(header: &[u8], unquote: bool) -> Vec<(String, String)> {
    let text: String = header.iter().copied().map(char::from).collect();
    if header.len() < 2 {
        return Vec::new();
    }
    let mut pairs = Vec::new();
    for segment in text.split(';') {
        let Some((name, value)) = segment.split_once('=') else { continue };
        let trim = |text: &str| text.trim_matches([' ', '\t']).to_owned();
        let (name, mut value) = (trim(name), trim(value));
        if unquote && value.starts_with('"') && value.ends_with('"') {
            value = value.get(1..value.len().saturating_sub(1)).unwrap_or_default().to_owned();
        }
        let decoded = decoded(&value);
        pairs.push((name, decoded.unwrap_or(value)));
    }
    pairs
}

/// `decodeURIComponent`, or `None` where it throws.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '%' {
            let digits: String = characters.by_ref().take(2).collect();
            if digits.len() != 2 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(&digits, 16).ok()?);
        } else {
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    String::from_utf8(bytes).ok()
}

/// A signed value: only what was signed verifies, and it comes back unchanged.
pub(crate) fn signed(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(verified) = SECRETS.unsign(&text) {
        let resigned = Secrets::new([["HUSHfirst1", "HUSHsecond2"][verified.secret_index]])
            .expect("it is a secret")
            .sign(verified.value);
        assert_eq!(resigned, text, "another text than the signed one verifies");
    }
    let _ = SECRETS.read_cookie_value(&text);

    let signed = SECRETS.sign(&text);
    let verified = SECRETS.unsign(&signed).expect("what was signed verifies");
    assert_eq!((verified.value, verified.secret_index), (&*text, 0));
    // Each other ending of the mac, and each value before it, is refused.
    if let Some((last, _)) = signed.char_indices().last() {
        assert!(SECRETS.unsign(&signed[..last]).is_none());
        assert!(SECRETS.unsign(&format!("x{signed}")).is_none());
    }

    let header = format!("a=b; connect.sid={}; c", SECRETS.cookie_value(&text));
    let value = find_cookie(header.as_bytes(), "connect.sid").expect("it is in the header");
    let id = SECRETS.read_cookie_value(&value).map(|verified| verified.value);
    assert_eq!(id, Some(&*text).filter(|text| !text.is_empty()));
    assert_eq!(value, format!("s:{signed}"));
    assert_eq!(decoded(&encode_uri_component(&text)).as_deref(), Some(&*text));
}

/// The attributes that a `Set-Cookie` header can have.
const ATTRIBUTES: [&str; 9] = [
    "Domain=",
    "Path=",
    "Expires=",
    "HttpOnly",
    "Secure",
    "Partitioned",
    "Priority=",
    "SameSite=",
    "Max-Age=",
];

/// Name, value and the record's cookie, with a line break after each of the first two: what is written is one header of
/// one cookie, which is read back.
pub(crate) fn set(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(3, '\n');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(cookie) = Cookie::from_json(parts.next().unwrap_or("{}")) else { return };

    let printed = cookie.to_json();
    let again = Cookie::from_json(&printed).expect("what is written is read");
    assert_eq!(again.to_json(), printed);

    for (written, value) in
        [(set_cookie(name, value, &cookie), value), (clear_cookie(name, &cookie), "")]
    {
        let header = match written {
            Ok(header) => header,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                continue;
            }
        };
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header:?}");
        let mut segments = header.split(';');
        let pair = segments.next().expect("a split has a first part");
        let found: Vec<_> = CookieParser::new().pairs(pair.as_bytes()).collect();
        assert_eq!(found, [(name.into(), value.into())], "{header:?}");
        let mut rest = ATTRIBUTES.iter();
        for segment in segments {
            let attribute = segment.strip_prefix(' ').expect("a space follows each semicolon");
            // In this order, each at most once: none of them is a part of another's value.
            assert!(rest.any(|known| attribute.starts_with(known)), "{header:?}");
        }
    }
}
