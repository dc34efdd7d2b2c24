//! The sealed cookie of iron-session 8.
//!
//! The whole session is in the cookie: encrypted with AES-256-CBC and signed with HMAC-SHA256 in the format Fe26.2 of
//! iron-webcrypto, under a password of the application. Both sides need the same password.
//!
//! ```
//! use cloakroom_authjs::{iron_session::{IronSession, Passwords}, sealed::Content};
//!
//! let sessions = IronSession::new("shop", Passwords::new("a password of at least 32 characters")?)?;
//! let now_ms = 1_767_225_600_000;
//!
//! let mut session = Content::new();
//! session.set("user", "ann")?;
//! let set_cookie = sessions.save(&session, now_ms)?; // The value of a Set-Cookie header.
//! let (cookie, attributes) = set_cookie.split_once("; ").unwrap();
//! assert_eq!(attributes, "Max-Age=1209540; Path=/; HttpOnly; Secure; SameSite=Lax");
//!
//! let session = sessions.read(cookie.as_bytes(), now_ms + 1_000).expect("it is the same password");
//! assert_eq!(session.get::<String>("user")?.as_deref(), Some("ann"));
//! # Ok::<(), cloakroom_core::Error>(())
//! ```

mod options;
mod passwords;
mod seal;

use cloakroom_core::{Error, ErrorKind};

pub use self::options::{IronSessionOptions, MaxAge};
pub use self::passwords::Passwords;
use crate::sealed::{Content, Refusal, cookies};

/// What the errors of this module begin with.
const NAME: &str = "iron-session";

/// The longest `Set-Cookie` value that `save` returns, in characters: iron-session's limit, which is the browsers'.
const LONGEST: usize = 4_096;

/// The methods of iron-session's session.
const METHODS: [&str; 3] = ["destroy", "save", "updateConfig"];

/// Reads and writes the sessions of iron-session 8.
///
/// What it refuses is anonymous for iron-session too, except where the README says otherwise. `Debug` shows the names of
/// the options and no password.
#[derive(Clone, Debug)]
pub struct IronSession {
    cookie_name: String,
    passwords: Passwords,
    options: IronSessionOptions,
}

impl IronSession {
    /// Creates it with iron-session's default options.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if no cookie can have this name.
    pub fn new(cookie_name: &str, passwords: Passwords) -> Result<Self, Error> {
        Self::with_options(cookie_name, passwords, IronSessionOptions::default())
    }

    /// Creates it with options.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if no cookie can have this name or these attributes.
    pub fn with_options(
        cookie_name: &str,
        passwords: Passwords,
        options: IronSessionOptions,
    ) -> Result<Self, Error> {
        cookies::with_max_age(cookie_name, "", None, &options.cookie)?;
        Ok(Self { cookie_name: cookie_name.to_owned(), passwords, options })
    }

    /// Reads the session from the value of a `Cookie` header. The first cookie of the name counts.
    ///
    /// A request over HTTP/2 can have several `Cookie` lines. Join them, as
    /// [`RequestHead::cookie_header`](cloakroom_tower::RequestHead::cookie_header) does.
    ///
    /// # Errors
    ///
    /// The reason why there is no session: see [`unseal`](Self::unseal); [`Missing`](Refusal::Missing) without a cookie.
    pub fn read(&self, cookie_header: &[u8], now_ms: i64) -> Result<Content, Refusal> {
        self.unseal(&cookies::find(cookie_header, &self.cookie_name)?, now_ms)
    }

