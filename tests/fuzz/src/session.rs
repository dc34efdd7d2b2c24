//! What holds for every session that a store returns.

use cloakroom_core::{Error, SessionData};

/// Checks a session: its text is one that is read again, as the same session.
pub(crate) fn check(session: &SessionData) {
    let text = session.to_json();
    let again = SessionData::from_json(&*text).expect("what is written is read");
    assert_eq!(again.to_json(), text);
    let members = |session: &SessionData| -> Vec<_> {
        session.iter().map(|member| (member.name().to_owned(), member.json().to_owned())).collect()
    };
    assert_eq!(members(&again), members(session));
}

/// Checks an error: neither its text nor its cause contains a piece of the input that looks like data.
pub(crate) fn check_error(error: &Error, input: &[u8]) {
    check_shown(&format!("{error} {error:?}"), input);
}

/// Checks what is shown of something: it contains no piece of the input that looks like data.
pub(crate) fn check_shown(shown: &str, input: &[u8]) {
    for piece in input.split(|byte| !byte.is_ascii_alphanumeric()) {
        // Markers of the seeds, so that no word of a message is mistaken for data.
        if piece.len() >= 8 && piece.starts_with(b"HUSH") {
            let piece = String::from_utf8_lossy(piece);
            assert!(!shown.contains(&*piece), "{piece}: {shown}");
        }
    }
}
