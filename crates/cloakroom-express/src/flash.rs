//! Messages that are shown once, as connect-flash 0.1.1 and express-flash 0.0.2 keep them.
//!
//! The member is `flash`, an object with a list of messages per kind: `"flash":{"info":["saved"],"error":["…"]}`. What
//! `req.flash` adds in Express is taken here, and the other way round.
//!
//! ```
//! use cloakroom_core::Error;
//! use cloakroom_express::flash;
//! use cloakroom_tower::Session;
//!
//! async fn save(session: &Session) -> Result<(), Error> {
//!     flash::add(session, "info", "saved")?;
//!     Ok(())
//! }
//!
//! async fn page(session: &Session) -> Result<Vec<String>, Error> {
//!     flash::take_kind(session, "info").await // ["saved"], and nothing the next time
//! }
//! ```

use std::collections::BTreeMap;

use cloakroom_core::{Error, ErrorKind, json};
use cloakroom_tower::Session;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    object::{Object, raw, stringify},
    settle::settle,
};

const MEMBER: &str = "flash";

/// Adds a message of this kind, as `req.flash(kind, message)` does, and returns the number of messages of the kind.
///
/// A list adds each of its items, as in connect-flash. Where connect-flash loses the messages of the kind, for an empty
/// text, the text is added; where it throws, for an empty list, nothing is added. Messages that two requests add at
/// once are both kept, unless the layer has the express preset.
///
/// # Errors
///
/// As [`Session::modify`].
pub fn add<T: Serialize>(session: &Session, kind: &str, message: T) -> Result<usize, Error> {
    let json = stringify(MEMBER, message)?;
    let new: Vec<String> = match json::items(&json) {
        Some(items) => items.into_iter().map(str::to_owned).collect(),
        None => vec![json],
    };
    let kind_of_all = kind.to_owned();
    let flash = session.modify(MEMBER, move |flash: Option<Box<RawValue>>| {
        let mut flash = Object::read(flash.as_deref().map(RawValue::get));
        let mut messages = messages(flash.get(&kind_of_all));
        messages.extend(new.iter().cloned());
        if !messages.is_empty() {
            flash.set(&kind_of_all, format!("[{}]", messages.join(",")));
        }
        raw(flash.to_json())
    })?;
    Ok(messages(Object::read(Some(flash.get())).get(kind)).len())
}

/// Takes all messages, by their kinds, as `req.flash()` does. Without a message it returns an empty map, and
/// changes nothing.
///
/// Of two requests that take at once, one gets each message: if there are messages, the session is stored before this
/// function returns, with what the request has changed so far, and the store decides. A message is shown at most once;
/// if the answer does not reach the browser, it is not shown again.
///
/// With the express preset, and on a store without conditional writes, both requests can get the messages, as in
/// Express. A session that the request itself has made, also by a login, is not stored here.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) if a message is not a `T`: the messages stay. connect-flash keeps whatever
/// it is given, so take `serde_json::Value` if Express adds more than texts. And as [`Session::save`]; if the handler
/// returns the error, the messages stay.
pub async fn take<T: DeserializeOwned>(
    session: &Session,
) -> Result<BTreeMap<String, Vec<T>>, Error> {
    take_those(session, None).await
}

/// Takes the messages of one kind, as `req.flash(kind)` does. Returns an empty list if the kind has no message.
/// Otherwise as [`take`].
///
/// # Errors
///
/// As [`take`].
pub async fn take_kind<T: DeserializeOwned>(
    session: &Session,
    kind: &str,
) -> Result<Vec<T>, Error> {
    let mut taken = take_those(session, Some(kind)).await?;
    Ok(taken.remove(kind).unwrap_or_default())
}

async fn take_those<T: DeserializeOwned>(
    session: &Session,
    kind: Option<&str>,
) -> Result<BTreeMap<String, Vec<T>>, Error> {
    let kind = kind.map(str::to_owned);
    let is_asked = move |one: &str| kind.as_deref().is_none_or(|kind| kind == one);
    let here = session.with(|record| split(record.get_json(MEMBER), &is_asked).1)?;
    // Tried first, so that messages that are not a `T` stay. And reading writes nothing if there is nothing to read.
    if parsed::<T>(here)?.is_empty() {
        return Ok(BTreeMap::new());
    }
    let taken = settle(session, MEMBER, move |flash| split(flash, &is_asked)).await?;
    parsed(taken.unwrap_or_default())
}

/// Messages as JSON texts, by their kinds.
type Texts = Vec<(String, Vec<String>)>;

/// Returns the member without the kinds that are asked for, and those.
fn split(flash: Option<&str>, is_asked: impl Fn(&str) -> bool) -> (String, Texts) {
    let (mut left, mut taken) = (Vec::new(), Texts::new());
    for (kind, json) in Object::read(flash).into_members() {
        if is_asked(&kind) {
            let messages = messages(Some(&json));
            taken.push((kind, messages));
        } else {
            left.push((kind, json));
        }
    }
    (Object::of(left).to_json(), taken)
}

/// Returns the messages of a kind. connect-flash keeps a list; another value counts as one message, and what JavaScript
/// calls falsy as none.
fn messages(json: Option<&str>) -> Vec<String> {
    match json {
        None | Some("null" | "false" | "0" | "\"\"") => Vec::new(),
        Some(json) => match json::items(json) {
            Some(items) => items.into_iter().map(str::to_owned).collect(),
            None => vec![json.to_owned()],
        },
    }
}

fn parsed<T: DeserializeOwned>(texts: Texts) -> Result<BTreeMap<String, Vec<T>>, Error> {
    let mut all = BTreeMap::new();
    for (kind, messages) in texts {
        let messages: Vec<T> =
            messages.iter().map(|json| message(json)).collect::<Result<_, _>>()?;
        if !messages.is_empty() {
            all.insert(kind, messages);
        }
    }
    Ok(all)
}

fn message<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    // A text with half a surrogate pair, which Rust cannot hold, is read as Node.js would send it to the browser.
    let readable = || {
        let mut text = String::new();
        json::quote(&json::unquote(json)?, &mut text);
        serde_json::from_str(&text).ok()
    };
    serde_json::from_str(json).ok().or_else(readable).ok_or_else(|| {
        let message = format!("a flash message is not a valid {}", std::any::type_name::<T>());
        Error::new(ErrorKind::InvalidData, "session", "flash", message)
    })
}
