//! What a change has to pass, in steps that can also run alone.

use std::thread;

use crate::{
    api, bench,
    command::{Failure, root, run},
    package, setup,
    task::{cargo, test},
    used::{Stopwatch, table},
};

type Step = (&'static str, fn() -> Result<(), Failure>);

/// The steps in order. The tests come last, so that the output ends with their results.
///
/// Lints check the dependencies once, and the quickstart and the tests build them once, since they ask for the same
/// features. Only the docs, for which cargo leaves out what tests alone depend on, check some of them again.
const STEPS: &[Step] = &[
    ("format", format),
    ("api", api::check),
    ("lints", || run(&mut cargo("clippy --workspace --all-targets --all-features -- -D warnings"))),
    ("docs", docs),
    ("features", package::features),
    ("packages", package::package),
    ("instructions", bench::check_instructions),
    ("quickstart", || run(&mut cargo("run --all-features --example quickstart"))),
    ("tests", || test(&[])),
];

/// Runs the named steps, or all of them if none is named.
pub(crate) fn ci(names: &[String]) -> Result<(), Failure> {
    let known = |name: &String| STEPS.iter().any(|(step, _)| step == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let steps: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::new(format!(
            "no such step: {unknown:?}; there are {}",
            steps.join(", ")
        )));
    }
    let mut wanted =
        STEPS.iter().filter(|(step, _)| names.is_empty() || names.iter().any(|name| name == step));
    let (all, mut taken) = (Stopwatch::start(), Vec::new());
    let result = thread::scope(|scope| {
        // Downloads use other resources than the steps before the tests. If one fails, the tests try again and tell why.
        if names.is_empty() {
            scope.spawn(setup::install_for_tests);
        }
        wanted.try_for_each(|(name, step)| {
            let watch = Stopwatch::start();
            let result = step();
            taken.push((*name, watch.used()));
            result
        })
    });
    taken.push(("all of them", all.used()));
    println!("\n{}", table("step", taken));
    result
}

/// The benchmarks and the examples in other frameworks are workspaces of their own.
fn format() -> Result<(), Failure> {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo("fmt --manifest-path bench/Cargo.toml --all --check"))?;
    run(&mut cargo("fmt --manifest-path examples/frameworks/Cargo.toml --all --check"))
}

/// The docs as docs.rs builds them, which a stable toolchain only does when it is told that it may.
fn docs() -> Result<(), Failure> {
    let mut doc = cargo("doc --workspace --no-deps --all-features");
    doc.env("RUSTDOC", root().join("xtask/bin/rustdoc"));
    run(doc.env("RUSTDOCFLAGS", "--cfg docsrs -D warnings"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_workflow_has_a_job_for_each_step() {
        let workflow = fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
        let steps: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        assert!(
            workflow.contains(&format!("step: [{}]", steps.join(", "))),
            "it lacks one of {steps:?}"
        );
    }

    #[test]
    fn an_unknown_step_is_refused_before_any_runs() {
        let error = ci(&["format".to_owned(), "tets".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"tets\"") && error.contains("tests"), "{error}");
    }
}
