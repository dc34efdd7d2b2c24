//! Signed cookie values in the format of npm's cookie-signature: `value.mac`, where the mac is HMAC-SHA256 in base64
//! without padding.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Error, ErrorKind, encode_uri_component};

/// The length of 32 bytes in base64 without padding.
const MAC_LENGTH: usize = 43;

/// The secrets of express-session's `secret` option. The first one signs; all of them verify.
///
/// To rotate secrets, put the new one first and keep the old ones for as long as their cookies live.
/// Clones share the keys, which the last one erases. `Debug` prints the number of secrets and nothing else.
///
/// ```
/// use cloakroom_core::Secrets;
///
/// let secrets = Secrets::new(["new secret", "keyboard cat"])?;
/// let old = "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E";
/// let unsigned = secrets.unsign(old).expect("the second secret signed it");
/// assert_eq!((unsigned.value, unsigned.secret_index), ("hello", 1));
/// assert_ne!(secrets.sign("hello"), old);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Secrets(Arc<[Key]>);

/// The result of [`Secrets::unsign`]. `Debug` does not print the value, because it is a session id.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified<'a> {
    /// The value without its signature.
    pub value: &'a str,
    /// The index of the secret that verified the value: 0 for the one that signs.
    pub secret_index: usize,
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("secret_index", &self.secret_index).finish_non_exhaustive()
    }
}

impl Verified<'_> {
    /// Returns true if an older secret signed the value, so it should be signed again.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.secret_index != 0
    }
}

impl Secrets {
    /// Creates secrets from strings or bytes, in order. Strings are used as UTF-8 and are not trimmed.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an empty list, and for an empty secret, with which anybody could sign.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        Self::with_check(secrets, |secret| {
            if secret.is_empty() {
                return Err(Error::new(
                    ErrorKind::Config,
                    "secrets",
                    "new",
                    "invalid secret: must not be empty",
                ));
            }
            Ok(())
        })
    }

    /// Like [`new`](Self::new), but accepts empty secrets, as express-session does in an array.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an empty list.
    pub fn insecure_allow_empty<S: AsRef<[u8]>>(
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        Self::with_check(secrets, |_| Ok(()))
    }

    fn with_check<S: AsRef<[u8]>>(
        secrets: impl IntoIterator<Item = S>,
        check: impl Fn(&[u8]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let keys = secrets
            .into_iter()
            .map(|secret| check(secret.as_ref()).map(|()| Key::new(secret.as_ref())))
            .collect::<Result<Arc<[Key]>, Error>>()?;
        if keys.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "secrets",
                "new",
                "at least one secret is required",
            ));
        }
        Ok(Self(keys))
    }

    /// Signs `value` with the first secret and returns `value.mac`.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        let mac = self.0[0].mac(value);
        let mut signed = String::with_capacity(value.len() + 1 + MAC_LENGTH);
        signed.push_str(value);
        signed.push('.');
        signed.extend(mac.map(char::from));
        signed
    }

    /// Returns the value before the last `.` and the index of the first secret that verifies it. Returns `None` if no
    /// secret does.
    ///
    /// The mac must be exactly what [`sign`](Self::sign) writes, so a padded, base64url or shortened mac does not verify.
    /// The comparison takes constant time.
    #[must_use]
    pub fn unsign<'a>(&self, signed: &'a str) -> Option<Verified<'a>> {
        // The value may contain dots itself, so cookie-signature splits at the last one, too.
        let (value, mac) = signed.rsplit_once('.')?;
        // The time reveals which secret matched, but not how much of a wrong mac was right.
        let secret_index =
            self.0.iter().position(|key| key.mac(value).ct_eq(mac.as_bytes()).into())?;
        Some(Verified { value, secret_index })
    }

    /// Returns the value of the session cookie as written in a header: `encodeURIComponent("s:" + sign(sid))`.
    ///
    /// ```
    /// let secrets = cloakroom_core::Secrets::new(["keyboard cat"])?;
    /// assert_eq!(secrets.cookie_value("apple"), "s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn cookie_value(&self, sid: &str) -> String {
        let signed = format!("s:{}", self.sign(sid));
        encode_uri_component(&signed).into_owned()
    }

    /// Returns the session id in a decoded cookie value, as [`find_cookie`](crate::find_cookie) returns it.
    ///
    /// Returns `None` if the prefix `s:` is missing, if no secret verifies the signature, and if the id is empty.
    ///
    /// ```
    /// let secrets = cloakroom_core::Secrets::new(["keyboard cat"])?;
    /// let value = "s:apple.D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU";
    /// assert_eq!(secrets.read_cookie_value(value).map(|unsigned| unsigned.value), Some("apple"));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn read_cookie_value<'a>(&self, value: &'a str) -> Option<Verified<'a>> {
        // express-session treats an empty id like a missing one (`!req.sessionID`).
        self.unsign(value.strip_prefix("s:")?).filter(|unsigned| !unsigned.value.is_empty())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// The HMAC state after the key was hashed, so that this happens once and not for each cookie. Dropping it erases it.
