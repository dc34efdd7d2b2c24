//! `cargo xtask chaos`: processes use a store while its server is harmed.

use crate::{
    command::{Failure, run},
    setup,
    task::cargo,
};

/// Installs what is missing and runs the package `tests/chaos`.
pub(crate) fn chaos(arguments: &[String]) -> Result<(), Failure> {
    setup::install_for_tests()?;
    // With the features of the tests, which then need not be built again.
    let mut chaos = cargo("run --quiet --all-features --package cloakroom-chaos --");
    run(chaos.args(arguments))
}
