//! The sessions of one user, and their end.

use cloakroom_backend::Idempotency::{Read, Repeatable};
use cloakroom_core::{Enumerate, Error, ErrorKind, Listed, SessionData};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;

use super::ExpressSession;

/// How often `end_all` looks at the store. A user whose sessions still appear then is signing in all the time.
const MOST_PASSES: usize = 16;

/// How the sessions of a user are found.
#[derive(Clone, Copy)]
enum Look {
    /// No session is missed.
    Whole,
    /// Sessions that only another program wrote can be missed.
    Known,
}

impl ExpressSession {
    /// Returns the sessions of a user: those that have this value at the
    /// [`user_path`](crate::ExpressSessionOptions::user_path). A number is the same however it is written, and a text is
    /// never a number. Returns an empty stream if the user has no session.
    ///
    /// With an index, by [`index_users`](Self::index_users), it reads the user's sessions. Without one, or for a user that
    /// is an object, it reads the store's listing page by page and keeps the user's sessions, so its time grows with the
    /// number of all sessions, and its memory does not. As in [`all`](Self::all), a session can be past its end, can be
    /// listed twice, and the listing as a whole has no deadline.
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
        let wanted = self.wanted("of", user);
        stream::once(async move { self.listed_of(&wanted?, Look::Whole).await })
            .try_flatten()
            .boxed()
    }

    /// Returns the sessions of a user that this store wrote last, or another one with the same options: the ones that
    /// [`of`](Self::of) returns, but for those that only another program wrote, such as Express.
    ///
    /// Where Rust is the only writer, it finds all sessions whose last write succeeded, unless the server evicts or loses
    /// a list. It is for stores that cannot search what Express writes, and keep lists of their own instead: `RedisStore`
    /// with the option `user_path`, which must be the [`user_path`](crate::ExpressSessionOptions::user_path) of the handle.
    /// It reads as many sessions as are in the list, however many others there are. In any other store it is the same as
    /// [`of`](Self::of).
    ///
    /// # Errors
    ///
    /// As for [`of`](Self::of).
    #[must_use]
    pub fn of_known<U: Serialize>(&self, user: U) -> BoxStream<'_, Result<Listed, Error>> {
        let wanted = self.wanted("of_known", user);
        stream::once(async move { self.listed_of(&wanted?, Look::Known).await })
            .try_flatten()
            .boxed()
    }

    /// Creates the index by the [`user_path`](crate::ExpressSessionOptions::user_path) and waits for it, so that
    /// [`of`](Self::of) and [`end_all`](Self::end_all) no longer read all sessions. An index that exists is not an
    /// error. Call it when the application is installed, rather than with each request.
    ///
    /// The stores in MongoDB and SQL have one; see [`FindBy::create_index`](cloakroom_core::FindBy::create_index) of
    /// each. In Redis, with the option `user_path`, it reads all sessions and fills the lists for
    /// [`of_known`](Self::of_known) and [`end_all_known`](Self::end_all_known), also with what Express has written;
    /// [`of`](Self::of) and [`end_all`](Self::end_all) still read all sessions.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if the store has no index or cannot look into its records, and
    /// [`InvalidData`](ErrorKind::InvalidData) for a path that it cannot index. [`Timeout`](ErrorKind::Timeout) after
    /// the deadline; a large store needs a longer one.
    pub async fn index_users(&self) -> Result<(), Error> {
        let find_by =
            self.offered("create_index", self.store.enumerate().and_then(Enumerate::find_by))?;
        let create = find_by.create_index(&self.options.user_path);
        self.run("create_index", Repeatable, create).await
    }

    /// Signs a user out everywhere: destroys the sessions that [`of`](Self::of) lists, except one, such as the one in
    /// which the password was changed. Returns their number.
    ///
    /// First make it impossible to sign in with what the others have. The method then looks at the store until it finds
    /// no session of the user, since one that gets a new id in the meantime can be missed. Each look reads what
    /// [`of`](Self::of) reads, and there are at least two if there was anything to end.
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
        self.end_found("end_all", &user, except, Look::Whole).await
    }

    /// Does what [`end_all`](Self::end_all) does with the sessions that [`of_known`](Self::of_known) lists. A session that
    /// only another program wrote, such as Express, stays signed in: use it where Rust is the only writer, or before an
    /// [`end_all`](Self::end_all) that takes longer. To be certain, call [`end_all`](Self::end_all).
    ///
    /// # Errors
    ///
    /// As for [`end_all`](Self::end_all).
    pub async fn end_all_known<U: Serialize>(
        &self,
        user: U,
        except: Option<&str>,
    ) -> Result<u64, Error> {
        let user = self.wanted("end_all_known", user)?;
        self.end_found("end_all_known", &user, except, Look::Known).await
    }

    async fn end_found(
        &self,
        operation: &'static str,
        user: &str,
        except: Option<&str>,
        look: Look,
    ) -> Result<u64, Error> {
        let mut ended = 0;
        let stopped = |kind, ended: u64, why: &str| {
            let message = format!("{why}; sessions destroyed before that: {ended}");
            Error::new(kind, self.name().to_owned(), operation, message).with_outcome_unknown()
        };
        for _ in 0..MOST_PASSES {
            let is_theirs =
                |sid: &str, session: &SessionData| except != Some(sid) && self.is_of(session, user);
            let looked = match self.listed_of(user, look).await {
                Ok(listed) => self.destroy_listed(listed, is_theirs).await,
                Err(error) => Err(error),
            };
            match looked {
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

    /// Returns the sessions of a user, by the store's index or list if it can tell them.
    async fn listed_of(
        &self,
        user: &str,
        look: Look,
    ) -> Result<BoxStream<'_, Result<Listed, Error>>, Error> {
        let path = &*self.options.user_path;
        if let Some(find_by) = self.store.enumerate().and_then(Enumerate::find_by) {
            let found = match look {
                Look::Whole => self.run("find", Read, find_by.find(path, user)).await?,
                Look::Known => self.run("find_known", Read, find_by.find_known(path, user)).await?,
            };
            if let Some(found) = found {
                return Ok(found.map_err(Error::with_outcome_known).boxed());
            }
        }
        let user = user.to_owned();
        let is_theirs = move |listed: &Listed| listed.session.has_value(path, &user);
        Ok(self.all().try_filter(move |listed| std::future::ready(is_theirs(listed))).boxed())
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
        session.has_value(&self.options.user_path, user)
    }
}
