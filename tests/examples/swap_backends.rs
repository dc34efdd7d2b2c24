//! The example `swap_backends` says the same over every backend, whatever URL it is given.

use std::{env, path::PathBuf, process::Command};

use cloakroom_test_support::{Memcached, Mongod, RedisServer};

/// Where `cargo test --workspace` has built it: beside the folder of this test program.
fn example() -> PathBuf {
    let folder = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let path = folder.join("swap_backends");
    assert!(path.is_file(), "run `cargo build --all-features --workspace --examples` first");
    path
}

fn run(url: &str) -> (String, String) {
    let output = Command::new(example()).arg(url).output().unwrap();
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (backend, rest) = text.split_once('\n').unwrap();
    (backend.trim_start_matches("backend").trim().to_owned(), rest.to_owned())
}

#[test]
#[ignore = "needs redis-server, memcached and mongod"]
fn swapping_the_url_changes_the_backend_and_nothing_else() {
    let (redis, memcached, mongod) =
        (RedisServer::start().unwrap(), Memcached::start().unwrap(), Mongod::start().unwrap());
    let (name, dialogue) = run("memory:");
    assert_eq!(name, "memory");
    for line in ["user, cart and theme: true", "extended", "gone: it stays logged out", "none"] {
        assert!(dialogue.contains(line), "{dialogue}");
    }
    for (url, name) in [
        (redis.url(), "redis"),
        (format!("memcached://{}", memcached.addr()), "memcached"),
        (format!("{}/shop", mongod.url()), "mongodb"),
    ] {
        assert_eq!(run(&url), (name.to_owned(), dialogue.clone()));
    }
}
