//! The crates that have a store, found by the mark in their manifests.

use std::{fs, io, path::Path};

/// A crate with a store.
///
/// Its `Cargo.toml` marks it:
///
/// ```toml
/// [package.metadata.cloakroom]
/// store = "RedisStore"
/// counterpart = "connect-redis"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCrate {
    /// The package, which is also the folder in `crates`.
    pub package: String,
    /// The type of the store.
    pub store: String,
    /// The npm package that has the same sessions.
    pub counterpart: String,
}

impl StoreCrate {
    /// Returns the backend's word in the names of files and modules: `redis` for `cloakroom-redis`.
    #[must_use]
    pub fn short(&self) -> &str {
        self.package.strip_prefix("cloakroom-").unwrap_or(&self.package)
    }
}

/// Returns the crates in `crates` that have a store, by name.
///
/// # Errors
///
/// A folder or a manifest that cannot be read, and a mark that lacks a line.
pub fn stores() -> io::Result<Vec<StoreCrate>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut found = Vec::new();
    for entry in fs::read_dir(crates)? {
        let entry = entry?;
        let package = entry.file_name().to_string_lossy().into_owned();
        let manifest = entry.path().join("Cargo.toml");
        if manifest.exists() {
            found.extend(marked(&package, &fs::read_to_string(manifest)?)?);
        }
    }
    found.sort_by(|one, other| one.package.cmp(&other.package));
    Ok(found)
}

/// The store of a manifest, or `None` if it has no mark.
fn marked(package: &str, manifest: &str) -> io::Result<Option<StoreCrate>> {
    let Some((_, table)) = manifest.split_once("\n[package.metadata.cloakroom]\n") else {
        return Ok(None);
    };
    let value = |name: &str| {
        let mut lines = table.lines().take_while(|line| !line.starts_with('['));
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        let value = value.map(|value| value.trim_matches('"').to_owned());
        value.ok_or_else(|| io::Error::other(format!("the mark of {package} lacks {name:?}")))
    };
    Ok(Some(StoreCrate {
        package: package.to_owned(),
        store: value("store")?,
        counterpart: value("counterpart")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_and_one_that_lacks_a_line_is_an_error() {
        let manifest = "[package]\nname = \"x\"\n\n[package.metadata.cloakroom]\nstore = \"XStore\"\ncounterpart = \"connect-x\"\n\n[lints]\n";
        let store = marked("cloakroom-x", manifest)
            .ok()
            .flatten()
            .map(|store| (store.short().to_owned(), store.store.clone(), store.counterpart));
        let text = |text: &str| text.to_owned();
        assert_eq!(store, Some((text("x"), text("XStore"), text("connect-x"))));
        assert_eq!(marked("cloakroom-x", "[package]\n").ok(), Some(None));
        assert!(marked("cloakroom-x", &manifest.replace("counterpart", "other")).is_err());
    }
}
