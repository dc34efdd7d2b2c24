//! Converts a document of the collection to a session and back.
//!
//! With `stringify: true`, the default of connect-mongo, the session is its JSON text. With `false` it is a document,
//! which cannot hold everything that the text can: doubled names, a number of 20 digits, half a surrogate pair.

use std::borrow::Cow;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind, Revision, SessionData};
use mongodb::bson::{Bson, DateTime, Document, doc};

use crate::{
    MongoOptions, MongoStore,
    document::{self, Kind, Malformed, Value},
    error::{self, LARGEST},
    expiry::Expiry,
    origin::{Origin, Times, origin},
};

/// The field with the session's text, if the document cannot express all of it. It is valid only for the document with
/// which it was written: Node.js replaces the document and does not know the field.
const TEXT: &str = "sessionText";

/// The fields of a session's document.
#[derive(Debug, Default)]
struct Stored<'a> {
    session: Option<Value<'a>>,
    text: Option<Value<'a>>,
    expires: Option<Value<'a>>,
    last_modified_ms: Option<i64>,
}

impl<'a> Stored<'a> {
    fn read(document: &'a [u8]) -> Result<Self, Malformed> {
        let mut stored = Self::default();
        for field in document::elements(document)? {
            let (name, value) = field?;
            match name {
                "session" => stored.session = Some(value),
                TEXT => stored.text = Some(value),
                "expires" => stored.expires = Some(value),
                "lastModified" => stored.last_modified_ms = value.date_ms(),
                _ => {}
            }
        }
        Ok(stored)
    }

    fn times(&self) -> Option<Times> {
        let expires_ms = self.expires.and_then(Value::date_ms).unwrap_or(i64::MAX);
        Some(Times { last_modified_ms: self.last_modified_ms?, expires_ms })
    }

    /// Returns true if the session is live. Without `expires`, it lives for ever. If `expires` is not a date, it is not
    /// live, as in connect-mongo.
    fn is_live(&self, now_ms: i64) -> bool {
        self.expires.is_none_or(|expires| expires.date_ms().is_some_and(|ends| ends > now_ms))
    }
}

/// What a document contains, before anything is decrypted.
enum Found {
    Nothing,
    SessionData(Box<SessionData>),
    #[cfg(feature = "encryption")]
    Sealed(String, Option<Times>),
}

/// A session in the form in which it is written.
#[derive(Debug)]
pub(crate) struct Record {
    session: Bson,
    /// The value of the field [`TEXT`].
    text: Option<String>,
    pub(crate) revision: Revision,
}

impl Record {
    /// Returns the fields that a write sets, in the order in which MongoDB stores them when it creates the document.
    pub(crate) fn fields(&self, options: &MongoOptions, expires_ms: i64, now_ms: i64) -> Document {
        let mut fields = doc! { "expires": DateTime::from_millis(expires_ms) };
        if !options.touch_after.is_zero() {
            fields.insert("lastModified", DateTime::from_millis(now_ms));
        }
        fields.insert("session", &self.session);
        if let Some(text) = &self.text {
            fields.insert(TEXT, text);
        }
        fields
    }

    /// Returns the fields that a write removes: an older text beside a document that needs none.
    pub(crate) fn unset(&self) -> Option<Document> {
        (self.text.is_none() && matches!(self.session, Bson::Document(_)))
            .then(|| doc! { TEXT: "" })
    }
}

impl MongoStore {
    /// Returns the session in a document, or `None` if it was not live at `now_ms`.
    #[cfg_attr(
        not(feature = "encryption"),
        expect(clippy::unused_async, reason = "encryption takes a while")
    )]
    pub(crate) async fn parse(
        &self,
        operation: &Operation,
        document: &[u8],
        now_ms: i64,
    ) -> Result<Option<SessionData>, Error> {
        match self.options().find(operation, document, now_ms)? {
            Found::Nothing => Ok(None),
            Found::SessionData(session) => Ok(Some(*session)),
            #[cfg(feature = "encryption")]
            Found::Sealed(text, times) => {
                let json = self.decrypt(operation, text.clone()).await?;
                let revision = Origin::Sealed(&text).revision(times);
                self.options().session(operation, json, revision)
            }
        }
    }

    /// Returns the session in the form in which it is written.
    #[cfg_attr(
        not(feature = "encryption"),
        expect(clippy::unused_async, reason = "encryption takes a while")
    )]
    pub(crate) async fn record(
        &self,
        operation: &Operation,
        session: &SessionData,
    ) -> Result<Record, Error> {
        let options = self.options();
        let json = session.to_json();
        let written = (!options.touch_after.is_zero()).then(|| options.times_of(session));
        #[cfg(feature = "encryption")]
        if options.encryption.is_some() {
            let sealed = self.encrypt(operation, json.into_owned()).await?;
            options.check_size(operation, sealed.len())?;
            let revision = Origin::Sealed(&sealed).revision(written);
            return Ok(Record { session: Bson::String(sealed), text: None, revision });
        }
        if options.stringify {
            options.check_size(operation, json.len())?;
            let revision = Origin::Text.revision(written);
            return Ok(Record { session: Bson::String(json.into_owned()), text: None, revision });
        }
        let base = match origin(session) {
            Some((Origin::Document(base), _)) => Some(base),
            _ => None,
        };
        let bytes = document::from_json(&json, base).map_err(|why| error::unfit(operation, why))?;
        options.check_size(operation, bytes.len())?;
        let says_all = document::to_json(&bytes).is_ok_and(|printed| printed == json);
        Ok(Record {
            session: Bson::Document(decoded(operation, &bytes)?),
            text: (!says_all).then(|| json.into_owned()),
            revision: Origin::Document(&bytes).revision(written),
        })
    }
}

