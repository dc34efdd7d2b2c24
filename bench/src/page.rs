//! The page `docs/performance.md`.

use std::{fs, path::PathBuf};

use crate::{
    areas::AREAS,
    machine,
    run::{folder, kept},
    table, targets, texts,
};

const HEAD: &str = "\
# Performance

`cargo xtask bench --write` writes this page; do not edit it.
It measures cloakroom beside the bare clients and beside similar libraries, all with the same work in one run.

The numbers to look at are the ratios: in each round a subject is compared with the base, which ran in the same round.
The table has the median of the rounds, and their quartiles in brackets.
The other columns are medians, and depend on the machine.
";

/// Writes the page from what was measured here last.
pub(crate) fn write() -> Result<(), String> {
    let mut text = format!("{HEAD}\n## Machine and versions\n\n{}\n", machine::describe());
    if let Some(tables) = targets::tables() {
        text += &format!("\n## Targets\n\n{tables}");
    }
    text += &format!("\n## Tried, and did not help\n\n{}", texts::TRIED);
    for area in AREAS {
        let Some(measured) = kept(area) else { continue };
        let quick = if measured.quick { " of a quick run, in which peers ran once" } else { "" };
        text += &format!(
            "\n## {}\n\n{}\n{} round{}{quick}, `cargo xtask bench {}`, {} seconds.\n{}",
            area.title,
            area.about,
            measured.rounds,
            if measured.rounds == 1 { "" } else { "s" },
            area.name,
            measured.seconds,
            table::tables(&measured.rows)
        );
    }
    let file = page();
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn page() -> PathBuf {
    folder().join("../docs/performance.md")
}
