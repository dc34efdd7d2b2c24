//! Parses the values of parameters: numbers, times, switches, choices.

use std::time::Duration;

use cloakroom_core::Error;

use super::UrlParameter;

/// Every error is a [`Config`](cloakroom_core::ErrorKind::Config) error that says what the parameter accepts, without
/// quoting the value.
impl UrlParameter<'_> {
    /// Returns the value as a whole number above zero. `unit` is used in the error, such as `must be a whole number of
    /// keys above zero`.
    ///
    /// # Errors
    ///
    /// If the value is not a whole number, is zero, or is too large for the type.
    pub fn number<T: TryFrom<u64>>(&self, unit: &str) -> Result<T, Error> {
        let number = digits(&self.value).filter(|number| *number > 0);
        number
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| self.invalid(&format!("must be a whole number of {unit} above zero")))
    }

    /// Returns the value as a whole number, which may be zero.
    ///
    /// # Errors
    ///
    /// As for [`number`](Self::number).
    pub fn number_or_zero<T: TryFrom<u64>>(&self, unit: &str) -> Result<T, Error> {
        digits(&self.value)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| self.invalid(&format!("must be a whole number of {unit}")))
    }

    /// Returns the value as a number of seconds above zero.
    ///
    /// # Errors
    ///
    /// As for [`number`](Self::number).
    pub fn seconds(&self) -> Result<Duration, Error> {
        self.number("seconds").map(Duration::from_secs)
    }

    /// Returns the value as a number of milliseconds above zero.
    ///
    /// # Errors
    ///
    /// As for [`number`](Self::number).
    pub fn milliseconds(&self) -> Result<Duration, Error> {
        self.number("milliseconds").map(Duration::from_millis)
    }

    /// Returns the value as a `bool`.
    ///
    /// # Errors
    ///
    /// If the value is neither `true` nor `false`.
    pub fn switch(&self) -> Result<bool, Error> {
        self.value.parse().map_err(|_| self.invalid("must be \"true\" or \"false\""))
    }

    /// Returns the value as a string that is not empty.
    ///
    /// # Errors
    ///
    /// If the value is empty.
    pub fn text(&self) -> Result<&str, Error> {
        if self.value.is_empty() { Err(self.invalid("must not be empty")) } else { Ok(&self.value) }
    }

    /// Returns the item of `known` with this name.
    ///
    /// # Errors
    ///
    /// If the value is not a name in `known`. The error lists all names.
    pub fn one_of<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, Error> {
        let found = known.iter().find(|(name, _)| *name == self.value);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.invalid(&format!("must be one of {}", names.join(", ")))
        })
    }

    /// Returns the error for an invalid value, such as `invalid parameter "ttl": must be a number`. `why` says what is
    /// accepted, and must not quote the value.
    #[must_use]
    pub fn invalid(&self, why: &str) -> Error {
        self.url.invalid_parameter(&self.name, why)
    }

    /// Returns the error for a parameter whose feature is off. The crate `cloakroom` and the crate of the store,
    /// `package`, have the feature under the same name.
    ///
    /// ```
    /// use cloakroom_backend::{ParameterNames, StoreUrl};
    ///
    /// let url = StoreUrl::parse("file", "file:///s?secret=hush", "file:///")?;
    /// let names = ParameterNames { exact: &["secret"], ..ParameterNames::default() };
    /// let [secret] = &url.parameters(&names)?[..] else { panic!() };
    /// assert_eq!(
    ///     secret.needs_feature("encryption", "cloakroom-file").to_string(),
    ///     r#"file: open: the parameter "secret" needs the feature "encryption" of cloakroom or cloakroom-file"#,
    /// );
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn needs_feature(&self, feature: &str, package: &str) -> Error {
        self.url.needs_feature(&format!("parameter {:?}", self.name), [feature; 2], package)
    }
}

/// Parses digits only. Rust's own parser would accept a leading `+`.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
