//! A request that an engine serves, from before its handler to its response, in any framework.

use bytes::Bytes;
use cloakroom_core::Error;
use http::{Extensions, HeaderValue, Response, StatusCode, header::SET_COOKIE};

use crate::{LazySession, RequestHead, Session, SessionEngine, lazy::PassedBy, serve::Begun};

/// A request that an engine serves: all that [`SessionLayer`](crate::SessionLayer) does, for a middleware of a
/// framework that is not tower. [`SessionEngine::serve`] begins one.
///
/// Such a middleware calls [`serve`](SessionEngine::serve) before the handler, makes the session reachable for it by
/// [`put_into`](Self::put_into), and calls [`end`](Self::end) with the status of the handler's response before that
/// response begins. It holds the value while the handler runs: if the handler panics, or the request is dropped,
/// nothing is stored, and handles that somebody has kept can no longer be used.
///
/// In contrast to [`SessionEngine::load`], sessions of nested middlewares do not get in each other's way, and
/// [`Loading::OnDemand`](crate::Loading::OnDemand) is supported.
///
/// ```
/// use bytes::Bytes;
/// use cloakroom_tower::{RequestHead, Session, SessionEngine};
/// use http::{Request, Response, header::SET_COOKIE};
///
/// async fn middleware(
///     engine: &SessionEngine,
///     mut request: Request<()>,
///     handler: impl AsyncFn(Request<()>) -> Response<Bytes>,
/// ) -> Response<Bytes> {
///     let served = match engine.serve(RequestHead::from(&request)).await {
///         Ok(served) => served,
///         Err(refusal) => return refusal,
///     };
///     served.put_into(request.extensions_mut());
///     let mut response = handler(request).await;
///     match served.end(response.status()).await {
///         Ok(Some(cookie)) => drop(response.headers_mut().append(SET_COOKIE, cookie)),
///         Ok(None) => {}
///         Err(mut refusal) => {
///             for cookie in response.headers().get_all(SET_COOKIE) {
///                 refusal.headers_mut().append(SET_COOKIE, cookie.clone());
///             }
///             return refusal;
///         }
///     }
///     response
/// }
///
/// # use cloakroom_core::{Error, MemoryStore, Secrets};
/// # use cloakroom_tower::SessionOptions;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = SessionOptions::new().engine(MemoryStore::new(), Secrets::new(["keyboard cat"])?)?;
/// let response = middleware(&engine, Request::new(()), async |request| {
///     let session = request.extensions().get::<Session>().expect("the middleware puts it there");
///     session.insert("user", "ann").expect("a text can be stored");
///     Response::new(Bytes::new())
/// });
/// assert!(response.await.headers().contains_key(SET_COOKIE));
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the session is stored by `end`"]
pub struct ServedRequest {
    engine: SessionEngine,
    /// `None` if the engine has nothing to do with the request.
    session: Option<ClosedAtTheEnd>,
}

impl SessionEngine {
    /// Begins to serve a request, as [`SessionLayer`](crate::SessionLayer) does: loads its session, unless sessions are
    /// loaded on demand. If the engine has nothing to do with the request, because the cookie has another path or the
    /// engine serves the request already, the value that is returned does nothing.
    ///
    /// The head's extensions must be those that [`ServedRequest::put_into`] was called with for the same request, if
    /// middlewares are nested.
    ///
    /// # Errors
    ///
    /// The response to send in place of the handler's, that of
    /// [`error_response`](crate::FailureOptions::error_response), if the session cannot be loaded. The handler must not
    /// run then.
    pub async fn serve(&self, head: RequestHead<'_>) -> Result<ServedRequest, Response<Bytes>> {
        let session = match self.begin(head) {
            Begun::Session(session) => Ok(session),
            // Boxed, so that its memory is free while the handler runs.
            Begun::Asked(asked) => Box::pin(self.load_asked(asked)).await.map(Some),
            Begun::Failed(error) => Err(error),
        };
        match session {
            Ok(session) => Ok(ServedRequest::new(self.clone(), session)),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    /// Returns the response to send in place of the handler's.
    pub(crate) fn refusal(&self, error: &Error) -> Response<Bytes> {
        (self.options().failure.error_response)(error)
    }
}

impl ServedRequest {
    pub(crate) fn new(engine: SessionEngine, session: Option<LazySession>) -> Self {
        Self { engine, session: session.map(ClosedAtTheEnd) }
    }

    /// Makes the session reachable for the handler and for middlewares further in: a [`LazySession`], and a [`Session`]
    /// too unless sessions are loaded on demand.
    pub fn put_into(&self, extensions: &mut Extensions) {
        match self.lazy() {
            Some(session) => session.put_into(extensions),
            None => PassedBy::note(&self.engine, extensions),
        }
    }

    /// Reports an error with which the handler has answered to [`on_error`](crate::FailureOptions::on_error). An error
    /// that loading the session has met was reported before, and is not reported again.
    pub fn report(&self, error: &Error) {
        if !self.lazy().is_some_and(|session| session.has_told(error)) {
            self.engine.options().tell(error);
        }
    }

    /// Writes back what the request changed, and returns the `Set-Cookie` line that the response needs, if any. The
    /// status is that of the handler's response, as in
    /// [`commit_with_status`](SessionEngine::commit_with_status). The session's handles are closed.
    ///
    /// # Errors
    ///
    /// The response to send in place of the handler's, with its cookie, if a change could not be written. Add the
    /// `Set-Cookie` lines of the handler's response to it: if middlewares are nested, they include the cookie of a
    /// session further in, which can have moved to a new id.
    pub async fn end(&self, status: StatusCode) -> Result<Option<HeaderValue>, Response<Bytes>> {
        let session = self.lazy().and_then(LazySession::end);
        let Some(session) = session.filter(|session| session.end().is_some()) else {
            return Ok(None);
        };
        // Boxed, because most requests get no further.
        Box::pin(self.engine.commit_with_status(session, status)).await.map_err(|error| {
            let mut refusal = self.engine.refusal(&error);
            if let Some(cookie) = self.engine.cookie_after_error(session) {
                refusal.headers_mut().append(SET_COOKIE, cookie);
            }
            refusal
        })
    }

    fn lazy(&self) -> Option<&LazySession> {
        self.session.as_ref().map(|session| &session.0)
    }
}

/// Closes a session's handles also if the handler fails, panics or is dropped: nothing would write what they change
/// after that.
#[derive(Debug)]
struct ClosedAtTheEnd(LazySession);

impl Drop for ClosedAtTheEnd {
    fn drop(&mut self) {
        if let Some(life) = self.0.end().and_then(Session::end) {
            life.shared().close();
            life.shared().forget();
        }
    }
}
