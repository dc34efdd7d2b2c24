//! What the tests need besides Rust: found, or installed.

use cloakroom_test_support::find_program;

use crate::{command::Failure, debian, mongod, npm};

/// The programs that come as Debian packages of the same name.
const DEBIAN: [&str; 4] = ["redis-server", "memcached", "openssl", "chromium"];

/// Installs what is missing, and tries all of it before it fails with a list of what could not be had.
pub(crate) fn install_missing() -> Result<(), Failure> {
    let absent =
        || DEBIAN.into_iter().filter(|program| find_program(program).is_none()).collect::<Vec<_>>();
    let mut results = Vec::new();
    let packages = absent();
    if !packages.is_empty() {
        let result = debian::install(&packages).and_then(|()| match absent().as_slice() {
            [] => Ok(()),
            still => Err(Failure::new(format!(
                "installed, and yet not on the PATH: {}",
                still.join(", ")
            ))),
        });
        results.push((packages.join(", "), result));
    }
    if !mongod::is_installed() {
        results.push(("mongod".to_owned(), mongod::install()));
    }
    if !npm::is_installed() {
        results.push(("npm packages of tests/node".to_owned(), npm::install()));
    }

    if results.is_empty() {
        println!("Nothing to install: the servers and the npm packages are there.");
    }
    let missing: Vec<String> = results
        .iter()
        .filter_map(|(what, result)| Some(format!("  {what}: {}", result.as_ref().err()?)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "these could not be installed:\n{}\nTests without a server still run: cargo test",
        missing.join("\n")
    )))
}
