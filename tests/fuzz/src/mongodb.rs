//! A document of MongoDB.

use cloakroom_core::SessionData;
use cloakroom_mongodb::{MongoOptions, for_tests};

use crate::session;

/// Any document is a session, no session, or corrupt; and a session leads back to its document.
pub(crate) fn document(input: &[u8]) {
    let options = MongoOptions::default();
    match for_tests::decode(&options, input) {
        Ok(Some(found)) => session::check(&found),
        Ok(None) => {}
        Err(error) => session::check_error(&error, input),
    }
    if let Ok(printed) = for_tests::to_json(input) {
        assert!(SessionData::from_json(&*printed).is_ok(), "{printed:?}");
        if let Ok(back) = for_tests::from_json(&printed, Some(input)) {
            assert_eq!(back, input, "{printed:?}");
        }
    }
    // The same bytes as a text: what is stored of it prints as a session again.
    if let Ok(text) = std::str::from_utf8(input)
        && SessionData::from_json(text).is_ok()
        && let Ok(stored) = for_tests::from_json(text, None)
    {
        let printed = for_tests::to_json(&stored).expect("what is stored is read");
        let again = for_tests::from_json(&printed, Some(&stored)).expect("it was stored before");
        assert_eq!(again, stored, "{text:?} {printed:?}");
    }
}
