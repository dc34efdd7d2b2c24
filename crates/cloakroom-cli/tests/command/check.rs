//! The command `check`.

use cloakroom_test_support::{Memcached, Mongod, RedisServer};
use futures::TryStreamExt;

use crate::{
    block_on, open, plant,
    runner::{Case, check, command, run},
};

#[test]
fn the_report_has_four_formats() {
    let formats = [
        ("table", "*promise*memory*memory 2*get_missing_is_none*kept*kept*"),
        ("json", "{\"stores\":[{*\"store\":\"memory\"*\"store\":\"memory 2\"*}]}"),
        (
            "junit",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"memory\" tests=\"*\" failures=\"0\" *</testsuites>",
        ),
        (
            "markdown",
            "| promise | memory | memory 2 |\n| --- | --- | --- |\n| `get_missing_is_none` | kept | kept |\n*",
        ),
    ];
    // At once, since the suite waits for sessions to expire.
    std::thread::scope(|scope| {
        for (format, stdout) in formats {
            scope.spawn(move || {
                let mut command = command();
                command.args(["check", "memory:", "memory:", "--format", format]);
                let ended = run(&mut command, "");
                assert_eq!(ended.code, Some(0), "{}", ended.stderr);
                assert!(
                    crate::runner::matches(stdout, &ended.stdout),
                    "{format}: {}",
                    ended.stdout
                );
            });
        }
    });
}

/// A store that gives every session one life breaks promises, and its sessions stay as they are.
#[test]
#[ignore = "needs memcached"]
fn a_broken_promise_is_told_and_is_exit_code_1() {
    let server = Memcached::start().unwrap();
    let ours = format!("{}?prefix=sess:", server.url());
    let url = format!("{ours}&ttl=60");
    // Without the option, they outlive a run of the suite on a slow machine.
    plant(&ours);
    let case = Case {
        args: &["check", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "*BROKEN*\nmemcached: *\n  promise: *\n  reason: *",
        stderr: "",
    };
    check(&case, &[("{STORE}", &*url)], &[]);
    assert_eq!(block_on(open(&ours).length()).unwrap(), 10);
    // The keys of long ids are digests, without a prefix.
    let ids: Vec<String> = block_on(open(&server.url()).ids().try_collect()).unwrap();
    assert_eq!(ids.len(), 10, "nothing is left behind: {ids:?}");
}

#[test]
#[ignore = "needs redis-server and mongod"]
fn the_suite_leaves_nothing_behind() {
    let (redis, mongod) = (RedisServer::start().unwrap(), Mongod::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    // Each URL is written in an unusual way: in capitals, and percent-encoded.
    let files = format!("FILE://{}/the%20sessions", folder.path().display());
    let database = format!("{}/a%70p", mongod.url().replace("mongodb", "MONGODB"));
    let keys = format!("{}?%70refix=sess:", redis.url().replace("redis", "REDIS"));
    for url in [&keys, &database, &files] {
        plant(url);
    }
    let mut command = command();
    let ended = run(command.args(["check", &keys, &database, &files]), "");
    // On a slow machine a call can be late; what the suite says is not the matter here.
    assert_ne!(ended.code, Some(2), "{}", ended.stderr);
    for url in [&keys, &database, &files] {
        assert_eq!(block_on(open(url).length()).unwrap(), 10, "{}", open(url).name());
    }
    let everything = format!("{}?prefix=c", redis.url());
    assert_eq!(block_on(open(&everything).length()).unwrap(), 0, "no key of the suite is left");
    let entries = std::fs::read_dir(folder.path().join("the sessions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(entries.into_iter().all(|name| !name.to_string_lossy().contains("check")));
    let names = block_on(async {
        let client = cloakroom::mongodb::mongodb::Client::with_uri_str(mongod.url()).await.unwrap();
        client.database("app").list_collection_names().await.unwrap()
    });
    assert!(names.iter().all(|name| !name.contains("check")), "{names:?}");
}
