//! Opens the stores that arguments name.

use cloakroom::{ExpressSession, open};

use crate::failure::Failure;

/// Another way to name a store than a URL of `cloakroom::open`.
struct Scheme {
    /// What such a name begins with.
    prefix: &'static str,
    open: fn(&str) -> Result<ExpressSession, Failure>,
}

/// The schemes that only the command knows. Add a line for another one.
const SCHEMES: &[Scheme] = &[Scheme { prefix: "env:", open: of_environment }];

/// Opens a store. It does not connect; the first operation does.
pub(crate) fn store(name: &str) -> Result<ExpressSession, Failure> {
    match SCHEMES.iter().find_map(|scheme| Some((scheme, name.strip_prefix(scheme.prefix)?))) {
        Some((scheme, rest)) => (scheme.open)(rest),
        None => Ok(open(name)?),
    }
}

/// Returns an error for a session id that names a store: the argument is in the wrong place.
pub(crate) fn refuse_as_id(id: &str) -> Result<(), Failure> {
    if store(id).is_err() {
        return Ok(());
    }
    Err(Failure::usage(
        "invalid ID: it names a store; write a store after --store, and an id that looks like one to standard input",
    ))
}

/// Returns the URL that a name stands for.
pub(crate) fn url(name: &str) -> Result<String, Failure> {
    match name.strip_prefix("env:") {
        Some(variable) => std::env::var(variable).map_err(|_| {
            // What is not a name can be a URL with a password.
            Failure::usage(if is_name(variable) {
                format!("the environment variable {variable:?} is not set")
            } else {
                "invalid env: must be followed by the name of an environment variable".to_owned()
            })
        }),
        None => Ok(name.to_owned()),
    }
}

/// Returns true if shells accept the name for a variable.
fn is_name(variable: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    variable.bytes().next().is_some_and(is_letter)
        && variable.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

fn of_environment(variable: &str) -> Result<ExpressSession, Failure> {
    Ok(open(&url(&format!("env:{variable}"))?)?)
}

/// Returns the scheme of a URL in lower case.
pub(crate) fn scheme(url: &str) -> String {
    url.split(':').next().unwrap_or_default().to_ascii_lowercase()
}
