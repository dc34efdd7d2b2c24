//! What is public can grow: enums, and structs with public fields, are `non_exhaustive`.

use crate::files::{code_of, libraries};

/// The public types that are not, each with the reason.
const COMPLETE: &[(&str, &str)] = &[
    ("Created", "whoever creates a session has to handle each answer"),
    ("Expectation", "hidden from the docs; the suite's macro makes it in the crate of a store"),
    ("Joined", "whoever joins has the connection or waits for it"),
    ("ParameterNames", "a store writes it as a constant"),
    ("SameSite", "RFC 6265bis has these values, and a cookie is written for each"),
    ("Start", "a connection is made at once or by an attempt"),
    ("TimeToLive", "a store has to do something for each"),
    ("Updated", "whoever updates a session has to handle each answer"),
];

/// The public enums, and the structs with public fields, of a file that are exhaustive.
fn exhaustive(code: &str) -> Vec<&str> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim();
        let is_enum = line.strip_prefix("pub enum ");
        let is_struct = line.strip_prefix("pub struct ").filter(|_| line.ends_with('{'));
        let Some(item) = is_enum.or(is_struct) else { continue };
        let attributes = lines[..at].iter().rev().map(|line| line.trim());
        let mut attributes = attributes.take_while(|line| line.starts_with(['#', '/']));
        let has_public_fields = || {
            let body = lines[at + 1..].iter().take_while(|line| !line.starts_with('}'));
            body.map(|line| line.trim()).any(|line| line.starts_with("pub "))
        };
        if (is_enum.is_some() || has_public_fields())
            && !attributes.any(|line| line == "#[non_exhaustive]")
        {
            found.extend(item.split(|c: char| !c.is_alphanumeric()).next());
        }
    }
    found
}

#[test]
fn what_is_public_can_grow() {
    let mut left: Vec<&str> = COMPLETE.iter().map(|(name, _)| *name).collect();
    for (path, text) in libraries() {
        for name in exhaustive(&code_of(&text)) {
            assert!(
                COMPLETE.iter().any(|(known, _)| *known == name),
                "{path}: {name} is neither `non_exhaustive` nor in COMPLETE"
            );
            left.retain(|known| *known != name);
        }
    }
    assert!(left.is_empty(), "COMPLETE names what is not there, or is `non_exhaustive`: {left:?}");
}

#[test]
fn exhaustive_types_are_found() {
    let code = "\
#[derive(Debug)]
pub enum One {
    A,
}

#[non_exhaustive]
#[derive(Debug)]
pub enum Two {
    A,
}

pub struct Three<'a> {
    pub a: &'a str,
}

pub struct Four {
    a: u8,
}
";
    assert_eq!(exhaustive(code), ["One", "Three"]);
}
