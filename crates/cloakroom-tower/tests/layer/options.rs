//! Options that cannot work are an error when the layer is built, which names the offender.

use std::time::Duration;

use cloakroom_core::{ErrorKind, MemoryStore, Secrets};
use cloakroom_tower::{
    CookieOptions, PathMatch, SameSitePolicy, Secure, SessionOptions, TouchAfter, Unset,
};

/// A name, how the options are changed, and what the error's text holds.
type Row = (&'static str, fn(&mut SessionOptions), &'static str);

fn error(mut options: SessionOptions, change: fn(&mut SessionOptions)) -> Option<String> {
    change(&mut options);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let error = options.layer(MemoryStore::new(), secrets).err()?;
    assert_eq!(error.kind(), ErrorKind::Config);
    Some(error.to_string())
}

#[test]
fn what_no_cookie_can_be_is_refused_by_both_presets() {
    let rows: [Row; 8] = [
        ("name", |options| options.ids.cookie_name = "bad name".to_owned(), "\"bad name\""),
        ("empty name", |options| options.ids.cookie_name = String::new(), "\"\""),
        (
            "domain",
            |options| options.cookie.domain = Some("exa mple.com".into()),
            "\"exa mple.com\"",
        ),
        ("relative path", |options| options.cookie.path = Some("bad".into()), "\"bad\""),
        ("star", |options| options.cookie.path = Some("*".into()), "\"*\""),
        ("path", |options| options.cookie.path = Some("/a;b".into()), "\"/a;b\""),
        ("max_age", |options| options.cookie.max_age = Some(Duration::MAX), "JavaScript date"),
        ("deadline", |options| options.failure.deadline = Some(Duration::ZERO), "\"deadline\""),
    ];
    for (what, change, text) in rows {
        for options in [SessionOptions::new(), SessionOptions::express()] {
            let error = error(options, change).unwrap_or_else(|| panic!("{what} is taken"));
            assert!(error.contains(text), "{what}: {error}");
        }
    }
}

#[test]
fn what_does_harm_is_refused_by_the_safe_preset() {
    let rows: [Row; 9] = [
        ("resave", |options| options.resave = true, "\"resave\""),
        ("max_age", |options| options.cookie.max_age = Some(Duration::ZERO), "\"max_age\""),
        (
            "sameSite none, not always secure",
            |options| options.cookie.same_site = Some(SameSitePolicy::None),
            "SameSite=None requires Secure",
        ),
        (
            "sameSite auto, never secure",
            |options| {
                options.cookie.same_site = Some(SameSitePolicy::Auto);
                options.cookie.secure = Some(Secure::Never);
            },
            "SameSite=auto",
        ),
        (
            "__Host- name",
            |options| options.ids.cookie_name = "__Host-sid".to_owned(),
            "\"__Host-sid\"",
        ),
        (
            "__Host- name in other letters",
            |options| options.ids.cookie_name = "__HOST-sid".to_owned(),
            "\"__HOST-sid\"",
        ),
        (
            "__Secure- name",
            |options| options.ids.cookie_name = "__Secure-sid".to_owned(),
            "\"__Secure-sid\"",
        ),
        (
            "__Host- name with a domain",
            |options| {
                options.ids.cookie_name = "__Host-sid".to_owned();
                options.cookie.secure = Some(Secure::Always);
                options.cookie.domain = Some("example.com".to_owned());
            },
            "no domain",
        ),
        (
            "partitioned, never secure",
            |options| {
                options.cookie.partitioned = Some(true);
                options.cookie.secure = None;
            },
            "partitioned",
        ),
    ];
    for (what, change, text) in rows {
        let found =
            error(SessionOptions::new(), change).unwrap_or_else(|| panic!("{what} is taken"));
        assert!(found.contains(text), "{what}: {found}");
        assert_eq!(error(SessionOptions::express(), change), None, "{what}: Express takes it");
    }
    let touch_after = |options: &mut SessionOptions| options.expiry.touch_after = TouchAfter::Never;
    assert!(error(SessionOptions::express(), touch_after).unwrap().contains("\"touch_after\""));
}

#[test]
fn what_works_is_taken() {
    let changes: [fn(&mut SessionOptions); 3] = [
        |_| {},
        |options| {
            options.cookie.same_site = Some(SameSitePolicy::None);
            options.cookie.secure = Some(Secure::Always);
        },
        |options| options.cookie.path = None,
    ];
    for change in changes {
        for options in
            [SessionOptions::new(), SessionOptions::express(), SessionOptions::next_session()]
        {
            assert_eq!(error(options, change), None);
        }
    }
    assert_eq!(Secrets::new::<&str>([]).unwrap_err().kind(), ErrorKind::Config);
}

/// README of express-session 1.19.0, and of next-session 4.0.5.
#[test]
fn the_presets_have_their_counterparts_defaults() {
    let express = SessionOptions::express();
    assert!(express.resave && express.save_uninitialized && !express.expiry.rolling);
    assert_eq!((express.unset, express.path_match), (Unset::Keep, PathMatch::Prefix));
    assert_eq!(
        (&*express.ids.cookie_name, &express.cookie),
        ("connect.sid", &CookieOptions::default())
    );
    let next = SessionOptions::next_session();
    assert!(!next.resave && !next.save_uninitialized && !next.expiry.rolling);
    assert_eq!((&*next.ids.cookie_name, next.expiry.touch_after), ("sid", TouchAfter::Never));
    assert_eq!((next.cookie.max_age, next.cookie.same_site), (None, None));
}
