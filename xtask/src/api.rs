//! The listings of the public API, one file a published crate.

use std::process::Command;

use crate::{
    command::{Failure, root, run},
    crates::published,
    task::cargo,
};

/// Writes the listings.
pub(crate) fn write() -> Result<(), Failure> {
    run(&mut program(&[])?)
}

/// Fails if the code says something else than the listings.
pub(crate) fn check() -> Result<(), Failure> {
    // Not the long command, but what to do is the last line.
    run(&mut program(&["--check"])?).map_err(|_| {
        Failure::new("the listings in docs/api are not what the code says: run `cargo xtask api`")
    })
}

fn program(options: &[&str]) -> Result<Command, Failure> {
    let mut program = cargo("run --quiet --package xtask-api --");
    program.args(options).arg("docs/api");
    // A crate that is a program alone has none.
    for one in published()?.into_iter().filter(|one| one.folder.join("src/lib.rs").exists()) {
        let folder = one.folder.strip_prefix(root()).unwrap_or(&one.folder);
        program.arg(format!("{}={}:{}", one.name, folder.display(), one.features.join(",")));
    }
    Ok(program)
}