    /// Returns the value of a `Set-Cookie` header that stores the session: iron-session's `save()`.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the session is neither a JSON object nor `null`, with which
    /// `getIronSession` of iron-session 8.0.4 throws, and if it has a member `save`, `destroy` or `updateConfig`, which it
    /// replaces by its methods; the message names the member. [`TooLarge`](ErrorKind::TooLarge) if the value would have more
    /// than 4,096 characters, which browsers drop. Otherwise as for [`seal`](Self::seal).
    pub fn save(&self, session: &Content, now_ms: i64) -> Result<String, Error> {
        check_members(session)?;
        let seal = self.seal(session, now_ms)?;
        let max_age = self.options.cookie_max_age();
        let text = cookies::with_max_age(&self.cookie_name, &seal, max_age, &self.options.cookie)?;
        if text.len() > LONGEST {
            let message = format!(
                "the cookie has {} characters, but browsers accept at most {LONGEST}: store less in the session",
                text.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, NAME, "save", message));
        }
        Ok(text)
    }

    /// Returns the value of a `Set-Cookie` header that removes the cookie: iron-session's `destroy()`.
    ///
    /// A copy of the cookie stays valid until it expires, because nothing but the cookie knows of the session.
    ///
    /// # Errors
    ///
    /// None that [`with_options`](Self::with_options) has not reported.
    pub fn destroy(&self) -> Result<String, Error> {
        cookies::with_max_age(&self.cookie_name, "", Some(0), &self.options.cookie)
    }

    /// Returns the sealed text of a session: iron-session's `sealData`. The password with the highest id encrypts.
    ///
    /// As with `sealData`, the content is any JSON text, and its members have any names.
    ///
    /// `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Other`](ErrorKind::Other) if the system's random source fails, [`Config`](ErrorKind::Config) if the end of the
    /// session is beyond what a number of JavaScript holds.
    pub fn seal(&self, session: &Content, now_ms: i64) -> Result<String, Error> {
        let mut random = seal::Random::default();
        random.fill()?;
        self.seal_with(session, now_ms, &random)
    }

    /// Returns the session in a sealed text: iron-session's `unsealData`.
    ///
    /// As in the package, a seal lives 60 seconds longer than it says, because clocks differ, and the reader's own `ttl`
    /// does not matter. A seal without the suffix `~2` is of next-iron-session 4, whose session is its member `persistent`;
    /// iron-session 6.3.1 and 7.0.0 write the suffix. `null` and an empty text are an empty session.
    ///
    /// # Errors
    ///
    /// [`Malformed`](Refusal::Malformed), [`OtherVersion`](Refusal::OtherVersion), [`UnknownKey`](Refusal::UnknownKey),
    /// [`NotVerified`](Refusal::NotVerified), [`Expired`](Refusal::Expired), [`InvalidContent`](Refusal::InvalidContent)
    /// or [`TooLong`](Refusal::TooLong).
    pub fn unseal(&self, seal: &str, now_ms: i64) -> Result<Content, Refusal> {
        cookies::check_length(seal)?;
        let (seal, is_current) = match seal.split_once('~') {
            Some((seal, "2")) => (seal, true),
            None => (seal, false),
            Some(_) => return Err(Refusal::OtherVersion),
        };
        let bytes = seal::open(seal, &self.passwords, now_ms)?;
        let text = String::from_utf8(bytes).map_err(|_| Refusal::InvalidContent)?;
        let content = match &*text {
            "" | "null" => Content::new(),
            _ => Content::from_json(text).map_err(|_| Refusal::InvalidContent)?,
        };
        if is_current {
            return Ok(content);
        }
        let persistent = content.get_json("persistent").unwrap_or("{}");
        Content::from_json(persistent).map_err(|_| Refusal::InvalidContent)
    }

    /// Seals with the given random bytes, which are drawn in this order: 32 of a salt, 16 of the IV, 32 of another salt.
    /// For tests that reproduce a recorded seal; anything else breaks the encryption.
    ///
    /// # Errors
    ///
    /// As for [`seal`](Self::seal).
    #[doc(hidden)]
    pub fn insecure_seal_with(
        &self,
        session: &Content,
        now_ms: i64,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<String, Error> {
        let mut bytes = seal::Random::default();
        bytes.parts().into_iter().for_each(random);
        self.seal_with(session, now_ms, &bytes)
    }

    fn seal_with(
        &self,
        session: &Content,
        now_ms: i64,
        random: &seal::Random,
    ) -> Result<String, Error> {
        let expires_ms = self.options.expires_ms(now_ms)?;
        let (id, password) = self.passwords.current();
        let seal = seal::close(session.as_json(), id, password, expires_ms, random);
        Ok(format!("{seal}~2"))
    }
}

/// Refuses what iron-session would lose, and what makes it throw.
fn check_members(session: &Content) -> Result<(), Error> {
    let message = if let Some(name) = session.names().find(|name| METHODS.contains(&&**name)) {
        format!(
            "invalid member {name:?}: iron-session has a method of this name, choose another name"
        )
    } else if session.is_object() || session.as_json() == "null" {
        return Ok(());
    } else {
        "the session must be a JSON object".to_owned()
    };
    Err(Error::new(ErrorKind::InvalidData, NAME, "save", message))
}
