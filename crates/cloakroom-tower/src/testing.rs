//! For the tests of applications: stores a session and makes its cookie.

use cloakroom_core::{Error, ErrorKind, SessionData};
use http::HeaderValue;

use crate::{SessionEngine, request::RequestFacts};

impl SessionEngine {
    /// Stores a new session with the members that `fill` sets, and returns the `Cookie` header for it. A test sends
    /// this header to call a handler as a user who is logged in.
    ///
    /// The session and the cookie are made with the engine's options and secrets, as for a browser, so the request goes
    /// through the whole layer. With a [`MemoryStore`](cloakroom_core::MemoryStore), a test needs no server.
    ///
    /// # Errors
    ///
    /// The error of `fill`, and as [`Store::set`](cloakroom_core::Store::set).
    ///
    /// ```
    /// use cloakroom_core::{Error, MemoryStore, Secrets};
    /// use cloakroom_tower::{RequestHead, SessionOptions};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let engine = SessionOptions::new().engine(MemoryStore::new(), Secrets::new(["keyboard cat"])?)?;
    /// let cookie = engine.test_cookie(|session| session.insert("user", "ann")).await?;
    ///
    /// let request = http::Request::get("/account").header("cookie", cookie).body(()).unwrap();
    /// let session = engine.load(RequestHead::from(&request)).await?.unwrap();
    /// assert_eq!(session.get::<String>("user")?.as_deref(), Some("ann"));
    /// # Ok::<(), Error>(()) }).unwrap();
    /// ```
    pub async fn test_cookie(
        &self,
        fill: impl FnOnce(&mut SessionData) -> Result<(), Error> + Send,
    ) -> Result<HeaderValue, Error> {
        let request = http::Request::new(());
        let facts = RequestFacts::new(self.options(), (&request).into(), false, false);
        let (id, mut record) = self.setup().generate(&facts)?;
        fill(&mut record)?;
        self.setup().within("test_cookie", self.store().set(&id, &record)).await?;
        let line = self.setup().set_cookie(&id, record.cookie())?;
        // The attributes follow the first semicolon. The value contains none, since it is percent-encoded.
        let pair = line.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        HeaderValue::from_bytes(pair).map_err(|error| {
            let message = "the cookie contains characters that are not allowed in a header";
            Error::new(ErrorKind::InvalidData, "session", "test_cookie", message).with_source(error)
        })
    }
}
