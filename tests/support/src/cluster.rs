//! The data folder of a database server: made once per machine, and copied for each server.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{program::cache_folder, unique};

/// A user and its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// The user to run a server as that refuses to run as root: this one, or else `nobody`. `None` if we are not root.
    pub(crate) fn instead_of_root(name: &str) -> Option<Self> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        is_root.then(|| Self::named(name).or_else(|| Self::named("nobody"))).flatten()
    }

    fn named(name: &str) -> Option<Self> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let mut id = || fields.next()?.parse().ok();
        Some(Self { uid: id()?, gid: id()? })
    }

    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

/// Fills a data folder that does not exist yet, by a copy of the one that `make` has made on this machine before.
///
/// `name` says what makes the folder, and its version. What goes wrong is added to the log of the server, which then does
/// not start.
pub(crate) fn fill(
    data: &Path,
    log: &Path,
    owner: Option<User>,
    name: &str,
    make: impl FnOnce(&Path) -> Command,
) {
    let Ok(log) = OpenOptions::new().create(true).append(true).open(log) else { return };
    if let Err(error) = try_to_fill(data, &log, owner, name, make) {
        // If not even that can be written, the server still says that its folder is missing.
        let _ =
            io::Write::write_all(&mut &log, format!("cannot fill {data:?}: {error}\n").as_bytes());
    }
}

fn try_to_fill(
    data: &Path,
    log: &File,
    owner: Option<User>,
    name: &str,
    make: impl FnOnce(&Path) -> Command,
) -> io::Result<()> {
    let kept = cache_folder().map(|cache| cache.join(name));
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
        return copy(kept, data, owner);
    }
    let mut command = make(data);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    if let Some(owner) = owner {
        owner.run(&mut command);
    }
    let status = command.status()?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "{} ended: {status}",
            command.get_program().display()
        )));
    }
    match kept {
        // A machine whose cache cannot be written makes the folder for each server.
        Some(kept) => keep(data, &kept).or(Ok(())),
        None => Ok(()),
    }
}

/// Puts a copy into the cache in one step, so that no other process finds a part of it.
fn keep(data: &Path, kept: &Path) -> io::Result<()> {
    let mut being_made = kept.as_os_str().to_owned();
    being_made.push(format!(".{}", unique("part")));
    let being_made = PathBuf::from(being_made);
    if let Some(cache) = kept.parent() {
        fs::create_dir_all(cache)?;
    }
    // It fails if another process was quicker.
    let result = copy(data, &being_made, None).and_then(|()| fs::rename(&being_made, kept));
    if result.is_err() {
        let _ = fs::remove_dir_all(&being_made);
    }
    result
}

fn copy(from: &Path, to: &Path, owner: Option<User>) -> io::Result<()> {
    fs::create_dir(to)?;
    // PostgreSQL refuses a folder that others can read.
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target)?;
            owner.map_or(Ok(()), |owner| owner.own(&target))?;
        }
    }
    owner.map_or(Ok(()), |owner| owner.own(to))
}

/// A name for the data folders of this program: `mariadbd-Ver-10.11.14-MariaDB`.
pub(crate) fn name_of(program: &OsStr) -> String {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    // The first word can be a path.
    let version: Vec<_> = said
        .split(|c: char| !c.is_ascii_alphanumeric() && !".+".contains(c))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let program = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    format!("{program}-{}-data", version.join("-"))
}
