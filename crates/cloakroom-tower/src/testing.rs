//! For the tests of applications: a stored session, and the cookie that leads to it.

use cloakroom_core::{Error, ErrorKind, SessionData};
use http::HeaderValue;

use crate::{SessionEngine, request::RequestFacts};

impl SessionEngine {
    /// Stores a new session that `fill` has filled, and returns the value of the `Cookie` header that names it. A test
    /// of a handler sends it to be logged in.
    ///
    /// The session and the cookie are made as for a browser, by the options and the secrets, so the request goes
    /// through the whole layer. Take a [`MemoryStore`](cloakroom_core::MemoryStore), and no server is needed.
    ///
    /// # Errors
    ///
    /// What `fill` returns, and as [`Store::set`](cloakroom_core::Store::set).
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
        let facts = RequestFacts::new(self.options(), (&request).into(), false);
        let (id, mut record) = self.setup().generate(&facts)?;
        fill(&mut record)?;
        self.setup().within("test_cookie", self.store().set(&id, &record)).await?;
        let line = self.setup().set_cookie(&id, record.cookie())?;
        // Behind the first semicolon come the attributes; the value has none, since it is percent-encoded.
        let pair = line.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        HeaderValue::from_bytes(pair).map_err(|error| {
            let message = "the cookie contains characters that are not allowed in a header";
            Error::new(ErrorKind::InvalidData, "session", "test_cookie", message).with_source(error)
        })
    }
}
