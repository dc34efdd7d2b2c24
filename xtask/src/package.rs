//! Crates as users get them: each feature alone, each crate built from its package, and an application on top.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::{
    command::{Failure, command, root, run, run_and_look, target, text},
    crates::{Crate, published},
    task::cargo,
};

/// Checks every published crate without features and with each feature alone. For a crate with code that exists only
/// without a feature, it also runs Clippy.
pub(crate) fn features() -> Result<(), Failure> {
    for one in &published()? {
        let alone = |verb: &str| {
            let mut command = cargo(&format!("{verb} --no-default-features --package"));
            command.arg(&one.name);
            command
        };
        if exists_without_a_feature(&one.folder.join("src"))? {
            run(alone("clippy").args(["--", "-D", "warnings"]))?;
        } else {
            without_warnings(&mut alone("check"))?;
        }
        for feature in &one.features {
            without_warnings(alone("check").arg("--features").arg(feature))?;
        }
    }
    Ok(())
}

/// Returns true if some code in this folder exists only without a feature.
fn exists_without_a_feature(folder: &Path) -> Result<bool, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::new(format!("cannot list {}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let found = if path.is_dir() {
            exists_without_a_feature(&path)?
        } else {
            fs::read_to_string(&path).is_ok_and(|text| text.contains("not(feature"))
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a check and fails if it prints a warning about a crate, such as code that is unused with this feature alone.
///
/// `-D warnings` would make cargo compile the crate again for each command; without it, cargo repeats the warnings of an
/// earlier check. Clippy takes twice the time, and has seen this code with all features.
fn without_warnings(check: &mut Command) -> Result<(), Failure> {
    let mut warned = None;
    run_and_look(check.env("CARGO_TERM_COLOR", "never"), |line| {
        // Other lines that begin like this are about the network, or about other crates.
        if line.starts_with("warning: `") && line.contains(" generated ") {
            warned = Some(line.to_owned());
        }
        true
    })?;
    match warned {
        Some(line) => Err(Failure::with_code(format!("`{}`: {line}", text(check)), 101)),
        None => Ok(()),
    }
}

/// Packages every crate, checks each package alone, and builds and runs an application that depends on the packages:
/// the first example of the README. It turns on few features, and checks that the errors about the others name them.
///
/// cargo's own verification cannot be used: it unpacks the packages that a package depends on into its home folder, and
/// a package of the same version that an earlier run left there is taken for the new one.
pub(crate) fn package() -> Result<(), Failure> {
    let crates = published()?;
    let mut package = cargo("package --no-verify --allow-dirty");
    for one in &crates {
        package.arg("--package").arg(&one.name);
    }
    run(&mut package)?;
    let folder = std::env::temp_dir().join(format!("cloakroom-package-{}", process::id()));
    let result = build(&folder, &crates);
    // A rest in the temporary folder does no harm.
    let _ = fs::remove_dir_all(&folder);
    result
}

/// Checks each package with its default features, then builds and runs the application.
fn build(folder: &Path, crates: &[Crate]) -> Result<(), Failure> {
    let mut patches = String::new();
    for one in crates {
        let unpacked = unpack(folder, one)?;
        patches += &format!("{} = {{ path = {unpacked:?} }}\n", one.name);
    }
    let app = folder.join("app");
    // With our profiles, so that what was built of the dependencies is theirs as well.
    let manifest = read(&root().join("Cargo.toml"))?;
    let profiles = manifest.find("\n[profile.").map_or("", |start| &manifest[start..]);
    let manifest = format!("{WORKSPACE}\n[patch.crates-io]\n{patches}{profiles}");
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&app.join("Cargo.toml"), MANIFEST)?;
    write(&app.join("src/main.rs"), &format!("{}\n{MAIN}", example(&root().join("README.md"))?))?;
    // With the versions that everything else is tested with.
    let lock = read(&root().join("Cargo.lock"))?;
    write(&folder.join("Cargo.lock"), &lock)?;
    let there = |arguments| {
        let mut command = cargo(arguments);
        // The clients are built already.
        command.current_dir(folder).env("CARGO_TARGET_DIR", target());
        command
    };
    for one in crates {
        without_warnings(there("check --package").arg(&one.name))?;
    }
    run(&mut there("run --quiet --package app"))
}

const WORKSPACE: &str = r#"[workspace]
members = ["app", "cloakroom*"]
resolver = "3"
"#;

const MANIFEST: &str = r#"[package]
name = "app"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = { version = "0.8", default-features = false }
cloakroom = { version = "0.1", features = ["axum", "file", "memcached", "redis", "sql"] }
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
"#;

/// Requests a page that needs no session, and therefore no server, then opens URLs whose features are off.
const MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let request = axum::http::Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(app().unwrap(), request).await.unwrap();
    assert_eq!(response.status(), 200);

    let of_the_store = cloakroom::redis::RedisStore::open("rediss://:hush@h").map(drop);
    needs("redis-tls", "redis:", of_the_store);
    for (feature, url) in [
        ("mysql", "mysql://u:hush@h/d"),
        ("postgres", "postgresql://u:hush@h/d"),
        ("sqlite", "sqlite:hush.db"),
    ] {
        needs(feature, "sql:", cloakroom::sql::SqlStore::open(url).map(drop));
    }
    for (feature, store, url) in [
        ("encryption", "file:", "file:///sessions?secret=hush"),
        ("encryption", "memcached:", "memcached://h?secret=hush"),
        ("mongodb", "cloakroom:", "mongodb://u:hush@h"),
        ("mongodb-srv", "cloakroom:", "mongodb+srv://u:hush@h"),
        ("mysql", "cloakroom:", "mariadb://u:hush@h/d"),
        ("node", "cloakroom:", "node:hush.mjs"),
        ("postgres", "cloakroom:", "postgresql://u:hush@h/d"),
        ("redis-tls", "cloakroom:", "valkeys+cluster://:hush@h"),
        ("sqlite", "cloakroom:", "sqlite:hush.db"),
    ] {
        needs(feature, store, cloakroom::open(url).map(drop));
    }
    println!("The README's first example runs on the packaged crates.");
}