impl MongoOptions {
    /// Rejects a session that is too large before it is sent, with an error of the right kind.
    fn check_size(&self, operation: &Operation, bytes: usize) -> Result<(), Error> {
        if bytes > LARGEST {
            return Err(error::too_large(operation, bytes));
        }
        operation.check_size(bytes, self.max_record)
    }

    /// Returns the times that a write gives to this session now.
    fn times_of(&self, session: &SessionData) -> Times {
        let now_ms = self.clock.now_ms();
        let expires_ms = match self.expiry(session, now_ms) {
            Expiry::At(expires_ms) => expires_ms,
            Expiry::Passed => now_ms,
        };
        Times { last_modified_ms: now_ms, expires_ms }
    }

    /// Returns the live session in a document, or `None` if it is encrypted too.
    pub(crate) fn decode(
        &self,
        operation: &Operation,
        document: &[u8],
    ) -> Result<Option<SessionData>, Error> {
        match self.find(operation, document, self.clock.now_ms())? {
            Found::SessionData(session) => Ok(Some(*session)),
            _ => Ok(None),
        }
    }

    fn find(&self, operation: &Operation, document: &[u8], now_ms: i64) -> Result<Found, Error> {
        let malformed = |_| error::corrupt(operation, "the document is not well-formed");
        let stored = Stored::read(document).map_err(malformed)?;
        let Some(session) = stored.session.filter(|_| stored.is_live(now_ms)) else {
            return Ok(Found::Nothing);
        };
        // A string has its length before it and a NUL behind it.
        let around = if session.kind == Kind::STRING { 5 } else { 0 };
        operation.check_size(session.bytes.len().saturating_sub(around), self.max_record)?;
        let times = stored.times().filter(|_| !self.touch_after.is_zero());
        let (json, revision) = match session.kind {
            Kind::NULL | Kind::UNDEFINED => return Ok(Found::Nothing),
            Kind::STRING => {
                let text = session.text().map_err(malformed)?;
                #[cfg(feature = "encryption")]
                if self.encryption.is_some() {
                    return Ok(Found::Sealed(text.to_owned(), times));
                }
                (Cow::Borrowed(text), Origin::Text.revision(times))
            }
            #[cfg(feature = "encryption")]
            Kind::DOCUMENT if self.encryption.is_some() => {
                return Err(error::corrupt(operation, "the session is not encrypted"));
            }
            Kind::DOCUMENT => {
                let revision = Origin::Document(session.bytes).revision(times);
                (Cow::Owned(shown(session.bytes, stored.text).map_err(malformed)?), revision)
            }
            _ => {
                return Err(error::corrupt(
                    operation,
                    "the session must be a string or a document",
                ));
            }
        };
        let session = self.session(operation, json.into_owned(), revision)?;
        Ok(session.map_or(Found::Nothing, |session| Found::SessionData(Box::new(session))))
    }

    fn session(
        &self,
        operation: &Operation,
        json: String,
        revision: Revision,
    ) -> Result<Option<SessionData>, Error> {
        let session =
            SessionData::from_record(json.into_bytes()).map_err(|error| operation.named(error))?;
        Ok(session.map(|session| session.with_revision(revision)))
    }

    /// Returns the value of the field `session` that this session was read from.
    pub(crate) fn read_from(
        &self,
        operation: &Operation,
        session: &SessionData,
    ) -> Result<Bson, Error> {
        match operation.check_origin(origin(session))? {
            (Origin::Text, _) => Ok(Bson::String(session.loaded_json().to_owned())),
            (Origin::Sealed(text), _) => Ok(Bson::String(text.to_owned())),
            (Origin::Document(document), _) => {
                let value = decoded(operation, document)?;
                let mut sent = Vec::with_capacity(document.len());
                if value.to_writer(&mut sent).is_err() || sent != document {
                    let message = "cannot compare this document, because the driver alters it when it sends it; replace the session with set";
                    return Err(operation.error(ErrorKind::InvalidData, message));
                }
                Ok(Bson::Document(value))
            }
        }
    }
}

