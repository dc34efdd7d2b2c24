//! The record: the text that Express stored, with changes laid over it.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use crate::{
    Cookie, CookieMember, Error, ErrorKind, JsValue, Revision, js,
    json::{
        scan::{self, Span},
        string::is_name,
    },
    quote::quoted,
};

mod changes;
mod life;
mod members;
mod write;

use changes::Change;
pub use life::TimeToLive;
pub use members::Member;
use members::parse;

const COOKIE: &str = "cookie";

/// A session: a cookie, and named members whose values are JSON.
///
/// It keeps the text that was stored, not a picture of it. Members that nobody sets are written back byte for byte:
/// unknown names, their order, `1.0` against `1`, 20-digit numbers, lone surrogates. A member is parsed when it is asked
/// for, and only that one.
///
/// ```
/// use cloakroom_core::Session;
///
/// let mut session = Session::from_json(
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
/// `Debug` tells how many members there are and nothing of what they hold.
#[derive(Clone)]
pub struct Session {
    text: Arc<str>,
    spans: Vec<Span>,
    changes: Vec<Change>,
    /// How many changes were made, those included that are undone by now.
    made: u64,
    /// What the text says, read on first use.
    loaded_cookie: OnceLock<Box<Cookie>>,
    /// The cookie that `cookie_mut` gave out, changed or not.
    cookie: Option<Box<Cookie>>,
    /// The cookie is written anew, even if it is the one that was loaded.
    prints_cookie: bool,
    /// The cookie differs from the loaded one only because [`Session::extended`] moved its expiry.
    is_extended: bool,
    revision: Option<Revision>,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A new browser session with Express's default cookie and no members.
    #[must_use]
    pub fn new() -> Self {
        Self::with_cookie(Cookie::new())
    }

    /// A new session with this cookie and no members.
    #[must_use]
    pub fn with_cookie(cookie: Cookie) -> Self {
        let text: Arc<str> = format!("{{\"cookie\":{}}}", cookie.to_json()).into();
        let end = text.len() as u32 - 1;
        let span = Span { name_start: 2, name_end: 8, value_start: 10, value_end: end };
        Self {
            text,
            spans: vec![span],
            changes: Vec::new(),
            made: 0,
            loaded_cookie: Box::new(cookie).into(),
            cookie: None,
            prints_cookie: false,
            is_extended: false,
            revision: None,
        }
    }

    /// Reads a record: the text of a JSON object.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) when it is not one; the message tells the byte where it stops being JSON.
    pub fn from_json(text: impl Into<Arc<str>>) -> Result<Self, Error> {
        let text = text.into();
        if u32::try_from(text.len()).is_err() {
            return Err(corrupt(format!("the record has {} bytes, more than 4 GiB", text.len())));
        }
        let spans = scan::members(&text).map_err(|at| {
            corrupt(if scan::check_value(&text).is_ok() {
                "the record is JSON, but not an object".to_owned()
            } else {
                format!("the record is not JSON from byte {} on", at.0)
            })
        })?;
        Ok(Self {
            text,
            spans,
            changes: Vec::new(),
            made: 0,
            loaded_cookie: OnceLock::new(),
            cookie: None,
            prints_cookie: false,
            is_extended: false,
            revision: None,
        })
    }

    /// Reads what a backend holds. `None` for a value that express-session takes for "no session": nothing at all,
    /// `null`, `false`, `0` and `""`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) as [`from_json`](Self::from_json), and for bytes that are not UTF-8.
    pub fn from_record(bytes: Vec<u8>) -> Result<Option<Self>, Error> {
        let text = String::from_utf8(bytes).map_err(|error| {
            corrupt(format!(
                "the record is not UTF-8 from byte {} on",
                error.utf8_error().valid_up_to()
            ))
        })?;
        match text.trim_matches([' ', '\t', '\n', '\r']) {
            "" | "null" | "false" | "0" | "\"\"" => Ok(None),
            _ => Self::from_json(text).map(Some),
        }
    }

