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

use std::{env, process::ExitCode, time::Duration};

use crate::areas::AREAS;

/// What is asked for.
struct Wanted {
    areas: Vec<&'static areas::Area>,
    quick: bool,
    rounds: Option<String>,
    /// The part of the only area.
    only: Option<String>,
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
    let mut wanted = Wanted {
        areas: Vec::new(),
        quick: false,
        rounds: None,
        only: None,
        json: false,
        write: false,
    };
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
            "--only" => {
                let part = arguments.next();
                wanted.only = Some(part.ok_or("--only takes a part, such as \"Redis, 20 KB\"")?);
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
    if wanted.only.is_some() {
        if !wanted.areas.iter().all(|area| area.name == "store") || wanted.areas.is_empty() {
            return Err("--only takes a part of the area store".to_owned());
        }
        if wanted.write {
            return Err("--write cannot be combined with --only: it needs whole areas".to_owned());
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
        let run::Measured { rows, seconds, tables, .. } = run::run(area, wanted)?;
        times.push((area.name, seconds, tables));
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

/// Says how long each area took with its tables, and all areas, without building.
fn show(times: &[(&str, u64, Vec<(String, Duration)>)]) {
    for (name, seconds, tables) in times {
        eprintln!("{name:<8} {seconds:>5} s");
        for (table, time) in tables {
            eprintln!("{:>14.1} s  {table}", time.as_secs_f64());
        }
    }
    let all: u64 = times.iter().map(|(_, seconds, _)| seconds).sum();
    eprintln!("{:<8} {all:>5} s, or {} min {} s", "all", all / 60, all % 60);
}
