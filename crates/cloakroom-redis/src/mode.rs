//! What a server says about itself.

use redis::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Standalone,
    /// A node of a Redis Cluster, which holds a part of the keys.
    Cluster,
    /// A Redis Sentinel, which holds no keys: it watches servers that do.
    Sentinel,
}

/// What is known about a server after the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) mode: Mode,
    pub(crate) is_replica: bool,
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
        Self { mode, is_replica }
    }

    /// Reads the answer to `INFO server`, of one server or of several.
    pub(crate) fn from_info(answer: &Value) -> Self {
        let mode = if says(answer, "redis_mode:cluster") {
            Mode::Cluster
        } else if says(answer, "redis_mode:sentinel") {
            Mode::Sentinel
        } else {
            Mode::Standalone
        };
        Self { mode, is_replica: false }
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
            ("standalone", "master", About { mode: Mode::Standalone, is_replica: false }),
            ("standalone", "replica", About { mode: Mode::Standalone, is_replica: true }),
            ("cluster", "master", About { mode: Mode::Cluster, is_replica: false }),
            ("sentinel", "sentinel", About { mode: Mode::Sentinel, is_replica: false }),
            ("", "", About { mode: Mode::Standalone, is_replica: false }),
        ] {
            let members = format!("+proto\r\n:3\r\n+mode\r\n+{mode}\r\n+role\r\n+{role}\r\n");
            assert_eq!(About::from_hello(&value(&format!("%3\r\n{members}"))), about, "{mode}");
            assert_eq!(About::from_hello(&value(&format!("*6\r\n{members}"))), about, "{mode}");
        }
        assert_eq!(About::from_hello(&value("+OK\r\n")).mode, Mode::Standalone);
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
