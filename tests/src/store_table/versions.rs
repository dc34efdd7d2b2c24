//! The versions that the project's files name.

use std::fs;

use super::{Result, root};
use crate::json::Json;

/// The versions of an npm package that the tests run against, oldest first: `6.1.3, 7.1.1, 10.0.0`.
pub(super) fn of_npm_package(package: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("tests/node/package.json"))?;
    let json = Json::parse(&text).map_err(|error| format!("package.json: {error:?}"))?;
    let mut versions = versions(&json, package);
    versions.sort_by_key(|version| {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>()
    });
    Ok(versions.join(", "))
}

/// `"connect-redis": "10.0.0"`, and under another name `"connect-redis-6": "npm:connect-redis@6.1.3"`.
fn versions(package_json: &Json, package: &str) -> Vec<String> {
    let alias = format!("npm:{package}@");
    let dependencies = package_json.get("dependencies").map_or(&[][..], Json::members);
    let version = |(name, wanted): &(_, Json)| {
        let wanted = wanted.text()?;
        match wanted.strip_prefix(&alias) {
            Some(version) => Some(version.to_owned()),
            None => (name == package).then_some(wanted),
        }
    };
    dependencies.iter().filter_map(version).collect()
}

/// A crate that the workspace depends on, with its version: `redis 1.8.1`.
pub(super) fn of_crate(name: &str) -> Result<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(" = ")?;
            value.strip_prefix("{ version = ").unwrap_or(value).strip_prefix('"')?.split('"').next()
        })
        .ok_or_else(|| format!("Cargo.toml names no version of {name}"))?;
    // A pinned version has an equals sign before it.
    Ok(format!("{name} {}", version.trim_start_matches('=')))
}

/// Which versions of its counterpart a store reads and writes, by the table in its README: `connect-redis 3 to 10`.
pub(super) fn of_counterpart(crate_name: &str, package: &str) -> Result<String> {
    let readme = fs::read_to_string(root().join("crates").join(crate_name).join("README.md"))?;
    let versions: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "## Versions")
        .filter_map(|line| line.strip_prefix("| ")?.strip_prefix(package)?.split(" | ").next())
        .map(str::trim)
        .collect();
    if versions.is_empty() {
        return Err(format!("the README of {crate_name} has no table of versions").into());
    }
    Ok(format!("{package} {}", versions.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_count_as_versions_and_other_packages_do_not() {
        let json = r#"{"dependencies":{"x":"10.0.0","x-6":"npm:x@6.1.3","xy":"1.0.0","x-y":"npm:xy@2.0.0"}}"#;
        let json = Json::parse(json).unwrap_or(Json::Null);
        assert_eq!(versions(&json, "x"), ["10.0.0", "6.1.3"]);
        assert_eq!(versions(&json, "z"), [""; 0]);
    }
}
