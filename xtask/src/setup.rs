//! What the tests and the benchmarks need besides Rust: found, or installed.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use cloakroom_test_support::{Kind, Maria, Pg, find_program, next_folder, node_folder};

use crate::{
    command::{Failure, root},
    debian, mongod, npm, valkey,
};

/// What has to be there.
#[derive(Debug)]
struct Needs {
    /// Debian packages, each known by its program.
    debian: &'static [&'static str],
    mongod: bool,
    valkey: bool,
    /// The folders of a `package-lock.json`.
    npm: Vec<PathBuf>,
}

/// Installs what the tests need and is missing.
pub(crate) fn install_for_tests() -> Result<(), Failure> {
    let debian = &[
        "redis-server",
        "memcached",
        "postgresql",
        "mariadb-server-core",
        "mariadb-client-core",
        "openssl",
        "chromium",
        "g++",
        "make",
    ];
    let npm = vec![node_folder(), next_folder()];
    install(&Needs { debian, mongod: true, valkey: true, npm }).map_err(|failure| {
        Failure::new(format!("{failure}\nTests without a server still run: cargo test"))
    })
}

/// Installs what the benchmarks need and is missing.
pub(crate) fn install_for_bench() -> Result<(), Failure> {
    let debian = &["redis-server", "memcached", "postgresql", "valgrind", "wrk"];
    install(&Needs { debian, mongod: true, valkey: false, npm: vec![root().join("bench/node")] })
}

/// Installs the published stores of the report, and their servers.
pub(crate) fn install_for_npm_report() -> Result<(), Failure> {
    let debian = &[
        "redis-server",
        "memcached",
        "postgresql",
        "mariadb-server-core",
        "mariadb-client-core",
        "g++",
        "make",
    ];
    install(&Needs { debian, mongod: true, valkey: false, npm: vec![root().join("tests/npm")] })
}

/// Installs what counts instructions.
pub(crate) fn install_valgrind() -> Result<(), Failure> {
    install(&Needs { debian: &["valgrind"], mongod: false, valkey: false, npm: Vec::new() })
}

/// One installation at a time: the next one finds what this one has brought.
static INSTALLS: Mutex<()> = Mutex::new(());

/// Whether the program of a Debian package is there, which mostly has the name of the package.
///
/// The packages of MariaDB are those that start no service. The second one has what `mariadb-install-db` asks for the
/// options.
fn is_installed(package: &str) -> bool {
    match package {
        "postgresql" => Pg::find(),
        "mariadb-server-core" => Maria::find(),
        "mariadb-client-core" => find_program("my_print_defaults"),
        program => find_program(program),
    }
    .is_some()
}

/// Tries all of it before it fails with a list of what could not be had.
fn install(needs: &Needs) -> Result<(), Failure> {
    let _alone = INSTALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let absent = || {
        let packages = needs.debian.iter().copied();
        packages.filter(|package| !is_installed(package)).collect::<Vec<_>>()
    };
    let mut results = Vec::new();
    let packages = absent();
    if !packages.is_empty() {
        let result = debian::install(&packages).and_then(|()| match absent().as_slice() {
            [] => Ok(()),
            still => Err(Failure::new(format!(
                "installed, but their programs were not found: {}",
                still.join(", ")
            ))),
        });
        results.push((packages.join(", "), result));
    }
    if needs.mongod && !mongod::is_installed() {
        results.push(("mongod".to_owned(), mongod::install()));
    }
    if needs.valkey && !valkey::is_installed() {
        results.push(("valkey-server".to_owned(), valkey::install()));
    }
    for folder in needs.npm.iter().filter(|folder| !npm::is_installed(folder)) {
        let name = folder.strip_prefix(root()).unwrap_or(folder).display();
        results.push((format!("npm packages of {name}"), npm::install(folder)));
    }

    if results.is_empty() {
        println!("Nothing to install: all that is needed is there.");
    }
    let missing: Vec<String> = results
        .iter()
        .filter_map(|(what, result)| Some(format!("  {what}: {}", result.as_ref().err()?)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("these could not be installed:\n{}", missing.join("\n"))))
}
