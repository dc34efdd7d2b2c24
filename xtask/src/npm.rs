//! The npm packages of a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cloakroom_test_support::find_program;

use crate::command::{Failure, command, run};

/// Whether Node.js is there, and the folder's `node_modules` is what the lock file asks for.
///
/// The copy of the lock file in `node_modules` was put there by an install that succeeded.
pub(crate) fn is_installed(folder: &Path) -> bool {
    let read = |file: &str| fs::read(folder.join(file)).ok();
    let locked = read(LOCK);
    find_program("node").is_some() && locked.is_some() && locked == read(INSTALLED)
}

/// Installs the packages of the lock file.
pub(crate) fn install(folder: &Path) -> Result<(), Failure> {
    if find_program("node").is_none() || find_program("npm").is_none() {
        return Err(Failure::new(
            "there is no Node.js here; install version 20 or newer, with npm",
        ));
    }
    let mut ci = command("npm");
    ci.arg("ci").current_dir(folder);
    // sqlite3 and better-sqlite3 each compile SQLite, for which the optimizer needs minutes. node-gyp's makefiles put these
    // behind options of their own.
    ci.envs([("CFLAGS", "-O0 -g0 -w"), ("CXXFLAGS", "-O0 -g0 -w"), ("JOBS", "max")]);
    if let Some(prefix) = prefix_with_headers() {
        ci.env("npm_config_nodedir", prefix);
    }
    run(&mut ci).map_err(|_| Failure::new("npm could not get or compile them; try again later"))?;
    fs::copy(folder.join(LOCK), folder.join(INSTALLED))
        .map(|_| ())
        .map_err(|error| Failure::new(format!("cannot write {INSTALLED}: {error}")))
}

/// The folder of this Node.js, if it has the headers that node-gyp would download.
fn prefix_with_headers() -> Option<PathBuf> {
    let node = fs::canonicalize(find_program("node")?).ok()?;
    let prefix = node.parent()?.parent()?.to_owned();
    prefix.join("include/node/node_version.h").is_file().then_some(prefix)
}

const LOCK: &str = "package-lock.json";
const INSTALLED: &str = "node_modules/.cloakroom-lock.json";
