//! `cargo xtask bench`: builds the areas, runs them, and shows what they measured.

mod aims;
mod areas;
mod machine;
mod page;
mod plot;
mod readme;
mod run;
mod statistics;
mod summary;
mod table;
mod targets;
mod texts;

use std::{env, process::ExitCode};

use crate::areas::AREAS;

/// What is asked for.
struct Wanted {
    areas: Vec<&'static areas::Area>,
    quick: bool,
    rounds: Option<String>,
    json: bool,
    write: bool,
}

fn main() -> ExitCode {
    match wanted(env::args().skip(1)).and_then(|wanted| bench(&wanted)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted =
        Wanted { areas: Vec::new(), quick: false, rounds: None, json: false, write: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "quick" => wanted.quick = true,
            "--json" => wanted.json = true,
            "--write" => wanted.write = true,
            "--rounds" => {
                let number =
                    arguments.next().filter(|text| text.parse::<u32>().is_ok_and(|n| n > 0));
                wanted.rounds = Some(number.ok_or("--rounds takes a number of at least 1")?);
            }
            name => {
                let area = AREAS.iter().find(|area| area.name == name).ok_or_else(|| {
                    let names: Vec<_> = AREAS.iter().map(|area| area.name).collect();
                    format!("unknown area {name:?}: must be one of {}", names.join(", "))
                })?;
                wanted.areas.push(area);
            }
        }
    }
    if wanted.areas.is_empty() {
        wanted.areas = AREAS.iter().collect();
    }
    Ok(wanted)
}

fn bench(wanted: &Wanted) -> Result<(), String> {
    // All are built before the first one is measured.
    for area in &wanted.areas {
        run::build(area)?;
    }
    let mut times = Vec::new();
    for area in &wanted.areas {
        let run::Measured { rows, seconds, .. } =
            run::run(area, wanted.quick, wanted.rounds.as_deref())?;
        times.push((area.name, seconds));
        if wanted.json {
            for row in rows {
                println!("{}", serde_json::json!({ "area": area.name, "row": row }));
            }
        } else {
            println!("\n## {}\n{}", area.title, table::tables(&rows));
        }
    }
    show(&times);
    if wanted.write {
        page::write()?;
        readme::write()?;
    }
    Ok(())
}

/// Says how long each area took, and all of them, without building.
fn show(times: &[(&str, u64)]) {
    for (name, seconds) in times {
        eprintln!("{name:<8} {seconds:>5} s");
    }
    let all: u64 = times.iter().map(|(_, seconds)| seconds).sum();
    eprintln!("{:<8} {all:>5} s, or {} min {} s", "all", all / 60, all % 60);
}
