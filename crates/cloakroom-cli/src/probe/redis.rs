//! Redis and Valkey, by `INFO` and `TIME`.

use redis::{Client, Value};

use super::{Facts, rest};
use crate::{stores::scheme, url::parameter};

/// Of a cluster it asks the node that is named first. TLS and sentinels are left to the store.
pub(super) async fn ask(url: &str) -> Option<Facts> {
    let scheme = scheme(url).replace("valkey", "redis");
    let rest = rest(url);
    let address = match &*scheme {
        "redis" => format!("redis://{rest}"),
        "redis+cluster" => {
            let (login, hosts) = rest.rsplit_once('@').map_or(("", &*rest), |(l, h)| (l, h));
            let host = hosts.split([',', '/']).next()?;
            let at = if login.is_empty() { "" } else { "@" };
            format!("redis://{login}{at}{host}")
        }
        "unix" | "redis+unix" => {
            let login: Vec<String> = [("db", "db"), ("user", "user"), ("password", "pass")]
                .iter()
                .filter_map(|(ours, theirs)| Some(format!("{theirs}={}", parameter(url, ours)?)))
                .collect();
            format!("redis+unix://{rest}?{}", login.join("&"))
        }
        _ => return None,
    };
    let mut connection =
        Client::open(address).ok()?.get_multiplexed_async_connection().await.ok()?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await.ok()?;
    let time: Option<Value> = redis::cmd("TIME").query_async(&mut connection).await.ok();
    Some(facts(&info, time.and_then(clock_ms)))
}

fn clock_ms(time: Value) -> Option<i64> {
    let (seconds, micros): (i64, i64) = redis::from_redis_value(time).ok()?;
    Some(seconds * 1_000 + micros / 1_000)
}

fn facts(info: &str, clock_ms: Option<i64>) -> Facts {
    let field = |name: &str| {
        let value =
            |line: &str| Some(line.trim().strip_prefix(name)?.strip_prefix(':')?.to_owned());
        info.lines().find_map(value)
    };
    let server = match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, version) => format!("Redis {}", version.unwrap_or_default()),
    };
    let mut notes = Vec::new();
    if let Some(policy) = field("maxmemory_policy") {
        let has_limit = field("maxmemory").is_some_and(|limit| limit != "0");
        // Any policy but these can take a session that is in use.
        let is_safe = !has_limit || policy == "noeviction";
        let limit = if has_limit { "when the memory is full" } else { "but memory has no limit" };
        notes.push(("eviction", format!("{policy}, {limit}"), !is_safe));
    }
    if let Some(role) = field("role") {
        notes.push(("role", role.clone(), role != "master"));
    }
    Facts {
        server,
        mode: field("redis_mode").or(field("server_mode")),
        operations: field("total_commands_processed").and_then(|count| count.parse().ok()),
        clock_ms,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_info_says_is_read() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\ntotal_commands_processed:17\r\n";
        let told = facts(info, None);
        assert_eq!((&*told.server, told.operations), ("Redis 7.0.15", Some(17)));
        assert_eq!(told.mode.as_deref(), Some("standalone"));
        assert!(told.notes.iter().all(|(_, _, is_problem)| !is_problem));
        let told = facts(
            "valkey_version:9.1.2\nredis_version:7.2.4\nmaxmemory:9\nmaxmemory_policy:allkeys-lru\nrole:slave\n",
            None,
        );
        assert_eq!(told.server, "Valkey 9.1.2");
        assert_eq!(told.notes.iter().filter(|(_, _, is_problem)| *is_problem).count(), 2);
    }
}
