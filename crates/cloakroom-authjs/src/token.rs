//! The encrypted tokens of the JWT strategy: `encode` and `decode` of `next-auth/jwt` and `@auth/core/jwt`.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_core::{Error, ErrorKind};

use crate::{
    Claims, TokenRefusal,
    jwe::{self, Encryption, Key, Sealed},
    version::{AuthJsVersion, TOLERANCE},
};

/// Reads and writes the encrypted tokens of one version, for one name of the cookie.
///
/// [`AuthJs`](crate::AuthJs) uses it for the session cookie. Use it yourself for a token that comes another way.
///
/// It reads every token that the package writes, and is stricter than the package with others: `dir` is the only key
/// algorithm, base64 has no padding, and the content is UTF-8. After a change of the secret it reads more: it tries every
/// secret on a token of Auth.js 5 that names no key, and on each token of next-auth 4.
///
/// The codec keeps the derived keys, not the secrets, and erases them when its last clone is dropped. `Debug` prints no
/// key.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_authjs::{AuthJsVersion, Claims, TokenCodec, TokenRefusal};
///
/// let name = "__Secure-authjs.session-token";
/// let codec = TokenCodec::new(AuthJsVersion::AuthJs5, ["made-up-secret"], name)?;
/// let claims = Claims::from_json(r#"{"name":"Ada","sub":"42"}"#)?;
/// let token = codec.encode(&claims, Duration::from_secs(3600), 1_767_225_600_000)?;
///
/// let read = codec.decode(&token, 1_767_225_600_000).expect("it is ours");
/// assert_eq!(read.sub().as_deref(), Some("42"));
/// let next_day = 1_767_225_600_000 + 86_400_000;
/// assert_eq!(codec.decode(&token, next_day), Err(TokenRefusal::Expired));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenCodec {
    version: AuthJsVersion,
    /// One per secret. The first one writes.
    keys: Arc<[Keys]>,
    tolerance: Duration,
}

/// The keys of one secret.
struct Keys {
    written: Key,
    header: String,
    /// The name by which headers call the key, in Auth.js 5.
    id: String,
    /// The key for `A256GCM` in Auth.js 5, which reads this algorithm and does not write it.
    also_read: Option<(Key, String)>,
}

impl TokenCodec {
    /// The longest token in bytes. Node.js accepts 16 KiB of headers by default.
    pub const MAX_LENGTH: usize = 128 * 1024;

    /// Creates a codec for these secrets, which are strings (as UTF-8) or bytes. The first secret writes, and all of
    /// them read.
    ///
    /// In Auth.js 5 the salt is the whole name of the cookie, with `__Secure-`. In next-auth 4 it is empty for the
    /// session.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an empty list of secrets, and for an empty secret.
    pub fn new<S: AsRef<[u8]>>(
        version: AuthJsVersion,
        secrets: impl IntoIterator<Item = S>,
        salt: &str,
    ) -> Result<Self, Error> {
        let config = |message| Error::new(ErrorKind::Config, "authjs", "new", message);
        let keys = |secret: S| Keys::derive(version, secret.as_ref(), salt);
        let keys: Option<Arc<[Keys]>> = secrets.into_iter().map(keys).collect();
        let keys = keys.ok_or_else(|| config("invalid secret: must not be empty"))?;
        if keys.is_empty() {
            return Err(config("at least one secret is required"));
        }
        Ok(Self { version, keys, tolerance: TOLERANCE })
    }

    /// Sets by how much `exp` and `nbf` may differ from the clock. The packages allow 15 seconds, which is the default.
    #[must_use]
    pub const fn with_clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Encrypts the claims with the first secret, in a token that expires `max_age` after `now_ms`, in milliseconds
    /// since 1970. As in the packages, new values of `iat`, `exp` and `jti` replace those of the claims.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) if the token would be longer than [`MAX_LENGTH`](Self::MAX_LENGTH), and
    /// [`Other`](ErrorKind::Other) if the system's random source fails.
    pub fn encode(&self, claims: &Claims, max_age: Duration, now_ms: i64) -> Result<String, Error> {
        let mut claims = claims.clone();
        let now = now_ms.div_euclid(1_000);
        claims.set("iat", now.to_string());
        claims.insert("exp", now as f64 + max_age.as_secs_f64())?;
        claims.set("jti", format!("\"{}\"", random_uuid()?));
        let mut iv = vec![0; self.keys[0].written_with().iv_length()];
        fill(&mut iv)?;
        self.seal(&claims.to_json(), &iv)
    }

