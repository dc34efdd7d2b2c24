//! What a change has to pass, in steps that can also run alone.

use std::{panic, thread};

use crate::{
    api, bench,
    command::{Failure, command, root, run},
    package,
    programs::Program,
    setup,
    task::{cargo, test},
    used::{Stopwatch, Used, table},
};

type Run = fn() -> Result<(), Failure>;
type Step = (&'static str, Run);

/// The steps in order. The tests come last, so that the output ends with their results; the steps of [`BESIDE`] say
/// nothing unless they fail.
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

/// The steps that run beside the tests when all are run: tests wait for servers and for sessions to expire, and these use
/// the processor in the meantime, with the lowest priority, so that no test waits for them.
const BESIDE: &[&str] = &["features", "packages", "instructions"];

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
    let all_steps = names.is_empty();
    let mut wanted = STEPS.iter().filter(|(step, _)| {
        if all_steps { !BESIDE.contains(step) } else { names.iter().any(|name| name == step) }
    });
    let (all, mut taken) = (Stopwatch::start(), Vec::new());
    let result = thread::scope(|scope| {
        // Downloads use other resources than the steps before the tests. If one fails, the tests try again and tell why.
        if all_steps {
            scope.spawn(setup::install_for_tests);
        }
        wanted.try_for_each(|(name, step)| {
            let watch = Stopwatch::start();
            let (row, result) = match *name {
                "tests" if all_steps => {
                    ("tests and what ran beside", with_beside(*step, &mut taken))
                }
                name => (name, step()),
            };
            taken.push((row, watch.used()));
            result
        })
    });
    taken.push(("all of them", all.used()));
    println!("\n{}", table("step", taken));
    result
}

/// Runs a step, and beside it those of [`BESIDE`], one after the other, each as a process of its own. What they print is
/// shown if they fail.
fn with_beside(step: Run, taken: &mut Vec<(&str, Used)>) -> Result<(), Failure> {
    let (result, beside) = thread::scope(|scope| {
        let beside = scope
            .spawn(|| BESIDE.iter().map(|name| with_low_priority(name).run()).collect::<Vec<_>>());
        (step(), beside.join())
    });
    let beside = beside.unwrap_or_else(|why| panic::resume_unwind(why));
    BESIDE.iter().zip(beside).fold(result, |result, (name, ended)| {
        taken.push((*name, ended.used));
        let Some(failure) = ended.failure else { return result };
        println!("\n{}", ended.output);
        result.and(Err(Failure::with_code(format!("the step {name:?} failed: {failure}"), 101)))
    })
}

fn with_low_priority(step: &str) -> Program {
    let cargo = cargo(&format!("xtask ci {step}"));
    let mut nice = command("nice");
    nice.args(["-n", "19"]).arg(cargo.get_program()).args(cargo.get_args());
    Program { name: step.to_owned(), command: nice }
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
    fn what_runs_beside_the_tests_is_a_step_before_them() {
        let at = |name: &str| STEPS.iter().position(|(step, _)| *step == name);
        for step in BESIDE {
            assert!(at(step).unwrap() < at("tests").unwrap(), "{step}");
        }
        assert_eq!(STEPS.last().unwrap().0, "tests");
    }

    #[test]
    fn an_unknown_step_is_refused_before_any_runs() {
        let error = ci(&["format".to_owned(), "tets".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"tets\"") && error.contains("tests"), "{error}");
    }
}