struct Key(Hmac<Sha256>);

impl Key {
    fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    fn mac(&self, value: &str) -> [u8; MAC_LENGTH] {
        let mac = self.0.clone().chain_update(value).finalize().into_bytes();
        let mut text = [0; MAC_LENGTH];
        STANDARD_NO_PAD.encode_slice(mac, &mut text).expect("32 bytes are 43 characters");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: &str = "keyboard cat";

    /// What cookie-signature 1.0.7 gives.
    #[rustfmt::skip]
    const SIGNED: &[(&str, &str, &str)] = &[
        (K, "hello", "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E"),
        (K, "", ".aJcKKTu8Uv0mRiw7LTI435t+pOa+giU/WLAuLCKGEFc"),
        (K, "a.b.c", "a.b.c.G8ReS2HiYVtvMBGFvZUGp5RaCauWFLUTjnnTm/EQ2aE"),
        (K, "héllo", "héllo.UHCqNOyVRUDst2pHG6p7gFqvM3pmpoyFZqw8EI/lfsI"),
        ("ключ", "日本語", "日本語.AJNSyb4RaNrZB9Qi4WU6RfW2GqGbDBWqEHAebEqb9fI"),
    ];

    #[rustfmt::skip]
    const REFUSED: &[&str] = &[
        "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E=",
        "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33",
        "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33F",
        "hello.xz6khi6-oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E",
        "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E.",
        "hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E ",
        " hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E",
        "Hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E",
        "hello.hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E",
        "hello", "hello.", ".", "",
    ];

    fn secrets(secret: &str) -> Secrets {
        Secrets::new([secret]).unwrap()
    }

    #[test]
    fn it_signs_and_unsigns_what_cookie_signature_does() {
        for (secret, value, signed) in SIGNED {
            let secrets = secrets(secret);
            assert_eq!(secrets.sign(value), *signed);
            assert_eq!(secrets.unsign(signed), Some(Verified { value, secret_index: 0 }));
        }
    }

    #[test]
    fn any_other_signature_is_refused() {
        for signed in REFUSED {
            assert_eq!(secrets(K).unsign(signed), None, "{signed:?}");
        }
        assert_eq!(secrets("other").unsign(SIGNED[0].2), None);
    }

    #[test]
    fn long_and_binary_secrets_sign() {
        let (long, bytes): (String, [u8; 32]) =
            ("k".repeat(100), std::array::from_fn(|index| index as u8));
        let sid = "hJ2hCVQ1V9QBBTGVfJnKfnKvWDDzFFpp";
        assert!(secrets(&long).sign(sid).ends_with(".OmhhNZOvDFlTFuBaNw47b43bQrcdBq/7LGfRt9E1Xyc"));
        let secrets = Secrets::new([bytes]).unwrap();
        assert!(secrets.sign(sid).ends_with(".tFdQU4WyLs3nUDclR8gqjQXG2o07pXFLaAaCrqsqKjk"));
    }

    #[test]
    fn a_secret_is_never_missing_or_empty() {
        for secrets in [
            Secrets::new::<&str>([]),
            Secrets::new([K, ""]),
            Secrets::insecure_allow_empty::<&str>([]),
        ] {
            assert_eq!(secrets.unwrap_err().kind(), ErrorKind::Config);
        }
        let signed = Secrets::insecure_allow_empty([""]).unwrap().sign("hello");
        assert_eq!(signed, "hello.Q1KybjP+DXaaiSKmuikAQQnwFojiasyebLNH5aWvxNo");
    }

    #[test]
    fn the_cookie_value_reads_back_but_never_without_id_or_prefix() {
        let secrets = secrets(K);
        for value in
            ["", "hello", "s:", "S:hello.xz6khi6+oL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E", SIGNED[0].2]
        {
            assert_eq!(secrets.read_cookie_value(value), None, "{value:?}");
        }
        assert_eq!(
            secrets.read_cookie_value("s:.aJcKKTu8Uv0mRiw7LTI435t+pOa+giU/WLAuLCKGEFc"),
            None
        );
        assert_eq!(
            secrets.cookie_value("%"),
            "s%3A%25.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g"
        );
    }

    #[test]
    fn keys_are_erased_when_they_are_dropped() {
        fn is_erased<K: zeroize::ZeroizeOnDrop>() {}
        // A prepared HMAC keeps its key as states of the hash function, and no other way.
        is_erased::<Sha256>();
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(
            format!("{:?}", Secrets::new([K, "other"]).unwrap()),
            "Secrets { count: 2, .. }"
        );
    }
}
