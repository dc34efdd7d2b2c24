//! The commands `cookie sign`, `cookie verify` and `cookie explain`.

use std::env::VarError;

use cloakroom::{
    Secrets,
    cookie::{decode_uri_component, find_cookie},
};

use crate::{
    args::{CookieArgs, ExplainArgs, SecretArgs},
    failure::{End, Failure},
    one::expiry,
    stores::{existing, why_unread},
    terminal::{argument, conclude, note, plain, say},
};

/// The environment variable with the secrets.
const VARIABLE: &str = "CLOAKROOM_SECRETS";

/// Reads the secrets: lines, of which the first signs.
fn secrets(args: &SecretArgs) -> Result<Secrets, Failure> {
    let text = match &args.secret_file {
        Some(path) => std::fs::read_to_string(path).map_err(|cause| {
            Failure::usage(format!("cannot read the file of --secret-file: {}", cause.kind()))
        })?,
        None => std::env::var(VARIABLE).map_err(|cause| {
            Failure::usage(match cause {
                VarError::NotPresent => format!(
                    "no secret: name a file with --secret-file, or set the environment variable {VARIABLE}"
                ),
                cause => format!("the environment variable {VARIABLE} {}", why_unread(&cause)),
            })
        })?,
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    Ok(Secrets::new(lines)?)
}

pub(crate) fn sign(args: &CookieArgs) -> Result<End, Failure> {
    let secrets = secrets(&args.secrets)?;
    say(secrets.cookie_value(&argument(&args.value)?))?;
    Ok(End::Well)
}

pub(crate) fn verify(args: &CookieArgs) -> Result<End, Failure> {
    let secrets = secrets(&args.secrets)?;
    let text = argument(&args.value)?;
    let value = decode_uri_component(&text).unwrap_or_default();
    match secrets.read_cookie_value(&value) {
        Some(verified) => {
            say(plain(verified.value))?;
            Ok(End::Well)
        }
        None => {
            note("cloakroom: no secret signed this cookie");
            Ok(End::Differs)
        }
    }
}

pub(crate) async fn explain(args: &ExplainArgs) -> Result<End, Failure> {
    let secrets = secrets(&args.secrets)?;
    let text = argument(&args.value)?;
    // Tools print the name of the header in lower case, as HTTP/2 sends it.
    let header = match text.trim().split_once(':') {
        Some((name, header)) if name.eq_ignore_ascii_case("cookie") => header.trim(),
        _ => text.trim(),
    };
    let value = match find_cookie(header.as_bytes(), &args.name) {
        Some(value) => value.into_owned(),
        None if header.contains("; ")
            || header.split_once('=').is_some_and(|(name, _)| is_name(name)) =>
        {
            return refused(&format!("the header has no cookie named {:?}", args.name));
        }
        None => match decode_uri_component(header) {
            Some(value) => value.into_owned(),
            None => return refused("the value is not percent-encoded UTF-8"),
        },
    };
    let Some(signed) = value.strip_prefix("s:") else {
        return refused("the value does not begin with \"s:\", so it is not a signed cookie");
    };
    let Some((id, signature)) = signed.rsplit_once('.') else {
        return refused("the value has no \".\" before a signature");
    };
    conclude(format_args!("session id  {} characters", id.chars().count()))?;
    conclude(format_args!("signature   {} characters of base64", signature.chars().count()))?;
    let Some(verified) = secrets.read_cookie_value(&value) else {
        return refused(match signature.chars().count() {
            43 => "none of the secrets signed it: another secret did, or the id was changed",
            _ => "the signature is not one of HMAC-SHA256, which has 43 characters: it was cut",
        });
    };
    match verified.secret_index {
        0 => conclude("signed by   the first secret, which signs new cookies")?,
        index => conclude(format_args!(
            "signed by   secret {}, an older one; the first signs new cookies",
            index + 1
        ))?,
    }
    let Some(name) = &args.store else { return Ok(End::Well) };
    let sessions = existing(name)?;
    match sessions.get(verified.value).await? {
        Some(session) => {
            conclude(format_args!("store       {} has the session", sessions.name()))?;
            conclude(format_args!("size        {} bytes", session.loaded_json().len()))?;
            conclude(format_args!("expires     {}", expiry(&session)))?;
            Ok(End::Well)
        }
        None => {
            conclude(format_args!(
                "store       {} does not have the session: it has expired, was ended, or is in another store or prefix",
                sessions.name()
            ))?;
            Ok(End::Differs)
        }
    }
}

/// Returns true if this is the name of a cookie rather than the beginning of a value.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([':', '%']) && text.len() < 64
}

fn refused(why: &str) -> Result<End, Failure> {
    conclude(format_args!("refused     {why}"))?;
    Ok(End::Differs)
}
