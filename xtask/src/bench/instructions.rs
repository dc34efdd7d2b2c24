//! Instructions per operation, counted by callgrind: a number that hardly depends on the machine.

use std::{fs, process::Command};

use crate::{
    bench::{
        callgrind,
        counts::{Count, compare, format, parse},
    },
    command::{Failure, command, root, target},
    setup,
    task::cargo,
};

const PACKAGE: &str = "cloakroom-instructions";
const ACCEPTED: &str = "bench/instructions/accepted.txt";

/// Counts, and fails if an operation takes more than was accepted with the same compiler.
pub(crate) fn check() -> Result<(), Failure> {
    let counted = count()?;
    let text = fs::read_to_string(root().join(ACCEPTED)).unwrap_or_default();
    let (table, grown) = compare(&parse(&text), &counted);
    println!("\n{table}");
    if grown.is_empty() {
        return Ok(());
    }
    let grown = grown.join("\n  ");
    let compiler = compiler()?;
    if !text.contains(&compiler) {
        // Each compiler makes other instructions of the same text.
        println!(
            "Above the accepted counts, which come from another compiler than {compiler}:\n  {grown}"
        );
        return Ok(());
    }
    Err(Failure::new(format!(
        "more than 5 % above {ACCEPTED}:\n  {grown}\nIf that is the price of a change, run `cargo xtask bench instructions --accept`."
    )))
}

/// Counts, and accepts the counts.
pub(crate) fn accept() -> Result<(), Failure> {
    let text = format(&count()?, &compiler()?);
    println!("\n{text}");
    fs::write(root().join(ACCEPTED), text)
        .map_err(|error| Failure::new(format!("{ACCEPTED}: {error}")))
}

fn compiler() -> Result<String, Failure> {
    let version = output(command("rustc").arg("--version"))?;
    Ok(version.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

fn count() -> Result<Vec<Count>, Failure> {
    setup::install_valgrind()?;
    crate::command::run(&mut cargo(&format!("build --release --package {PACKAGE}")))?;
    let program = target().join("release").join(PACKAGE);
    let folder = target().join("callgrind");
    let failed = |error| Failure::new(format!("{}: {error}", folder.display()));
    // What an earlier run has left is not read again.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(failed)?;
    let file = folder.join("out");
    let names = output(
        command("valgrind")
            .args(["--tool=callgrind", "--zero-before=*::measured", "--dump-after=*::measured"])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(program),
    )?;
    let mut counts = Vec::new();
    for (number, line) in names.lines().enumerate() {
        let (times, operation) = line
            .split_once('\t')
            .and_then(|(times, operation)| Some((times.parse::<f64>().ok()?, operation)))
            .ok_or_else(|| Failure::new(format!("{PACKAGE} printed {line:?}")))?;
        let text = fs::read_to_string(folder.join(format!("out.{}", number + 1)));
        let cost = callgrind::read(&text.map_err(failed)?, &format!("/{PACKAGE}"));
        counts.push(Count {
            operation: operation.to_owned(),
            instructions: cost.own as f64 / times,
            allocations: cost.allocations as f64 / times,
            system: cost.system as f64 / times,
        });
    }
    Ok(counts)
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output = output.map_err(|error| Failure::new(format!("cannot run {name}: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
