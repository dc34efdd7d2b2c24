//! What a server says about itself.

use redis::Value;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Standalone,
    /// A node of a Redis Cluster, which holds a part of the keys.
    Cluster,
    /// A Redis Sentinel, which holds no keys: it watches servers that do.
    Sentinel,
}

/// What is known about a server after the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) mode: Mode,
    pub(crate) is_replica: bool,
    /// Whether `SET` has the option `IFEQ`. A server of another name is not trusted with it: one that ignores options that
    /// it does not know would overwrite other writers' records.
    pub(crate) has_ifeq: bool,
}

impl About {
    /// Reads the answer to `HELLO`: a map, or in RESP2 a list of names and values.
    pub(crate) fn from_hello(answer: &Value) -> Self {
        let list = |pairs: &[Value], name: &str| {
            pairs.chunks_exact(2).find(|pair| is(&pair[0], name)).map(|pair| pair[1].clone())
        };
        let member = |name: &str| match answer {
            Value::Map(pairs) => {
                pairs.iter().find(|(key, _)| is(key, name)).map(|(_, value)| value.clone())
            }
            Value::Array(pairs) => list(pairs, name),
            _ => None,
        };
        let mode = match member("mode") {
            Some(mode) if is(&mode, "cluster") => Mode::Cluster,
            Some(mode) if is(&mode, "sentinel") => Mode::Sentinel,
            // Servers that resemble Redis may not send it.
            _ => Mode::Standalone,
        };
        let is_replica =
            member("role").is_some_and(|role| is(&role, "replica") || is(&role, "slave"));
        let version = member("version").and_then(|version| numbers(&version));
        let has_ifeq = match member("server") {
            Some(server) if is(&server, "redis") => version >= Some((8, 4)),
            Some(server) if is(&server, "valkey") => version >= Some((8, 1)),
            _ => false,
        };
        Self { mode, is_replica, has_ifeq }
    }

    /// Reads the answer to `INFO`, of one server or of several.
    pub(crate) fn from_info(answer: &Value) -> Self {
        let mode = if says(answer, "redis_mode:cluster") {
            Mode::Cluster
        } else if says(answer, "redis_mode:sentinel") {
            Mode::Sentinel
        } else {
            Mode::Standalone
        };
        // A server that does not know `HELLO` does not know `IFEQ` either.
        Self { mode, is_replica: says(answer, "role:slave"), has_ifeq: false }
    }
}

fn text(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.as_bytes(),
        _ => b"",
    }
}

fn is(value: &Value, word: &str) -> bool {
    text(value) == word.as_bytes()
}

/// Returns the first two numbers of a version.
fn numbers(version: &Value) -> Option<(u32, u32)> {
    let mut numbers = str::from_utf8(text(version)).ok()?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Returns true if one line of the answer is this. A connection to several servers returns one text for each.
fn says(value: &Value, line: &str) -> bool {
    match value {
        Value::Map(pairs) => pairs.iter().any(|(_, value)| says(value, line)),
        Value::Array(values) => values.iter().any(|value| says(value, line)),
        value => {
            text(value).split(|byte| *byte == b'\n').any(|of| of.trim_ascii() == line.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    #[test]
    fn hello_tells_the_mode_and_the_role_in_both_protocols() {
        for (mode, role, about) in [
            ("standalone", "master", About::default()),
            ("standalone", "replica", About { is_replica: true, ..About::default() }),
            ("cluster", "master", About { mode: Mode::Cluster, ..About::default() }),
            ("sentinel", "sentinel", About { mode: Mode::Sentinel, ..About::default() }),
            ("", "", About::default()),
        ] {
            let members = format!("+proto\r\n:3\r\n+mode\r\n+{mode}\r\n+role\r\n+{role}\r\n");
            assert_eq!(About::from_hello(&value(&format!("%3\r\n{members}"))), about, "{mode}");
            assert_eq!(About::from_hello(&value(&format!("*6\r\n{members}"))), about, "{mode}");
        }
        assert_eq!(About::from_hello(&value("+OK\r\n")).mode, Mode::Standalone);
    }

    #[test]
    fn hello_tells_whether_a_value_can_be_compared() {
        for (server, version, has_ifeq) in [
            ("redis", "8.4.0", true),
            ("redis", "8.10.1", true),
            ("redis", "10.0.0", true),
            ("redis", "8.3.9", false),
            ("redis", "7.0.15", false),
            ("redis", "8", false),
            ("redis", "", false),
            ("valkey", "8.1.0", true),
            ("valkey", "9.1.2", true),
            ("valkey", "8.0.7", false),
            ("other", "9.0.0", false),
        ] {
            let members = format!("+server\r\n+{server}\r\n+version\r\n+{version}\r\n");
            let about = About::from_hello(&value(&format!("%2\r\n{members}")));
            assert_eq!(about.has_ifeq, has_ifeq, "{server} {version}");
        }
    }

    #[test]
    fn info_tells_the_mode() {
        for (info, mode) in [
            ("# Server\r\nredis_version:5.0.1\r\nredis_mode:cluster\r\nos:x\r\n", Mode::Cluster),
            ("redis_mode:sentinel\r\n", Mode::Sentinel),
            ("redis_mode:standalone\r\n", Mode::Standalone),
            ("my_redis_mode:cluster\r\n", Mode::Standalone),
            ("", Mode::Standalone),
        ] {
            let bulk = format!("${}\r\n{info}\r\n", info.len());
            assert_eq!(About::from_info(&value(&bulk)).mode, mode, "{info}");
            let of_nodes = format!("%1\r\n+127.0.0.1:1\r\n{bulk}");
            assert_eq!(About::from_info(&value(&of_nodes)).mode, mode, "{info}");
        }
    }
}
