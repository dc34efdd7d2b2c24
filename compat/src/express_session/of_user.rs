//! The sessions of one user, and their end.

use cloakroom_core::{Error, ErrorKind, Listed, SessionData, json};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;

use super::ExpressSession;

/// How often `end_all` looks at the store. A user whose sessions still appear then is signing in all the time.
const MOST_PASSES: usize = 16;

impl ExpressSession {
    /// Returns the sessions of a user: those that have this value at the
    /// [`user_path`](crate::ExpressSessionOptions::user_path). A number is the same however it is written, and a text is
    /// never a number. Returns an empty stream if the user has no session.
    ///
    /// It reads the store's listing page by page and keeps the user's sessions, so its time grows with the number of all
    /// sessions, and its memory does not. As in [`all`](Self::all), a session can be past its end, can be listed twice,
    /// and the listing as a whole has no deadline.
    ///
    /// # Errors
    ///
    /// Yielded by the stream: as for [`all`](Self::all), and [`InvalidData`](ErrorKind::InvalidData) for a user that a
    /// session cannot have.
    ///
    /// ```
    /// use cloakroom_compat::ExpressSession;
    /// use cloakroom_core::MemoryStore;
    /// use futures::TryStreamExt;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let sessions = ExpressSession::new(MemoryStore::new());
    /// let (sid, mut session) = sessions.generate()?;
    /// session.insert_json("passport", r#"{"user":7}"#)?;
    /// sessions.set(&sid, &session).await?;
    ///
    /// let theirs: Vec<_> = sessions.of(7).try_collect().await?;
    /// assert_eq!(theirs[0].id, sid);
    /// assert_eq!(sessions.end_all(7, None).await?, 1);
    /// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn of<U: Serialize>(&self, user: U) -> BoxStream<'_, Result<Listed, Error>> {
        match self.wanted("of", user) {
            Ok(user) => {
                let is_theirs = move |listed: &Listed| self.is_of(&listed.session, &user);
                self.all().try_filter(move |listed| std::future::ready(is_theirs(listed))).boxed()
            }
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// Signs a user out everywhere: destroys the sessions that [`of`](Self::of) lists, except one, such as the one in
    /// which the password was changed. Returns their number.
    ///
    /// First make it impossible to sign in with what the others have. The method then looks at the store until it finds
    /// no session of the user, since one that gets a new id in the meantime can be missed. Each look reads the whole
    /// store, and there are at least two if there was anything to end.
    ///
    /// A session of the layer that got a new id in this request must be stored under it first, by `Session::save`;
    /// otherwise its old record ends, and it with it.
    ///
    /// A request that is already running can write its session back, as after any logout; see
    /// [`destroy_where`](Self::destroy_where).
    ///
    /// # Errors
    ///
    /// As for [`destroy_where`](Self::destroy_where), and [`InvalidData`](ErrorKind::InvalidData) for a user that a
    /// session cannot have. [`Other`](ErrorKind::Other) if the user still has sessions after 16 looks.
    pub async fn end_all<U: Serialize>(&self, user: U, except: Option<&str>) -> Result<u64, Error> {
        let user = self.wanted("end_all", user)?;
        let mut ended = 0;
        let stopped = |kind, ended: u64, why: &str| {
            let message = format!("{why}; sessions destroyed before that: {ended}");
            Error::new(kind, self.name().to_owned(), "end_all", message).with_outcome_unknown()
        };
        for _ in 0..MOST_PASSES {
            let is_theirs = |sid: &str, session: &SessionData| {
                except != Some(sid) && self.is_of(session, &user)
            };
            match self.destroy_where(is_theirs).await {
                Ok(0) => return Ok(ended),
                Ok(more) => ended += more,
                Err(error) if ended == 0 => return Err(error),
                Err(error) => {
                    return Err(stopped(error.kind(), ended, "it stopped").with_source(error));
                }
            }
        }
        Err(stopped(ErrorKind::Other, ended, "the user keeps signing in"))
    }

    /// Returns the user as JSON text.
    fn wanted<U: Serialize>(&self, operation: &'static str, user: U) -> Result<String, Error> {
        let mut record = SessionData::new();
        record.insert("user", user).map_err(|error| {
            let store = self.name().to_owned();
            error.with_context(store, operation)
        })?;
        Ok(record.get_json("user").unwrap_or_default().to_owned())
    }

    fn is_of(&self, session: &SessionData, user: &str) -> bool {
        session.get_json_at(&self.options.user_path).is_some_and(|found| is_same(&found, user))
    }
}

/// Returns true if both are the same value to JavaScript, except that members of an object have an order here.
fn is_same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    if let (Some(a), Some(b)) = (json::unquote(a), json::unquote(b)) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (json::items(a), json::items(b)) {
        return a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b));
    }
    if let (Some(a), Some(b)) = (json::members(a), json::members(b)) {
        return a.len() == b.len() && a.zip(b).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1));
    }
    // What is left are numbers and words; words do not parse.
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_however_it_is_written() {
        for (a, b, same) in [
            ("7", "7.0", true),
            ("7", "70e-1", true),
            ("7", "\"7\"", false),
            ("\"ann\"", "\"\\u0061nn\"", true),
            ("\"ann\"", "\"Ann\"", false),
            ("[1,{\"a\":2}]", "[ 1.0, { \"\\u0061\" : 2 } ]", true),
            ("[1]", "[1,2]", false),
            ("{\"a\":1}", "{\"b\":1}", false),
            ("{}", "[]", false),
            ("null", "null", true),
            ("null", "false", false),
            ("0", "false", false),
        ] {
            assert_eq!((is_same(a, b), is_same(b, a)), (same, same), "{a} {b}");
        }
    }
}
