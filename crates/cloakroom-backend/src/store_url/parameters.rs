//! The parameters of a URL, and how a wrong one is reported.

use std::fmt;

use cloakroom_core::{Error, decode_uri_component};
use zeroize::Zeroize;

use super::{
    StoreUrl, cut,
    nearest::{nearest, plain},
};

/// The names of the parameters that a store accepts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParameterNames<'n> {
    /// Names that must be spelled exactly like this.
    pub exact: &'n [&'n str],
    /// Names whose case does not matter.
    pub any_case: &'n [&'n str],
    /// Names that may be given more than once. Their case does not matter.
    pub repeatable: &'n [&'n str],
    /// Names that are not parameters but that users may expect, each with what to write instead.
    pub elsewhere: &'n [(&'n str, &'n str)],
}

/// A parameter of a [`StoreUrl`]. Its methods parse the value. Dropping it erases the value.
///
/// ```
/// use cloakroom_backend::{ParameterNames, StoreUrl};
///
/// let url = StoreUrl::parse("redis", "redis://h?ttl=60&disableTouch=yes", "redis://")?;
/// let names = ParameterNames { exact: &["ttl", "disableTouch"], ..ParameterNames::default() };
/// let [ttl, touch] = &url.parameters(&names)?[..] else { panic!() };
/// assert_eq!(ttl.seconds()?.as_secs(), 60);
/// assert_eq!(
///     touch.switch().unwrap_err().to_string(),
///     r#"redis: open: invalid parameter "disableTouch": must be "true" or "false""#,
/// );
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct UrlParameter<'a> {
    /// Its name, spelled as in the [`ParameterNames`].
    pub name: String,
    /// The decoded value, which may be a secret. Empty for a parameter without a value.
    pub value: String,
    /// The name and the value as they are written in the URL.
    pub raw: &'a str,
    pub(super) url: StoreUrl<'a>,
}

impl ParameterNames<'_> {
    fn find(&self, name: &str) -> Option<&str> {
        let exact = self.exact.iter().find(|known| **known == name);
        let known =
            exact.or_else(|| self.any_case.iter().find(|known| known.eq_ignore_ascii_case(name)));
        known.copied()
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.exact.iter().chain(self.any_case).copied()
    }

    /// Returns true if one of these texts begins with the name of a parameter and `=`, in upper or lower case.
    fn begin_any<'t>(&self, mut texts: impl Iterator<Item = &'t str>) -> bool {
        texts.any(|text| {
            let Some((name, _)) = text.split_once('=') else { return false };
            let mut known = self.all().chain(["secret", "password"]);
            known.any(|known| known.eq_ignore_ascii_case(name))
        })
    }
}

impl<'a> StoreUrl<'a> {
    /// Returns the parameters in their order. The list is empty if the URL has no `?`.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for a name that is not among `names`, suggesting the nearest one;
    /// for a repeated parameter that is not repeatable; for a parameter after another separator than `?` and `&`; and
    /// as for [`decode`](Self::decode), but a secret may begin and end with a space that is written as `%20`.
    pub fn parameters(&self, names: &ParameterNames<'_>) -> Result<Vec<UrlParameter<'a>>, Error> {
        if names.begin_any(self.place.split(['&', ';', ',']).skip(1)) {
            return Err(self.error("parameters must follow a \"?\""));
        }
        let mut parameters: Vec<UrlParameter<'a>> = Vec::new();
        for raw in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (raw_name, raw_value) = cut(raw, '=');
            let decoded = decode_uri_component(raw_name);
            let Some(name) = decoded.as_deref().and_then(|name| names.find(name)) else {
                return Err(self.unknown_parameter(names, raw_name, raw_value, &parameters));
            };
            if parameters.iter().any(|known| known.name == name)
                && !names.repeatable.iter().any(|known| known.eq_ignore_ascii_case(name))
            {
                return Err(self.invalid_parameter(name, "must be given only once"));
            }
            let value = raw_value.unwrap_or_default();
            if names.begin_any(value.split(['?', ';', ',']).skip(1)) {
                return Err(self.invalid_parameter(name, "the next parameter must follow a \"&\""));
            }
            let part = format!("parameter {name:?}");
            let value = if is_secret(name) {
                self.decode_secret(&part, value)?
            } else {
                self.decode(&part, value)?
            };
            parameters.push(UrlParameter { name: name.to_owned(), value, raw, url: *self });
        }
        Ok(parameters)
    }

    /// Returns the error for an invalid value of a parameter, such as `invalid parameter "ttl": must be a number`.
    /// `why` says what is accepted, and must not quote the value.
    #[must_use]
    pub fn invalid_parameter(&self, name: &str, why: &str) -> Error {
        self.error(&format!("invalid parameter {name:?}: {why}"))
    }

    fn unknown_parameter(
        &self,
        names: &ParameterNames<'_>,
        name: &str,
        value: Option<&str>,
        before: &[UrlParameter<'_>],
    ) -> Error {
        let advice = names.elsewhere.iter().find(|(known, _)| plain(known) == plain(name));
        let near = nearest(name, names.all());
        let why = match (advice, near) {
            (Some((_, advice)), _) => (*advice).to_owned(),
            (None, Some(near)) => format!("did you mean {near:?}?"),
            (None, None) => {
                format!("must be one of {}", names.all().collect::<Vec<_>>().join(", "))
            }
        };
        let is_known = advice.is_some() || near.is_some_and(|near| plain(near) == plain(name));
        let secret = before.iter().rev().find(|parameter| is_secret(&parameter.name));
        self.error(&match secret {
            _ if is_known => format!("unknown parameter {name:?}: {why}"),
            // A secret with an unencoded `&` continues in what looks like the next parameter.
            Some(UrlParameter { name: secret, .. }) => {
                format!("unknown parameter after {secret:?}: in its value, write & as %26; {why}")
            }
            None if is_harmless(name, value) => format!("unknown parameter {name:?}: {why}"),
            None => format!("unknown parameter: {why}"),
        })
    }
}

/// Returns true if the value of a parameter of this name may be a secret.
fn is_secret(name: &str) -> bool {
    let name = plain(name);
    ["secret", "pass", "token", "authmechanismproperties"].iter().any(|word| name.contains(word))
}

/// Returns true if an unknown name can be quoted, because it is not a secret whose own name is missing. No `=` follows
/// a secret, except those at the end of base64, and few secrets consist of letters only.
fn is_harmless(name: &str, value: Option<&str>) -> bool {
    let is_followed = value.is_some_and(|value| value.bytes().any(|byte| byte != b'='));
    let is_word = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-';
    let is_option = ["secret", "pass", "passwd", "password", "token"].contains(&&*plain(name));
    is_option || (is_followed && name.len() <= 32 && name.bytes().all(is_word) && !is_secret(name))
}

impl Drop for UrlParameter<'_> {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Leaves out the value.
impl fmt::Debug for UrlParameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlParameter").field("name", &self.name).finish_non_exhaustive()
    }
}
