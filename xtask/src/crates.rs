//! The crates that are published, as their manifests describe them.

use std::{fs, path::PathBuf};

use crate::command::{Failure, root};

/// A crate that is published.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) features: Vec<String>,
}

/// Returns the crates that are published: those in `crates/`, and those of `compat/`, by name.
pub(crate) fn published() -> Result<Vec<Crate>, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("cannot list crates: {error}"));
    let mut folders = ["compat", "compat/node", "compat/tower-sessions"]
        .map(|folder| root().join(folder))
        .to_vec();
    for entry in fs::read_dir(root().join("crates")).map_err(unreadable)? {
        folders.push(entry.map_err(unreadable)?.path());
    }
    let mut crates = Vec::new();
    for folder in folders {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).map_err(|error| {
            Failure::new(format!("{}: {error}", folder.join("Cargo.toml").display()))
        })?;
        if !manifest.contains("\npublish = false") {
            let name = value(&manifest, "name").unwrap_or_default().to_owned();
            let features = features(&manifest);
            crates.push(Crate { name, folder, features });
        }
    }
    crates.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(crates)
}

/// The text of a `name = "value"` line.
fn value<'a>(manifest: &'a str, name: &str) -> Option<&'a str> {
    let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")))?;
    line.split('"').nth(1)
}

/// The names in the table `[features]`.
fn features(manifest: &str) -> Vec<String> {
    let table = manifest.split("\n[features]\n").nth(1).unwrap_or_default();
    table
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "default" && !name.starts_with('#'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_from_a_manifest() {
        let manifest = "[package]\nname = \"x\"\n\n[features]\ndefault = [\"a\"]\n# About b.\na = []\nb = [\"a\"]\n\n[lints]\nworkspace = true\n";
        assert_eq!(features(manifest), ["a", "b"]);
        assert_eq!(value(manifest, "name"), Some("x"));
        assert!(features("[package]\nname = \"x\"\n").is_empty());
    }

    #[test]
    fn all_crates_that_users_add_are_published() {
        let crates = published().unwrap();
        let names: Vec<&str> = crates.iter().map(|one| &*one.name).collect();
        assert!(names.contains(&"cloakroom") && names.contains(&"cloakroom-compat"), "{names:?}");
        let facade = crates.iter().find(|one| one.name == "cloakroom").unwrap();
        assert!(facade.features.iter().any(|feature| feature == "axum"), "{facade:?}");
    }
}
