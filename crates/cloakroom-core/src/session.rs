//! The record: the text that Express stored, and the changes made to it since.
//!
//! The text is kept rather than a parsed tree, because a tree cannot reproduce what Node.js wrote: `1.0` parses to the
//! same number as `1`, and half a surrogate pair does not fit into a Rust string.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    Cookie, Error, ErrorKind, Revision, js,
    json::{self, scan},
    quote::quoted,
};

mod change_list;
mod changes;
mod end;
mod express;
mod life;
mod loaded;
mod members;
mod new_member;
mod path;
mod read;
mod write;

use change_list::Changes;
pub use life::TimeToLive;
use loaded::{Loaded, Text};
pub use members::Member;
use members::parse;
pub use new_member::NewMember;

const COOKIE: &str = "cookie";

/// A session: a cookie, and named members whose values are JSON.
///
/// It keeps the stored text itself. Members that nobody sets are written back byte for byte: unknown names, their
/// order, `1.0` rather than `1`, 20-digit numbers, lone surrogates. Each member is parsed only when you ask for it.
///
/// ```
/// use cloakroom_core::SessionData;
///
/// let mut session = SessionData::from_json(
///     r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"views":1.0,"user":"Zo\u00eb"}"#,
/// )?;
/// assert_eq!(session.get::<String>("user")?.as_deref(), Some("Zoë"));
/// assert_eq!(session.get::<String>("nothing")?, None);
///
/// session.insert("cart", ["tea", "milk"])?;
/// assert_eq!(
///     session.to_json(),
///     r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"views":1.0,"user":"Zo\u00eb","cart":["tea","milk"]}"#,
/// );
/// assert_eq!(session.changed_keys().collect::<Vec<_>>(), ["cart"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
///
/// `Debug` prints the number of members and none of their contents.
#[derive(Clone)]
pub struct SessionData {
    loaded: Arc<Loaded>,
    edits: Edits,
    revision: Option<Revision>,
}

/// What was done to a session since it was loaded.
#[derive(Clone, Default)]
struct Edits {
    changes: Changes,
    /// The number of changes ever made, including those that were undone. It numbers the changes for `merge_since`.
    made: u64,
    /// The cookie that `cookie_mut` returned a reference to, changed or not.
    cookie: Option<Box<Cookie>>,
    /// Write the cookie again even if it is unchanged: Express prints it in its own member order.
    prints_cookie: bool,
    /// When the store ends the session, whatever its cookie says, in milliseconds since 1970.
    store_expiry_ms: Option<i64>,
    /// Only [`SessionData::extended`] changed the cookie. Such a change must not win over another request's in a merge.
    is_extended: bool,
}

/// Reads a record, as [`from_json`](SessionData::from_json).
impl FromStr for SessionData {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_json(text)
    }
}

impl Default for SessionData {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionData {
    /// Creates a browser session with Express's default cookie and no members.
    #[must_use]
    pub fn new() -> Self {
        Self::with_cookie(Cookie::new())
    }

    /// Creates a session with this cookie and no members.
    #[must_use]
    pub fn with_cookie(cookie: Cookie) -> Self {
        Self::of(Loaded::of_cookie(cookie))
    }

    fn of(loaded: Loaded) -> Self {
        Self { loaded: Arc::new(loaded), edits: Edits::default(), revision: None }
    }

    /// Parses a record: the text of a JSON object.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) if the text is not a JSON object. The message names the byte at which it stops
    /// being JSON.
    pub fn from_json(text: impl Into<Arc<str>>) -> Result<Self, Error> {
        Self::from_text(Text::Shared(text.into()))
    }

    fn from_text(text: Text) -> Result<Self, Error> {
        // Spans count in 32 bits.
        if u32::try_from(text.len()).is_err() {
            return Err(corrupt(format!(
                "the record is {} bytes long; the limit is 4 GiB",
                text.len()
            )));
        }
        Loaded::scan(text).map(Self::of).map_err(|(text, at)| {
            corrupt(if scan::check_value(&text).is_ok() {
                "the record is not a JSON object".to_owned()
            } else {
                format!("the record is not valid JSON at byte {}", at.0)
            })
        })
    }

