//! `cargo xtask bench`: cloakroom beside its peers, and the instructions of its own operations.

mod callgrind;
mod counts;
mod instructions;

pub(crate) use instructions::check as check_instructions;

use crate::{
    command::{Failure, run},
    setup,
    task::cargo,
};

/// Counts instructions, or installs what is missing and runs the package `bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [area] if area == "instructions" => return instructions::check(),
        [area, option] if area == "instructions" && option == "--accept" => {
            return instructions::accept();
        }
        _ => {}
    }
    setup::install_for_bench()?;
    let mut bench = cargo(
        "run --quiet --release --manifest-path bench/Cargo.toml --package cloakroom-bench --",
    );
    run(bench.args(arguments))
}