    /// The record as it was loaded, without the changes since.
    #[must_use]
    pub fn loaded_json(&self) -> &str {
        &self.text
    }

    /// The last member of this name: JavaScript's `JSON.parse` keeps the last value.
    fn place_of(&self, name: &str) -> Option<usize> {
        self.spans.iter().rposition(|span| is_name(span.name(&self.text), name))
    }

    /// The JSON text of a member, or `None` when there is none of this name.
    #[must_use]
    pub fn get_json(&self, name: &str) -> Option<&str> {
        match self.change_of(name) {
            Some(change) => change.value.as_deref(),
            None => self.place_of(name).map(|place| self.spans[place].value(&self.text)),
        }
    }

    /// The value of a member, or `None` when there is none of this name. Only this member is parsed.
    ///
    /// `null` is a value: ask for an `Option` to tell it from absence.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) when the value is not a `T`. The message names the member and the
    /// type, and nothing of the value.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Error> {
        self.get_json(name).map(|json| parse(name, json)).transpose()
    }

    /// Whether there is a member of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get_json(name).is_some()
    }

    /// Sets a member. It is written the way `JSON.stringify` would write it; a new one goes last.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData), naming the member, when Node.js could not keep it:
    /// a name that Express drops or that breaks it (`save`, `touch`, `id`, `__proto__`, `cookie`, and what else
    /// a session object has of its own), an integer beyond 2^53, or a value that is no JSON.
    ///
    /// ```
    /// let mut session = cloakroom_core::Session::new();
    /// assert!(session.insert("touch", 1).unwrap_err().to_string().contains("\"touch\""));
    /// assert!(session.insert("big", u64::MAX).unwrap_err().to_string().contains("\"big\""));
    /// ```
    pub fn insert<T: Serialize>(&mut self, name: &str, value: T) -> Result<(), Error> {
        let json = Self::member_json(name, value)?;
        self.change(name, Some(json));
        Ok(())
    }

    /// The JSON text that [`insert`](Self::insert) would set the member to, for those who hold a session under a lock
    /// and do not want to run `Serialize` there: [`insert_json`](Self::insert_json) takes it.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    ///
    /// ```
    /// assert_eq!(cloakroom_core::Session::member_json("views", 1.0)?, "1");
    /// assert!(cloakroom_core::Session::member_json("save", 1).is_err());
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn member_json<T: Serialize>(name: &str, value: T) -> Result<String, Error> {
        check_name(name)?;
        js::stringify(value).map_err(|why| invalid(name, why))
    }

    /// Sets a member to a JSON text, which is written as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for a name as in [`insert`](Self::insert), and for a text that is not
    /// JSON.
    pub fn insert_json(&mut self, name: &str, json: impl Into<String>) -> Result<(), Error> {
        check_name(name)?;
        let json = json.into();
        scan::check_value(&json).map_err(|_| invalid(name, "is not JSON"))?;
        self.change(name, Some(json));
        Ok(())
    }

    /// Removes a member and returns whether there was one. The cookie cannot be removed.
    pub fn remove(&mut self, name: &str) -> bool {
        let there = name != COOKIE && self.contains(name);
        if there {
            self.change(name, None);
        }
        there
    }

    /// The cookie; the default one when the record has none that Express could use.
    #[must_use]
    pub fn cookie(&self) -> &Cookie {
        self.cookie.as_deref().unwrap_or_else(|| self.loaded_cookie())
    }

    fn loaded_cookie(&self) -> &Cookie {
        self.loaded_cookie.get_or_init(|| {
            let stored = self.place_of(COOKIE).map(|place| self.spans[place].value(&self.text));
            Box::new(stored.and_then(Cookie::from_json).unwrap_or_default())
        })
    }

    /// The cookie, to be changed.
    pub fn cookie_mut(&mut self) -> &mut Cookie {
        self.is_extended = false;
        if self.cookie.is_none() {
            self.cookie = Some(Box::new(self.loaded_cookie().clone()));
        }
        self.cookie.get_or_insert_default()
    }

    /// Whether the cookie is different from what was loaded.
    #[must_use]
    pub fn is_cookie_changed(&self) -> bool {
        self.cookie.as_deref().is_some_and(|cookie| cookie != self.loaded_cookie())
    }

    /// Moves the cookie's expiry to `now_ms`, in milliseconds since 1970, plus its max age; a browser session stays one.
    ///
    /// It changes the cookie only: a store moves its own expiry with [`Store::touch`](crate::Store::touch).
    pub fn touch(&mut self, now_ms: i64) {
        self.cookie_mut().touch(now_ms);
    }

    /// Does to the session what express-session 1.19.0 does to it when it loads it, as [`Cookie::load_as_express`], and
    /// has the cookie written in Express's member order whatever the record's was.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) where Express throws: the record has no cookie that Express can read, or one
    /// whose `maxAge` is set and not a number.
    pub fn load_as_express(&mut self) -> Result<(), Error> {
        let unread = |message| Error::new(ErrorKind::Corrupt, "session", "load", message);
        match self.get_json(COOKIE).map(|json| (json.as_bytes().first(), JsValue::parse(json))) {
            Some((Some(b'{'), _)) => {}
            // What has no members, such as a list, names none: not `originalMaxAge` either.
            Some((first, value))
                if first == Some(&b'[') || !value.is_truthy() && value != JsValue::Null =>
            {
                self.cookie_mut().set_raw(CookieMember::OriginalMaxAge, JsValue::Undefined);
            }
            _ => return Err(unread("the record has no cookie that express-session can read")),
        }
        if self.cookie().breaks_express() {
            return Err(unread("the cookie's maxAge is invalid: must be a number"));
        }
        self.cookie_mut().load_as_express();
        self.prints_cookie = true;
        Ok(())
    }

    /// Does to the session what a request through express-session 1.19.0 does to it between load and store, as
    /// [`Cookie::touch_as_express`], and has the cookie written in Express's member order whatever the record's was.
    ///
    /// ```
    /// use cloakroom_core::Session;
    ///
    /// let mut session = Session::from_json(r#"{"cookie":{"path":"/","originalMaxAge":null,"expires":null,"a":1}}"#)?;
    /// session.touch_as_express(1_700_000_000_000)?;
    /// assert_eq!(
    ///     session.to_json(),
    ///     r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}}"#,
    /// );
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Cookie::touch_as_express`].
    pub fn touch_as_express(&mut self, now_ms: i64) -> Result<(), Error> {
        self.prints_cookie = true;
        self.cookie_mut().touch_as_express(now_ms)
    }

    /// Which state of the record this session was read from; `None` for a new one.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// The same session with a revision, which marks it as read from a store. For stores.
    #[must_use]
    pub fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Makes the present state the loaded one, after a write that was answered with `revision`: nothing is changed
    /// any more, and the next [`update`](crate::Atomic::update) compares with this write.
    pub fn mark_stored(&mut self, revision: Revision) {
        if let Cow::Owned(text) = self.to_json() {
            // Our own text is JSON: the one that was scanned, with values that were checked laid over it.
            let rescanned = Self::from_json(text);
            debug_assert!(rescanned.is_ok(), "a record that was written must be readable");
            if let Ok(stored) = rescanned {
                *self = stored;
            }
        }
        self.revision = Some(revision);
    }
}

/// Two sessions are equal when their records are, byte for byte.
impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl Eq for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("members", &self.spans.len())
            .field("changed", &self.changes.len())
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
        return Err(invalid(
            name,
            "has a name that an Express session uses itself, and would be lost or break it",
        ));
    }
    Ok(())
}
