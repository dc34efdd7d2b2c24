//! The values of parameters, and what is said about wrong ones.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::Duration;

use cloakroom_backend::{ParameterNames, StoreUrl, UrlParameter};
use cloakroom_core::{Error, ErrorKind};

/// Reads the parameter `x` with this value.
fn read<T>(value: &str, read: impl Fn(&UrlParameter<'_>) -> Result<T, Error>) -> Result<T, String> {
    let url = format!("store://h?x={value}");
    let url = StoreUrl::parse("store", &url, "store://").unwrap();
    let names = ParameterNames { exact: &["x"], ..ParameterNames::default() };
    let parameters = url.parameters(&names).unwrap();
    let [parameter] = &parameters[..] else { panic!("{parameters:?}") };
    read(parameter).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        text.strip_prefix("store: open: invalid parameter \"x\": ").unwrap().to_owned()
    })
}

#[test]
fn values_are_read() {
    assert_eq!(read("7", |x| x.number::<u32>("keys")), Ok(7));
    assert_eq!(read("007", |x| x.number::<u8>("keys")), Ok(7));
    assert_eq!(read("0", |x| x.number_or_zero::<u32>("keys")), Ok(0));
    assert_eq!(read("60", |x| x.seconds()), Ok(Duration::from_secs(60)));
    assert_eq!(read("250", |x| x.milliseconds()), Ok(Duration::from_millis(250)));
    assert_eq!(read("true", |x| x.switch()), Ok(true));
    assert_eq!(read("false", |x| x.switch()), Ok(false));
    assert_eq!(read("a%20b", |x| x.text().map(str::to_owned)), Ok("a b".to_owned()));
    let known = [("md5", 5), ("", 0)];
    assert_eq!(read("md5", |x| x.one_of(&known)), Ok(5));
    assert_eq!(read("", |x| x.one_of(&known)), Ok(0));
}

#[test]
fn a_wrong_value_is_told_by_what_is_accepted_and_never_quoted() {
    for value in ["", "0", "-1", "%2B1", "1.5", "7s", "hush", "99999999999999999999"] {
        let why = "must be a whole number of keys above zero";
        assert_eq!(read(value, |x| x.number::<u64>("keys")), Err(why.to_owned()), "{value}");
    }
    let why = "must be a whole number of keys above zero".to_owned();
    assert_eq!(read("256", |x| x.number::<u8>("keys")), Err(why));
    let why = "must be a whole number of keys".to_owned();
    assert_eq!(read("-1", |x| x.number_or_zero::<u8>("keys")), Err(why));
    let why = "must be a whole number of seconds above zero".to_owned();
    assert_eq!(read("0", |x| x.seconds()), Err(why));
    let why = "must be a whole number of milliseconds above zero".to_owned();
    assert_eq!(read("5s", |x| x.milliseconds()), Err(why));
    for value in ["", "1", "TRUE", "hush"] {
        let why = "must be \"true\" or \"false\"".to_owned();
        assert_eq!(read(value, |x| x.switch()), Err(why), "{value}");
    }
    assert_eq!(read("", |x| x.text().map(drop)), Err("must not be empty".to_owned()));
    let why = "must be one of \"md5\", \"sha1\"".to_owned();
    assert_eq!(read("hush", |x| x.one_of(&[("md5", 5), ("sha1", 1)])), Err(why));
}