    /// Parses a value read from a backend. Returns `None` for the values that express-session treats as "no session":
    /// an empty value, `null`, `false`, `0` however it is written, and `""`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) as for [`from_json`](Self::from_json), for bytes that are not UTF-8, and for a record
    /// that the npm package kruptein has encrypted.
    pub fn from_record(bytes: Vec<u8>) -> Result<Option<Self>, Error> {
        let mut text = String::from_utf8(bytes).map_err(|error| {
            corrupt(format!(
                "the record is not valid UTF-8 at byte {}",
                error.utf8_error().valid_up_to()
            ))
        })?;
        match text.trim_matches([' ', '\t', '\n', '\r']) {
            "" | "null" | "false" | "0" | "\"\"" => Ok(None),
            // Such as `-0` or `1e-400`.
            number if !number.starts_with('{') && json::is_same(number, "0") => Ok(None),
            _ => {
                // A store or a cache keeps it for long, and counts its length.
                if text.capacity() > text.len() + text.len() / 8 {
                    text.shrink_to_fit();
                }
                let session = Self::from_text(Text::Own(text));
                if session.as_ref().is_ok_and(Self::is_sealed) {
                    let message = "the record is encrypted: set the store's secret or encryption";
                    return Err(corrupt(message.to_owned()));
                }
                session.map(Some)
            }
        }
    }

    /// Returns true for what the npm package kruptein, 2 and 3, makes of a session: members of its own, and no cookie. As
    /// a session, it would live without an end and have none of its user's members.
    fn is_sealed(&self) -> bool {
        // Express writes the cookie first.
        if self.loaded.text.starts_with("{\"cookie\":") {
            return false;
        }
        let has = |name| self.loaded.place_of(name).is_some();
        !has("cookie") && ["hmac", "ct", "iv"].into_iter().all(has)
    }

    /// Returns the record as it was loaded, without later changes.
    #[must_use]
    pub fn loaded_json(&self) -> &str {
        &self.loaded.text
    }

    /// Returns the JSON text of a member, or `None` if the session has no member of this name.
    #[must_use]
    pub fn get_json(&self, name: &str) -> Option<&str> {
        match self.change_of(name) {
            Some(change) => change.value.as_deref(),
            None => self.loaded.place_of(name).map(|place| self.loaded.value(place)),
        }
    }

    /// Returns the value of a member, or `None` if the session has no member of this name. Only this member is parsed.
    ///
    /// `null` is a value: use `get::<Option<T>>` to tell it from a missing member.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the value cannot be read as a `T`. The message names the member and
    /// the type, but never quotes the value.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Error> {
        self.get_json(name).map(|json| parse(name, json)).transpose()
    }

