//! The committed listings: written, or compared with what the code says.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{diff::diff, listing::listing};

/// A crate to list.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) features: Vec<String>,
}

/// Writes the listings to a folder, or only compares. A listing of a crate that is not named is removed.
///
/// Returns what to tell: what has changed. If it only compares, a change is an error.
pub(crate) fn run(folder: &Path, crates: &[Crate], only_checks: bool) -> Result<String, String> {
    let mut wanted = BTreeMap::new();
    for one in crates {
        let api = listing(&one.folder.join("src/lib.rs"), &one.features)
            .map_err(|error| format!("cannot list the public API of {}: {error}", one.name))?;
        let text =
            format!("The public API of {}, written by `cargo xtask api`.\n\n{api}", one.name);
        wanted.insert(folder.join(format!("{}.txt", one.name)), text);
    }
    let found = read(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut differences = String::new();
    for file in wanted.keys().chain(found.keys().filter(|file| !wanted.contains_key(*file))) {
        let (old, new) = (found.get(file), wanted.get(file));
        let empty = String::new();
        let difference = diff(old.unwrap_or(&empty), new.unwrap_or(&empty));
        if old != new {
            differences += &format!("{}:\n{difference}\n", file.display());
        }
        if old != new && !only_checks {
            write(file, new).map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    match (differences.is_empty(), only_checks) {
        (true, _) => Ok("The listings of the public API are what the code says.".to_owned()),
        (false, false) => Ok(format!(
            "{differences}Written. Read the difference above, and commit it with the change."
        )),
        (false, true) => Err(format!("{differences}{CHANGED}")),
    }
}

const CHANGED: &str = "The public API is not what its committed listings say: `-` is what they say, `+` what the code does.
If the change is meant, run `cargo xtask api` and commit what it writes.";

fn read(folder: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                // Git can be set to check texts out with other ends of lines.
                let text = fs::read_to_string(&path)?.replace("\r\n", "\n");
                found.insert(path, text);
            }
        }
    }
    Ok(found)
}

fn write(file: &Path, text: Option<&String>) -> io::Result<()> {
    let Some(text) = text else { return fs::remove_file(file) };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}