    /// Encrypts a text as it is.
    pub(crate) fn seal(&self, text: &str, iv: &[u8]) -> Result<String, Error> {
        let keys = &self.keys[0];
        let token = jwe::seal(&keys.written, &keys.header, iv, text);
        // AES-GCM refuses texts of more than 64 GiB.
        let token = token.filter(|token| token.len() <= Self::MAX_LENGTH);
        token.ok_or_else(|| {
            let message = "the token would be longer than 131072 bytes: keep fewer claims in it";
            Error::new(ErrorKind::TooLarge, "authjs", "encode", message)
        })
    }

    /// Decrypts a token and returns its claims, if it is valid at `now_ms`, in milliseconds since 1970.
    ///
    /// As in the packages, a token without `exp` never expires.
    ///
    /// # Errors
    ///
    /// The [`TokenRefusal`] says why, without a word of the content.
    pub fn decode(&self, token: &str, now_ms: i64) -> Result<Claims, TokenRefusal> {
        let claims = Claims::from_json(&self.open(token)?).map_err(|_| TokenRefusal::Payload)?;
        self.check_times(&claims, now_ms)?;
        Ok(claims)
    }

    /// Decrypts a token and returns the text in it.
    pub(crate) fn open(&self, token: &str) -> Result<String, TokenRefusal> {
        if token.len() > Self::MAX_LENGTH {
            return Err(TokenRefusal::TooLong);
        }
        let accepted: &[Encryption] = match self.version {
            AuthJsVersion::NextAuth4 => &[Encryption::A256Gcm],
            AuthJsVersion::AuthJs5 => &[Encryption::A256CbcHs512, Encryption::A256Gcm],
        };
        let sealed = Sealed::parse(token, accepted)?;
        let (encryption, is_compressed) = (sealed.encryption, sealed.is_compressed);
        let mut keys = self.keys.iter().filter_map(|keys| keys.for_reading(encryption));
        let text = match (self.version, &sealed.key_id) {
            (AuthJsVersion::AuthJs5, Some(id)) => {
                let named = keys.find(|(_, known)| known == id);
                let (key, _) = named.ok_or(TokenRefusal::UnknownKey)?;
                sealed.open(key)
            }
            _ => keys.find_map(|(key, _)| sealed.try_open(key)),
        };
        let mut text = text.ok_or(TokenRefusal::Decryption)?;
        if is_compressed {
            text = jwe::inflate(&text).ok_or(TokenRefusal::Compressed)?;
        }
        let text = String::from_utf8(text);
        let text = text.map_err(|_| TokenRefusal::Payload)?;
        // The packages decode with TextDecoder, which drops a byte order mark.
        Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        })
    }

    fn check_times(&self, claims: &Claims, now_ms: i64) -> Result<(), TokenRefusal> {
        let time = |name| match claims.get_json(name) {
            None => Ok(None),
            Some(_) => claims.number(name).map(Some).ok_or(TokenRefusal::ClaimType),
        };
        let (now, tolerance) = (now_ms.div_euclid(1_000) as f64, self.tolerance.as_secs_f64());
        let (expires, not_before, _) = (time("exp")?, time("nbf")?, time("iat")?);
        if not_before.is_some_and(|not_before| not_before > now + tolerance) {
            return Err(TokenRefusal::NotYetValid);
        }
        if expires.is_some_and(|expires| expires <= now - tolerance) {
            return Err(TokenRefusal::Expired);
        }
        Ok(())
    }
}

impl Keys {
    fn derive(version: AuthJsVersion, secret: &[u8], salt: &str) -> Option<Self> {
        let derive = |encryption, info: &str| Key::derive(encryption, secret, salt, info);
        match version {
            AuthJsVersion::NextAuth4 => {
                let of_salt = if salt.is_empty() { String::new() } else { format!(" ({salt})") };
                let info = format!("NextAuth.js Generated Encryption Key{of_salt}");
                let written = derive(Encryption::A256Gcm, &info)?;
                let header = r#"{"alg":"dir","enc":"A256GCM"}"#.to_owned();
                Some(Self { written, header, id: String::new(), also_read: None })
            }
            AuthJsVersion::AuthJs5 => {
                let info = format!("Auth.js Generated Encryption Key ({salt})");
                let written = derive(Encryption::A256CbcHs512, &info)?;
                let id = written.thumbprint();
                let header = format!(r#"{{"alg":"dir","enc":"A256CBC-HS512","kid":"{id}"}}"#);
                let read = derive(Encryption::A256Gcm, &info)?;
                let read_id = read.thumbprint();
                Some(Self { written, header, id, also_read: Some((read, read_id)) })
            }
        }
    }

    fn written_with(&self) -> Encryption {
        self.written.encryption()
    }

    /// Returns the key for this algorithm, with its name in headers.
    fn for_reading(&self, encryption: Encryption) -> Option<(&Key, &str)> {
        if self.written_with() == encryption {
            return Some((&self.written, &self.id));
        }
        self.also_read.as_ref().map(|(key, id)| (key, &**id))
    }
}

impl fmt::Debug for TokenCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCodec")
            .field("version", &self.version)
            .field("secrets", &self.keys.len())
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        let message = "the system's random source failed";
        Error::new(ErrorKind::Other, "authjs", "encode", message).with_source(error)
    })
}

