//! Debian packages: installed with `apt-get`, as root or by `sudo`.

use std::process::Command;

use cloakroom_test_support::find_program;

use crate::command::{Failure, command, run, succeeds};

/// Installs the packages. If that cannot be, the failure says what to run by hand.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let by_hand = || format!("install them: apt-get install {}", packages.join(" "));
    if find_program("apt-get").is_none() {
        return Err(Failure::new(format!("there is no apt-get here; {}", by_hand())));
    }
    if !is_root() && !succeeds(command("sudo").args(["-n", "true"])) {
        return Err(Failure::new(format!(
            "neither root nor `sudo -n` here; as root, {}",
            by_hand()
        )));
    }
    let install =
        || run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages));
    // The lists of packages are fetched only if the install fails without: they are absent or old then.
    install()
        .or_else(|_| run(apt_get().arg("update")).and_then(|()| install()))
        .map_err(|_| Failure::new(format!("apt-get could not get them; later, {}", by_hand())))
}

fn apt_get() -> Command {
    let mut apt_get = if is_root() { command("env") } else { command("sudo") };
    if !is_root() {
        apt_get.args(["-n", "env"]);
    }
    apt_get.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--quiet",
        "--option=Dpkg::Use-Pty=0",
    ]);
    apt_get
}

fn is_root() -> bool {
    command("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
