//! The list of targets.

#[cfg(feature = "mongodb")]
use crate::mongodb;
use crate::{cookies, encryption, file, logins, memcached, record, redis, sql, urls};

/// The name of a target, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, without the feature `mongodb` all others. Each has a file in `fuzz/fuzz_targets` and a folder of seeds in `fuzz/seeds`, both of its name.
pub const TARGETS: &[Target] = &[
    ("connect_mongo_3", encryption::connect_mongo_3),
    ("cookie_header", cookies::header),
    ("file", file::record),
    ("kruptein", encryption::kruptein),
    ("login_contents", logins::contents::check),
    ("login_cookies", logins::cookies::check),
    ("memcached", memcached::answer),
    #[cfg(feature = "mongodb")]
    ("mongodb", mongodb::document),
    ("record", record::changes),
    ("redis", redis::answer),
    ("set_cookie", cookies::set),
    ("signed_value", cookies::signed),
    ("sql", sql::row),
    ("store_url", urls::open),
    ("web_crypto", encryption::web_crypto),
];

/// Runs the target of this name.
///
/// # Panics
///
/// If a promise does not hold for this input, or if the name is unknown.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("the name is in the list").1(input);
}
