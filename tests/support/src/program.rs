//! Where the programs are that the tests start.

use std::{
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The release of MongoDB that `cargo xtask test` installs if the system has no MongoDB.
pub const MONGOD_VERSION: &str = "6.0.5";

/// The release of Valkey that `cargo xtask test` installs if the system has no Valkey.
pub const VALKEY_VERSION: &str = "9.1.2";

/// The path of a program on the `PATH`, or `None`.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// The path of `mongod`: on the `PATH`, or else where `cargo xtask test` installs it. `None` if it is in neither place.
#[must_use]
pub fn find_mongod() -> Option<PathBuf> {
    find_program("mongod").or_else(|| mongod_in_cache().filter(|file| is_executable(file)))
}

/// Where `cargo xtask test` installs `mongod`: in the user's cache folder, outside the repository.
///
/// `None` if neither `XDG_CACHE_HOME` nor `HOME` is set.
#[must_use]
pub fn mongod_in_cache() -> Option<PathBuf> {
    in_cache("mongod", MONGOD_VERSION)
}

/// The path of `valkey-server`: on the `PATH`, or else where `cargo xtask test` installs it. `None` if it is in neither
/// place.
#[must_use]
pub fn find_valkey() -> Option<PathBuf> {
    find_program("valkey-server").or_else(|| valkey_in_cache().filter(|file| is_executable(file)))
}

/// Where `cargo xtask test` installs `valkey-server`, as [`mongod_in_cache`].
#[must_use]
pub fn valkey_in_cache() -> Option<PathBuf> {
    in_cache("valkey-server", VALKEY_VERSION)
}

fn in_cache(program: &str, version: &str) -> Option<PathBuf> {
    Some(cache_folder()?.join(format!("{program}-{version}")).join(program))
}

/// The folder of what is kept from one run of the tests to the next.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("cloakroom"))
}

/// The folder of the Node.js programs and their npm packages: `tests/node`.
#[must_use]
pub fn node_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("node")
}

/// The folder of the Next.js site and its npm packages: `tests/next`.
#[must_use]
pub fn next_folder() -> PathBuf {
    node_folder().with_file_name("next")
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path() {
        assert!(find_program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find_program("no-such-program"), None);
    }

    #[test]
    fn the_folders_of_npm_packages_are_beside_this_crate() {
        assert!(node_folder().join("package.json").is_file());
        assert!(next_folder().join("package.json").is_file());
    }
}