    /// Returns true if the session has a member of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get_json(name).is_some()
    }

    /// Sets a member. The value is written as `JSON.stringify` would write it; a new member goes last.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData), with the member's name, if Node.js could not keep the member:
    ///
    /// - its name is one that Express drops or fails on, such as `save`, `touch`, `id`, `__proto__` or `cookie`: the
    ///   session object of express-session uses these names itself;
    /// - it contains an integer beyond 2^53, which JavaScript would round, unless as the key of a map, which is text;
    /// - it cannot be serialized as JSON.
    ///
    /// ```
    /// let mut session = cloakroom_core::SessionData::new();
    /// assert!(session.insert("touch", 1).unwrap_err().to_string().contains("\"touch\""));
    /// assert!(session.insert("big", u64::MAX).unwrap_err().to_string().contains("\"big\""));
    /// ```
    pub fn insert<T: Serialize>(&mut self, name: &str, value: T) -> Result<(), Error> {
        self.insert_member(NewMember::new(name, value)?);
        Ok(())
    }

    /// Sets a member to a JSON text, which is written unchanged, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for a name that [`insert`](Self::insert) rejects, and for a text that is
    /// not JSON.
    pub fn insert_json(&mut self, name: &str, json: impl Into<String>) -> Result<(), Error> {
        check_name(name)?;
        let mut json = json.into();
        scan::check_value(&json).map_err(|_| invalid(name, "is not valid JSON"))?;
        // Once it is stored, the white space is not part of the member either.
        let is_space = [' ', '\t', '\n', '\r'];
        json.truncate(json.trim_end_matches(is_space).len());
        json.drain(..json.len() - json.trim_start_matches(is_space).len());
        self.change(name, Some(json));
        Ok(())
    }

    /// Removes a member. Returns true if it existed. The cookie cannot be removed, because Express cannot read a
    /// session without one.
    pub fn remove(&mut self, name: &str) -> bool {
        let there = name != COOKIE && self.contains(name);
        if there {
            self.change(name, None);
        }
        there
    }

    /// Returns the cookie, or Express's default cookie if the record has no usable one.
    #[must_use]
    pub fn cookie(&self) -> &Cookie {
        self.edits.cookie.as_deref().unwrap_or_else(|| self.loaded.cookie())
    }

    /// Returns the cookie for modification.
    pub fn cookie_mut(&mut self) -> &mut Cookie {
        self.edits.is_extended = false;
        self.edits.store_expiry_ms = None;
        self.edits.cookie.get_or_insert_with(|| Box::new(self.loaded.cookie().clone()))
    }

    /// Returns true if the cookie differs from the loaded one.
    #[must_use]
    pub fn is_cookie_changed(&self) -> bool {
        self.edits.cookie.as_deref().is_some_and(|cookie| cookie != self.loaded.cookie())
    }

    /// Sets the cookie's expiry to `now_ms`, in milliseconds since 1970, plus its max age, but not beyond the session's
    /// [end](Self::ends_at_ms). Does nothing to a browser session.
    ///
    /// Only the cookie changes. [`Store::touch`](crate::Store::touch) moves the expiry in the store.
    pub fn touch(&mut self, now_ms: i64) {
        let ends_at_ms = self.ends_at_ms();
        let cookie = self.cookie_mut();
        cookie.touch(now_ms);
        cookie.cut(ends_at_ms);
    }

    /// Returns the revision of the record that this session was read from, or `None` for a new session.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// Sets the revision, which marks the session as read from a store. Only stores need this.
    #[must_use]
    pub fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Marks all changes as stored, after a write that was answered with `revision`: the session counts as unchanged,
    /// and the next [`update`](crate::Atomic::update) compares with this write.
    pub fn mark_stored(&mut self, revision: Revision) {
        if let Some(reloaded) = self.reloaded() {
            // The text is JSON: the old one was scanned, and each new value was checked.
            debug_assert!(reloaded.is_ok(), "a record that was written must be readable");
            if let Ok(stored) = reloaded {
                *self = Self::of(stored);
            }
        }
        self.edits.store_expiry_ms = None;
        self.revision = Some(revision);
    }
}

/// Two sessions are equal if their records are equal byte for byte.
impl PartialEq for SessionData {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Eq for SessionData {}

impl fmt::Debug for SessionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionData")
            .field("members", &self.loaded.spans.len())
            .field("changed", &self.edits.changes.len())
            .finish_non_exhaustive()
    }
}

fn corrupt(message: String) -> Error {
    Error::new(ErrorKind::Corrupt, "session", "read", message)
}

fn invalid(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "session",
        "insert",
        format!("member {} {why}", quoted(name)),
    )
}

fn check_name(name: &str) -> Result<(), Error> {
    if js::is_reserved(name) {
        return Err(invalid(name, "has a reserved name: Express would drop it or fail on it"));
    }
    Ok(())
}
