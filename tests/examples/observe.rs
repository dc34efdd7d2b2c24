//! The example `observe`: what its log and its page of metrics say of a visit.

use std::{thread::sleep, time::Duration};

use cloakroom_test_support::{Example, RedisServer};

use crate::served::Browser;

/// Visits the example, and returns its log and its metrics.
fn visit(app: &Example) -> (String, String) {
    let mut ann = Browser::new(app.url());
    let mut ids = Vec::new();
    let mut visit = |ann: &mut Browser, path: &str| {
        let (status, _) = if path == "/" { ann.get(path) } else { ann.post(path, &[]) };
        assert!(status == 200 || status == 303, "{path}: {status}");
        ids.extend(
            ann.cookie.split("s%3A").nth(1).map(|id| id.split('.').next().unwrap().to_owned()),
        );
    };
    for path in ["/", "/", "/login", "/logout"] {
        visit(&mut ann, path);
    }
    ann.cookie = "connect.sid=s%3Aforged.signature".to_owned();
    visit(&mut ann, "/");
    let (status, metrics) = ann.get("/metrics");
    assert_eq!(status, 200);
    // The log is another program's file, so its last line can take a moment.
    let mut log = app.log();
    while !log.contains("cookie_refused") && !log.contains("leads to no session") {
        sleep(Duration::from_millis(10));
        log = app.log();
    }
    assert!(ids.len() >= 3, "{ids:?}");
    for secret in ids.iter().map(String::as_str).chain(["keyboard cat", "connect.sid", "forged"]) {
        assert!(!log.contains(secret) && !metrics.contains(secret), "{secret} is shown");
    }
    (log, metrics)
}

/// The sum of a metric's series that have these labels.
fn sum(metrics: &str, name: &str, labels: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(labels));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn check(log: &str, metrics: &str, store: &str) {
    for (event, count) in [
        ("a session was created", 2),
        ("a session moved to a new id", 1),
        ("a session was destroyed", 1),
        ("the request's cookie leads to no session", 1),
    ] {
        assert_eq!(
            log.lines().filter(|line| line.contains(event)).count(),
            count,
            "{event}: {log}"
        );
    }
    let line = log.lines().find(|line| line.contains("cloakroom.store")).unwrap();
    for part in
        [&*format!("db.system.name=\"{store}\""), "session.hash=", "tries=1", "outcome=\"ok\""]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    for (name, count) in [("created", 2), ("moved", 1), ("destroyed", 1)] {
        let name = format!("cloakroom_sessions_{name}_total{{");
        assert_eq!(sum(metrics, &name, &format!("store=\"{store}\"")), count, "{name}: {metrics}");
    }
    assert_eq!(sum(metrics, "cloakroom_cookies_refused_total{", "reason=\"not_verified\""), 1);
    let operations = sum(metrics, "cloakroom_store_operations_total{", "");
    let durations = sum(metrics, "cloakroom_store_operation_duration_seconds_count{", "");
    assert!(operations > 4 && operations == durations, "{operations} and {durations}");
    let bucket = "cloakroom_store_operation_duration_seconds_bucket{";
    assert!(sum(metrics, bucket, "le=\"10\"") > 0, "{metrics}");
    assert!(metrics.contains("# HELP cloakroom_store_operations_total operations of the store"));
}

#[test]
fn a_visit_can_be_read_in_the_log_and_counted_on_the_page() {
    let app = Example::start("observe", &[]).unwrap();
    let (log, metrics) = visit(&app);
    check(&log, &metrics, "memory");
}

#[test]
#[ignore = "needs redis-server"]
fn with_redis_the_log_says_where_it_connects() {
    let server = RedisServer::start().unwrap();
    let app = Example::start("observe", &[&server.url()]).unwrap();
    let (log, metrics) = visit(&app);
    check(&log, &metrics, "redis");
    let connected = log.lines().find(|line| line.contains("connected")).unwrap();
    assert!(connected.contains(&server.addr()), "{connected}");
    assert!(log.contains(&format!("server.port={}", server.port())), "{log}");
    assert_eq!(sum(&metrics, "cloakroom_connections_total{", "store=\"redis\""), 1);
}
