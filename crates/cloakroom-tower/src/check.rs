//! Checks that the options do not contradict each other.

use cloakroom_core::{Error, set_cookie};

use crate::{
    CookieOptions, Loading, SameSitePolicy, Secure, SessionOptions, TouchAfter, options::config,
};

pub(crate) fn check(options: &SessionOptions) -> Result<(), Error> {
    check_cookie(options, &options.cookie)?;
    if options.failure.deadline.is_some_and(|deadline| deadline.is_zero()) {
        return Err(config("invalid option \"deadline\": must be above zero"));
    }
    for (option, value) in [
        ("max_cookie_header", options.ids.max_cookie_header),
        ("max_cookies", options.ids.max_cookies),
    ] {
        if value == 0 {
            return Err(config(format!("invalid option {option:?}: must be above zero")));
        }
    }
    if options.preset.is_express() {
        if options.expiry.touch_after != TouchAfter::EachRequest {
            return Err(config("the express preset does not support the option \"touch_after\""));
        }
        if options.loading != Loading::Eager {
            return Err(config("the express preset does not support the option \"loading\""));
        }
        if !options.failure.store_failed {
            let message = "the express preset requires the option \"store_failed\"";
            return Err(config(message));
        }
        return Ok(());
    }
    if options.resave {
        let message = "only the express preset supports the option \"resave\", which overwrites what other requests \
                       wrote";
        return Err(config(message));
    }
    Ok(())
}

/// Checks that sessions can have such a cookie.
///
/// # Errors
///
/// `Config`, quoting the offender.
pub(crate) fn check_cookie(session: &SessionOptions, options: &CookieOptions) -> Result<(), Error> {
    let is_sent = options
        .cookie(session.preset.cookie_shape(), true, 0)
        .and_then(|cookie| set_cookie(&session.ids.cookie_name, "", &cookie));
    if let Err(error) = is_sent {
        let offender = options.offender().map(|text| format!(", not {text}"));
        let message = format!("the cookie cannot be sent: {error}{}", offender.unwrap_or_default());
        return Err(config(message).with_source(error));
    }
    // Browsers replace such a path by one of their own, and no request is below it here.
    if let Some(path) = options.path.as_deref()
        && !path.is_empty()
        && !path.starts_with('/')
    {
        let path: String = path.chars().take(40).collect();
        return Err(config(format!("invalid path {path:?}: must begin with a slash")));
    }
    if session.preset.is_express() {
        return Ok(());
    }
    if options.max_age.is_some_and(|max_age| max_age.is_zero()) {
        return Err(config("invalid option \"max_age\": must be above zero"));
    }
    match (options.same_site, options.secure) {
        (Some(SameSitePolicy::None), secure) if secure != Some(Secure::Always) => {
            Err(config("SameSite=None requires Secure: browsers reject the cookie without it"))
        }
        (Some(SameSitePolicy::Auto), None | Some(Secure::Never)) => Err(config(
            "SameSite=auto becomes None on secure requests, where browsers require Secure: set secure to auto",
        )),
        _ => Ok(()),
    }?;
    check_secure(&session.ids.cookie_name, options)
}

/// Browsers refuse these without `Secure`.
fn check_secure(name: &str, options: &CookieOptions) -> Result<(), Error> {
    let is_always = options.secure == Some(Secure::Always);
    // Browsers compare the prefixes in any case (RFC 6265bis, "Cookie Name Prefixes").
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_host = begins("__Host-");
    let shown: String = name.chars().take(40).collect();
    if (is_host || begins("__Secure-")) && !is_always {
        let message = format!("the cookie name {shown:?} requires Secure: set secure to always");
        return Err(config(message));
    }
    if is_host && (options.domain.is_some() || options.path.as_deref() != Some("/")) {
        let message = format!("the cookie name {shown:?} requires the path \"/\" and no domain");
        return Err(config(message));
    }
    let is_ever = is_always || options.secure == Some(Secure::Auto);
    if options.partitioned == Some(true) && !is_ever {
        return Err(config("a partitioned cookie requires Secure: browsers reject it otherwise"));
    }
    Ok(())
}
