//! A folder in memory for what tests write: servers make thousands of files and remove them, and on a disk this takes
//! about a fifth of the processor time of such tests.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use crate::command::command;

/// Where Linux has a file system in memory.
const PLACE: &str = "/dev/shm";

/// How much has to be free there, and of the memory, in MB: several times what the tests have there at most.
const FREE: u64 = 4_000;

/// A folder in memory, which is removed on drop.
pub(crate) struct InMemory(PathBuf);

impl InMemory {
    /// A new one. `None` if there is no such file system, if it is small or programs cannot run from it, as in many
    /// containers, or if somebody has said where temporary files go.
    pub(crate) fn new() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let memory = fs::read_to_string("/proc/meminfo").ok()?;
        let place =
            command("df").args(["--output=avail", "--block-size=1M", PLACE]).output().ok()?;
        let place = last_number(&String::from_utf8_lossy(&place.stdout))?;
        let fits = runs_programs(&mounts) && place.min(available(&memory)?) >= FREE;
        if !fits || env::var_os("TMPDIR").is_some() {
            return None;
        }
        let folder = Path::new(PLACE).join(format!("cloakroom-tests-{}", process::id()));
        fs::create_dir(&folder).ok()?;
        let folder = Self(folder);
        // PostgreSQL runs as another user than root.
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).ok()?;
        Some(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        // What is left there was left by a test that was killed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether the place is a file system in memory, and one that programs may run from.
fn runs_programs(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        matches!(fields[..], [_, PLACE, "tmpfs", options, ..]
            if options.split(',').all(|option| !["noexec", "ro"].contains(&option)))
    })
}

/// The memory that programs can have without swapping, in MB.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(last_number(line.trim().strip_suffix(" kB")?)? / 1_024)
}

fn last_number(text: &str) -> Option<u64> {
    text.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_runs_no_programs_is_left_alone() {
        let mount = |kind: &str, options: &str| {
            runs_programs(&format!("proc /proc proc rw 0 0\nshm /dev/shm {kind} {options} 0 0\n"))
        };
        assert!(mount("tmpfs", "rw,nosuid,nodev,size=24684092k"));
        assert!(!mount("tmpfs", "rw,nosuid,nodev,noexec,relatime,size=65536k"));
        assert!(!mount("tmpfs", "ro"));
        assert!(!mount("ext4", "rw"));
        assert!(!runs_programs("tmpfs /run tmpfs rw 0 0\n"));
    }

    #[test]
    fn the_available_memory_is_read() {
        let text = "MemTotal:       24684092 kB\nMemAvailable:   23068672 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(22_528));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(last_number("Avail\n24106\n"), Some(24_106));
    }
}