/// Returns the text of a document: the one beside it if both were written together.
fn shown(document: &[u8], beside: Option<Value<'_>>) -> Result<String, Malformed> {
    if let Some(text) = beside.filter(|text| text.kind == Kind::STRING)
        && let Ok(text) = text.text()
        && SessionData::from_json(text).is_ok()
        && document::from_json(text, Some(document)).as_deref() == Ok(document)
    {
        return Ok(text.to_owned());
    }
    document::to_json(document)
}

fn decoded(operation: &Operation, document: &[u8]) -> Result<Document, Error> {
    Document::from_reader(document)
        .map_err(|_| error::corrupt(operation, "the document is not well-formed"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::Idempotency;

    use super::*;

    const NOW: i64 = 4_102_444_800_000;

    fn operation() -> Operation {
        Operation::start(error::STORE, "get", Idempotency::Read, Duration::from_secs(5))
    }

    fn options() -> MongoOptions {
        MongoOptions { clock: cloakroom_core::Clock::fixed(NOW), ..MongoOptions::default() }
    }

    fn bytes(document: &Document) -> Vec<u8> {
        let mut bytes = Vec::new();
        document.to_writer(&mut bytes).unwrap();
        bytes
    }

    fn read(options: &MongoOptions, document: &Document) -> Result<Option<SessionData>, Error> {
        options.decode(&operation(), &bytes(document))
    }

    fn live(session: impl Into<Bson>) -> Document {
        doc! { "_id": "a", "expires": DateTime::from_millis(NOW + 1), "session": session.into() }
    }

    #[test]
    fn liveness_is_that_of_the_document() {
        let text = r#"{"cookie":{"expires":"1999-01-01T00:00:00.000Z"}}"#;
        for (expires, lives) in [
            (None, true),
            (Some(Bson::DateTime(DateTime::from_millis(NOW + 1))), true),
            (Some(Bson::DateTime(DateTime::from_millis(NOW))), false),
            (Some(Bson::Null), false),
            (Some(Bson::Int64(NOW + 1)), false),
            (Some(Bson::String("2200-01-01".to_owned())), false),
        ] {
            let mut document = doc! { "_id": "a", "session": text };
            let shown = format!("{expires:?}");
            document.extend(expires.map(|expires| ("expires".to_owned(), expires)));
            assert_eq!(read(&options(), &document).unwrap().is_some(), lives, "{shown}");
        }
    }

    #[test]
    fn a_session_is_read_in_either_form() {
        for stringify in [true, false] {
            let options = MongoOptions { stringify, ..options() };
            let text = read(&options, &live(r#"{"n":1.0}"#)).unwrap().unwrap();
            assert_eq!(text.loaded_json(), r#"{"n":1.0}"#);
            let document = read(&options, &live(doc! { "n": 1.5, "t": [true] })).unwrap().unwrap();
            assert_eq!(document.loaded_json(), r#"{"n":1.5,"t":[true]}"#);
        }
    }

    #[test]
    fn what_is_no_session_is_none_or_corrupt_and_never_quoted() {
        for nothing in [Bson::Null, Bson::Undefined, "null".into(), "".into()] {
            assert_eq!(read(&options(), &live(nothing)).unwrap(), None);
        }
        assert_eq!(read(&options(), &doc! { "_id": "a" }).unwrap(), None);
        for corrupt in [Bson::from("secret"), Bson::Int32(7), vec!["secret"].into(), "[1]".into()] {
            let error = read(&options(), &live(corrupt)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!((error.store(), error.operation()), ("mongodb", "get"));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_session_of_another_store_is_refused() {
        for session in
            [SessionData::new(), SessionData::new().with_revision(Revision::from_number(7))]
        {
            let error = options().read_from(&operation(), &session).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_text_beside_a_document_counts_as_long_as_they_belong_together() {
        let text = r#"{ "half":"\ud83d","n":1.0 }"#;
        let mut document = live(doc! { "half": "\u{fffd}", "n": 1 });
        document.insert(TEXT, text);
        let session = read(&options(), &document).unwrap().unwrap();
        assert_eq!(session.loaded_json(), text);
        // Node.js wrote another document and left the old text beside it.
        document.insert("session", doc! { "half": "whole", "n": 1 });
        let session = read(&options(), &document).unwrap().unwrap();
        assert_eq!(session.loaded_json(), r#"{"half":"whole","n":1}"#);
        // This text was not written together with a document.
        document.insert(TEXT, "no json");
        assert!(read(&options(), &document).unwrap().is_some());
    }
}