fn needs(feature: &str, store: &str, opened: Result<(), cloakroom::Error>) {
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), cloakroom::ErrorKind::Config, "{error}");
    let text = error.to_string();
    let why = format!("needs the feature {feature:?} of cloakroom");
    assert!(text.starts_with(store) && text.contains(&why), "{text}");
    assert!(!format!("{text} {error:?}").contains("hush"), "{text}");
}
"#;

/// Unpacks the package of a crate and returns its folder.
fn unpack(folder: &Path, one: &Crate) -> Result<PathBuf, Failure> {
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    let name = format!("{}-{}", one.name, env!("CARGO_PKG_VERSION"));
    let package = target().join("package").join(format!("{name}.crate"));
    run(command("tar")
        .arg("--extract")
        .arg("--gzip")
        .arg("--file")
        .arg(&package)
        .arg("--directory")
        .arg(folder)
        // All files of a package have one old time, by which cargo would take what it built of an earlier package for
        // this one.
        .arg("-m"))?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        if read(&folder.join(&name).join(licence))? != read(&root().join(licence))? {
            return Err(Failure::new(format!("the package of {} lacks {licence}", one.name)));
        }
    }
    Ok(folder.join(name))
}

/// The first Rust example of a README.
fn example(readme: &Path) -> Result<String, Failure> {
    let text = read(readme)?;
    let block = text.split("\n```rust").nth(1).and_then(|rest| rest.split("\n```").next());
    let code = block.and_then(|block| block.split_once('\n'));
    code.map(|(_, code)| code.to_owned())
        .ok_or_else(|| Failure::new(format!("{} has no example", readme.display())))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| at(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
