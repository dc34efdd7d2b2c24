//! The URL: a folder, and parameters.

use std::path::PathBuf;

use cloakroom_backend::{ParameterNames, StoreUrl, UrlParameter};
use cloakroom_core::Error;

use crate::{FileOptions, error::STORE};

const PATH: &str = "the folder goes before the \"?\", as in file:///var/lib/app/sessions";
const NO_RETRIES: &str =
    "nothing is retried here: a missing file means that the session is gone; leave it out";
const ONE_REAPER: &str = "expired sessions are always removed in the background; leave it out";
const IN_CODE: &str = "use FileOptions::encryption for another encryption than the default";

/// The options of session-file-store with their names there, and then those of this store alone.
const NAMES: ParameterNames<'_> = ParameterNames {
    exact: &["ttl", "reapInterval", "fileExtension", "secret", "durable", "maxRecord", "deadline"],
    any_case: &[],
    repeatable: &[],
    elsewhere: &[
        ("path", PATH),
        ("retries", NO_RETRIES),
        ("factor", NO_RETRIES),
        ("minTimeout", NO_RETRIES),
        ("maxTimeout", NO_RETRIES),
        ("reapMaxConcurrent", ONE_REAPER),
        ("reapAsync", ONE_REAPER),
        ("reapSyncFallback", ONE_REAPER),
        ("encryptEncoding", IN_CODE),
        ("crypto", IN_CODE),
    ],
};

/// Reads a URL and returns its folder. The parameters take precedence over `options`.
pub(crate) fn parse(url: &str, options: &mut FileOptions) -> Result<PathBuf, Error> {
    let url = StoreUrl::parse(STORE, url, "file:///")?;
    if !url.scheme().eq_ignore_ascii_case("file") {
        return Err(url.unknown_scheme(&["file"]));
    }
    // RFC 8089: the host is empty or this machine.
    if url.login().is_some() || !["", "localhost"].contains(&url.hosts()) {
        return Err(url.invalid("host", "must be empty, as in file:///var/lib/app/sessions"));
    }
    let mut path = url.decode("path", url.path())?;
    if path.trim_start_matches('/').is_empty() {
        return Err(url.invalid("path", "must be a folder, as in file:///var/lib/app/sessions"));
    }
    if cfg!(windows) && path.as_bytes().get(2) == Some(&b':') {
        path.remove(0);
    }
    for parameter in url.parameters(&NAMES)? {
        apply(&parameter, options)?;
    }
    Ok(path.into())
}

fn apply(parameter: &UrlParameter<'_>, options: &mut FileOptions) -> Result<(), Error> {
    match &*parameter.name {
        "ttl" => options.ttl = parameter.seconds()?,
        // session-file-store's value for "never".
        "reapInterval" if parameter.value == "-1" => options.reap_interval = None,
        "reapInterval" => {
            let why = "must be a whole number of seconds above zero, or -1 for never";
            options.reap_interval = Some(parameter.seconds().map_err(|_| parameter.invalid(why))?);
        }
        "fileExtension" => options.file_extension.clone_from(&parameter.value),
        "secret" => encrypt_with(parameter, options)?,
        "durable" => options.durable = parameter.switch()?,
        "maxRecord" => options.max_record = parameter.number("bytes")?,
        "deadline" => options.deadline = parameter.milliseconds()?,
        _ => return Err(parameter.invalid("is not supported")),
    }
    Ok(())
}

/// Applies the secret, or returns an error that does not quote it.
#[cfg(feature = "encryption")]
fn encrypt_with(secret: &UrlParameter<'_>, options: &mut FileOptions) -> Result<(), Error> {
    use cloakroom_encryption::{Counterpart, EncodeAs, Kruptein, KrupteinOptions};

    // session-file-store 1.5.0 installs kruptein 2.2 and encrypts the session's text, as connect-mongo 4 does.
    let mut kruptein = KrupteinOptions::of(Counterpart::ConnectMongo4 { stringify: true });
    kruptein.use_scrypt = true;
    kruptein.encode_as = EncodeAs::Binary;
    let kruptein = Kruptein::new(&secret.value, kruptein)
        .map_err(|error| error.with_context(STORE, "open"))?;
    options.encryption = Some(std::sync::Arc::new(kruptein));
    Ok(())
}

#[cfg(not(feature = "encryption"))]
fn encrypt_with(secret: &UrlParameter<'_>, _: &mut FileOptions) -> Result<(), Error> {
    Err(secret.needs_feature("encryption", "cloakroom-file"))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;

    fn read(url: &str) -> Result<(PathBuf, FileOptions), String> {
        let mut options = FileOptions::default();
        let path = parse(url, &mut options).map_err(|error| error.to_string())?;
        options.check().map_err(|error| error.to_string())?;
        Ok((path, options))
    }

    #[test]
    fn a_url_is_a_folder_and_the_options_of_session_file_store() {
        let url = "file:///var/my%20app/s?ttl=60&reapInterval=-1&fileExtension=.s&durable=false&maxRecord=1000&deadline=250";
        let (path, options) = read(url).unwrap();
        assert_eq!(path, Path::new("/var/my app/s"));
        assert_eq!(options.ttl, Duration::from_secs(60));
        assert_eq!(options.reap_interval, None);
        assert_eq!(options.file_extension, ".s");
        assert!(!options.durable);
        assert_eq!(options.max_record, 1_000);
        assert_eq!(options.deadline, Duration::from_millis(250));
        assert_eq!(read("FILE://localhost/s").unwrap().0, Path::new("/s"));
    }

    #[test]
    fn the_defaults_are_those_of_session_file_store() {
        let (_, options) = read("file:///s").unwrap();
        assert_eq!(options.ttl, Duration::from_secs(3_600));
        assert_eq!(options.reap_interval, Some(Duration::from_secs(3_600)));
        assert_eq!(options.file_extension, ".json");
        assert!(options.durable);
    }

    #[test]
    fn a_wrong_url_says_what_is_accepted() {
        for (url, part) in [
            ("file://sessions", "invalid host: must be empty"),
            ("file://ann:hush@/s", "invalid host: must be empty"),
            ("file://", "invalid path: must be a folder"),
            ("file:///", "invalid path: must be a folder"),
            ("file:sessions", "invalid url: must begin with file:///"),
            ("fil:///s", "unknown scheme \"fil\": did you mean \"file\"?"),
            ("file:///s?ttl=0", "invalid parameter \"ttl\": must be a whole number"),
            ("file:///s?reapInterval=0", "invalid parameter \"reapInterval\": must be a whole"),
            ("file:///s?fileExtension=json", "invalid option \"fileExtension\": must begin"),
            ("file:///s?path=a", "the folder goes before the \"?\""),
            ("file:///s?retries=5", "nothing is retried"),
            ("file:///s?tll=5", "unknown parameter \"tll\": did you mean \"ttl\"?"),
        ] {
            let error = read(url).unwrap_err();
            assert!(error.starts_with("file: open: ") && error.contains(part), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
