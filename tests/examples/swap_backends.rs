//! The example `swap_backends` says the same over every backend, whatever URL it is given.

use cloakroom_test_support::{Memcached, Mongod, RedisServer};

fn run(url: &str) -> (String, String) {
    let text = crate::run("swap_backends", &[url]);
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
