//! What an engine does with a request of any framework: it loads a session from the head and commits it to a cookie.

use std::time::Duration;

use cloakroom_core::Error;
use http::{Extensions, HeaderValue, StatusCode};

use crate::{LazySession, Loading, RequestHead, Session, SessionEngine, rules::Asked};

/// What an engine has to do with a request.
enum Part {
    /// Nothing: the cookie has another path, or the engine was asked before.
    None,
    /// The store is unavailable, as `is_connected` says.
    Unavailable,
    /// The life of the sessions that the request makes.
    Serve(Option<Duration>),
}

/// The session of a request, as far as it is known without waiting.
pub(crate) enum Begun {
    /// The session, or what will load it. `None` when this engine has nothing to do with the request.
    Session(Option<LazySession>),
    /// The store has to be asked, by [`load_asked`](SessionEngine::load_asked).
    Asked(AskedFirst),
    /// A new session could not be made.
    Failed(Error),
}

/// What loading the session needs, and the session of the layer around this one.
pub(crate) struct AskedFirst {
    asked: Asked,
    outer: Option<LazySession>,
}

impl SessionEngine {
    /// Returns the session of a request: a stored one, or a new one. Returns `None` if the request's path is not below
    /// the cookie's, if the store is unavailable, as [`is_connected`](crate::FailureOptions::is_connected) says, or if
    /// this engine gave the request a session before. Sessions of other engines do not count.
    ///
    /// # Errors
    ///
    /// The store's errors, unless [`when_unavailable`](crate::FailureOptions::when_unavailable) turns them into a
    /// session that cannot be changed; [`Timeout`](cloakroom_core::ErrorKind::Timeout) after the deadline. If
    /// a new session is made, also the error of the system's random source or of `genid`, and one for a cookie that cannot
    /// be sent.
    pub async fn load(&self, head: RequestHead<'_>) -> Result<Option<Session>, Error> {
        let outer = LazySession::innermost(head.extensions());
        match self.part_in(head, outer.as_ref()) {
            Part::None | Part::Unavailable => Ok(None),
            Part::Serve(max_age) => {
                Session::load(self, &self.rules().ask(head, max_age)).await.map(Some)
            }
        }
    }

    /// Begins to serve a request. The store is asked later, if it has to be asked.
    pub(crate) fn begin(&self, head: RequestHead<'_>) -> Begun {
        let outer = LazySession::innermost(head.extensions());
        let max_age = match self.part_in(head, outer.as_ref()) {
            Part::None => return Begun::Session(None),
            Part::Unavailable => {
                return Begun::Session(Some(LazySession::unavailable(self.clone(), outer)));
            }
            Part::Serve(max_age) => max_age,
        };
        let asked = self.rules().ask(head, max_age);
        if self.options().loading == Loading::OnDemand {
            return Begun::Session(Some(LazySession::waiting(self.clone(), asked, outer)));
        }
        match Session::at_once(self, &asked) {
            Ok(Some(session)) => Begun::Session(Some(LazySession::loaded(session, outer))),
            Ok(None) => Begun::Asked(AskedFirst { asked, outer }),
            Err(error) => Begun::Failed(error),
        }
    }

    /// Loads the session of a request for which the store has to be asked.
    pub(crate) async fn load_asked(&self, first: AskedFirst) -> Result<LazySession, Error> {
        let session = Session::loaded(self, &first.asked).await?;
        Ok(LazySession::loaded(session, first.outer))
    }

    /// Decides what this engine has to do with a request, without asking the store. `outer` is the session of the layer
    /// around this one.
    fn part_in(&self, head: RequestHead<'_>, outer: Option<&LazySession>) -> Part {
        let options = self.options();
        if outer.is_some_and(|outer| outer.has_one_of(self)) {
            return Part::None;
        }
        // As express-session does when another middleware has set `req.session`.
        if self.rules().gives_way() && LazySession::put_by_hand(head.extensions()).is_some() {
            return Part::None;
        }
        let made = options.cookie_for.as_ref().map(|cookie_for| cookie_for(head));
        let cookie = made.as_ref().unwrap_or(&options.cookie);
        let path = cookie.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let is_ours =
            !options.preset.looks_at_path() || options.path_match.matches(path, head.path());
        if !is_ours {
            Part::None
        } else if options.failure.is_connected.as_ref().is_some_and(|is_connected| !is_connected())
        {
            Part::Unavailable
        } else {
            Part::Serve(cookie.max_age)
        }
    }

    /// Returns this engine's session from the extensions of a request that other engines may have served, too. Returns
    /// `None` if the request came through no layer of this engine, or if its path is not below the cookie's.
    ///
    /// Where layers are nested, the extractor returns the innermost layer's session. This method finds the others.
    ///
    /// ```
    /// use cloakroom_core::Error;
    /// use cloakroom_tower::SessionEngine;
    ///
    /// async fn customer(shop: &SessionEngine, request: &http::Request<()>) -> Result<Option<String>, Error> {
    ///     let Some(session) = shop.lazy_session(request.extensions()) else { return Ok(None) };
    ///     session.get().await?.map_or(Ok(None), |session| session.get("customer"))
    /// }
    /// ```
    #[must_use]
    pub fn lazy_session(&self, extensions: &Extensions) -> Option<LazySession> {
        LazySession::of(self, extensions)
    }

    /// Writes back what the request changed, and returns the `Set-Cookie` line that the response needs, if any. It
    /// closes the session's handles, so a second call does nothing.
    ///
    /// # Errors
    ///
    /// With the safe preset, if a change could not be written. Do not send the handler's response then. Send an error
    /// response with the cookie of [`cookie_after_error`](Self::cookie_after_error). The express preset calls
    /// [`on_error`](crate::FailureOptions::on_error) alone.
    pub async fn commit(&self, session: &Session) -> Result<Option<HeaderValue>, Error> {
        match session.end() {
            Some(life) => life.commit(false).await,
            None => Ok(None),
        }
    }

    /// As [`commit`](Self::commit), for a response with this status.
    ///
    /// If the request failed, with a status of 500 or more or with 408, the handler's changes are dropped. What it
    /// saved or destroyed itself stays, and the browser gets the cookie for it. With the option
    /// [`store_failed`](crate::FailureOptions::store_failed) the status does not matter.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub async fn commit_with_status(
        &self,
        session: &Session,
        status: StatusCode,
    ) -> Result<Option<HeaderValue>, Error> {
        // 408 is what a timeout of tower-http answers.
        let is_failed = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        match session.end() {
            Some(life) => life.commit(is_failed).await,
            None => Ok(None),
        }
    }

    /// Returns the `Set-Cookie` line for the error response when [`commit`](Self::commit) has failed.
    ///
    /// If the session was stored under a new id before the failure, the browser's old id is gone, and without this line
    /// nobody could reach the session. Returns `None` if nothing was stored, if another request has logged the session
    /// out since, and with the express preset, whose `commit` does not fail.
    ///
    /// ```
    /// use cloakroom_tower::{Session, SessionEngine};
    /// use http::HeaderValue;
    ///
    /// /// Returns true if the response must be an error, and the cookie to add to it.
    /// async fn finish(engine: &SessionEngine, session: &Session) -> (bool, Option<HeaderValue>) {
    ///     match engine.commit(session).await {
    ///         Ok(cookie) => (false, cookie),
    ///         Err(_) => (true, engine.cookie_after_error(session)),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn cookie_after_error(&self, session: &Session) -> Option<HeaderValue> {
        session.end()?.cookie_after_error()
    }
}
