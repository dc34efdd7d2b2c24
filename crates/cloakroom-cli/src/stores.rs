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

/// Returns the URL that a name stands for.
pub(crate) fn url(name: &str) -> Result<String, Failure> {
    match name.strip_prefix("env:") {
        Some(variable) => std::env::var(variable).map_err(|_| {
            Failure::usage(format!("the environment variable {variable:?} is not set"))
        }),
        None => Ok(name.to_owned()),
    }
}

fn of_environment(variable: &str) -> Result<ExpressSession, Failure> {
    Ok(open(&url(&format!("env:{variable}"))?)?)
}

/// Returns the scheme of a URL in lower case.
pub(crate) fn scheme(url: &str) -> String {
    url.split(':').next().unwrap_or_default().to_ascii_lowercase()
}