/// Returns a random UUID (RFC 9562, version 4), as the packages put into `jti`.
fn random_uuid() -> Result<String, Error> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_123;
    const HOUR: Duration = Duration::from_secs(3_600);

    fn codec(version: AuthJsVersion, secrets: &[&str]) -> TokenCodec {
        TokenCodec::new(version, secrets, "authjs.session-token").unwrap()
    }

    fn claims() -> Claims {
        Claims::from_json(r#"{"exp":1,"sub":"SECRET","iat":"x"}"#).unwrap()
    }

    #[test]
    fn the_claims_come_back_with_new_times_in_their_places() {
        for version in [AuthJsVersion::NextAuth4, AuthJsVersion::AuthJs5] {
            let codec = codec(version, &["one"]);
            let token = codec.encode(&claims(), Duration::from_millis(90_500), NOW_MS).unwrap();
            let read = codec.decode(&token, NOW_MS).unwrap();
            let jti = read.text("jti").unwrap();
            assert_eq!((jti.len(), &jti[14..15]), (36, "4"));
            let expected = r#"{"exp":1767225690.5,"sub":"SECRET","iat":1767225600,"jti":"#;
            assert_eq!(read.to_json(), format!("{expected}\"{jti}\"}}"));
            assert_ne!(token, codec.encode(&claims(), HOUR, NOW_MS).unwrap());
        }
    }

    #[test]
    fn every_secret_reads_and_the_first_one_writes() {
        for version in [AuthJsVersion::NextAuth4, AuthJsVersion::AuthJs5] {
            let (old, new) = (codec(version, &["old"]), codec(version, &["new", "old"]));
            let token = old.encode(&claims(), HOUR, NOW_MS).unwrap();
            assert!(new.decode(&token, NOW_MS).is_ok());
            let token = new.encode(&claims(), HOUR, NOW_MS).unwrap();
            assert!(matches!(
                old.decode(&token, NOW_MS),
                Err(TokenRefusal::Decryption | TokenRefusal::UnknownKey)
            ));
        }
    }

    /// Wherever a token is cut or changed, it is refused, and nothing panics.
    #[test]
    fn a_token_that_was_cut_or_changed_anywhere_is_refused() {
        for version in [AuthJsVersion::NextAuth4, AuthJsVersion::AuthJs5] {
            let codec = codec(version, &["one"]);
            let token = codec.encode(&claims(), HOUR, NOW_MS).unwrap();
            for place in 0..token.len() {
                assert!(codec.decode(&token[..place], NOW_MS).is_err(), "{place}");
                let mut changed = token.clone().into_bytes();
                changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert!(codec.decode(&changed, NOW_MS).is_err(), "{place}");
            }
        }
    }

    #[test]
    fn hostile_texts_are_refused_at_once() {
        let long = "a".repeat(TokenCodec::MAX_LENGTH + 1);
        let dots = ".".repeat(TokenCodec::MAX_LENGTH);
        for (text, refusal) in [
            ("", TokenRefusal::Malformed),
            ("a.b.c", TokenRefusal::Malformed),
            (&*dots, TokenRefusal::Malformed),
            (&*long, TokenRefusal::TooLong),
            ("e30....", TokenRefusal::Algorithm),
            ("W10....", TokenRefusal::Header),
            ("é....", TokenRefusal::Malformed),
        ] {
            let codec = codec(AuthJsVersion::AuthJs5, &["one"]);
            assert_eq!(codec.decode(text, NOW_MS), Err(refusal), "{}", text.len());
        }
        let mut large = claims();
        large.insert("x", "x".repeat(TokenCodec::MAX_LENGTH)).unwrap();
        let error =
            codec(AuthJsVersion::AuthJs5, &["one"]).encode(&large, HOUR, NOW_MS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn secrets_are_checked_and_never_shown() {
        for secrets in [&[][..], &[""], &["one", ""]] {
            let error = TokenCodec::new(AuthJsVersion::NextAuth4, secrets, "").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        let shown = format!("{:?}", codec(AuthJsVersion::AuthJs5, &["hunter2"]));
        assert!(shown.contains("secrets: 1") && !shown.contains("hunter2"), "{shown}");
    }
}
