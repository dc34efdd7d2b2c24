//! Which slot a key has, and which node has a slot.

use redis::{Arg, Cmd, ServerError, Value};

use crate::{error, target::Address};

/// The number of slots in every cluster.
pub(super) const SLOTS: usize = 16_384;

/// Slots that follow each other and have one owner. Both ends are included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: usize,
    pub(super) last: usize,
    /// The owner's address. `None` if the node that was asked does not know it.
    pub(super) owner: Option<Address>,
}

/// Returns the slot of a key (Redis Cluster Specification, "Key distribution model"): a CRC16 of it, or of its first part
/// in braces if that is not empty.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let [open, close] = *b"{}";
    let in_braces = || {
        let begin = key.iter().position(|byte| *byte == open)? + 1;
        let rest = key.get(begin..)?;
        let end = rest.iter().position(|byte| *byte == close)?;
        rest.get(..end).filter(|part| !part.is_empty())
    };
    crc16::State::<crc16::XMODEM>::calculate(in_braces().unwrap_or(key)) % SLOTS as u16
}

/// Returns the key of a command of ours. Each has one: the first argument, or the third if it runs a script.
pub(super) fn key_of(command: &Cmd) -> &[u8] {
    let mut words = command.args_iter().map(|word| match word {
        Arg::Simple(word) => word,
        _ => b"",
    });
    match words.next() {
        Some(b"EVAL" | b"EVALSHA") => words.nth(2),
        _ => words.next(),
    }
    .unwrap_or_default()
}

/// What a node answers to a command for a key that it does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// Another node has the slot from now on.
    Moved(Address),
    /// The slot is moving, and another node has this key already.
    Ask(Address),
}

impl Redirect {
    /// Reads an error reply, such as `MOVED 3999 127.0.0.1:6381`. Returns `None` for any other.
    pub(super) fn read(refusal: &ServerError, from: &Address) -> Option<Self> {
        let (code, detail) = error::code_and_detail(refusal);
        let redirect = match code {
            "MOVED" => Self::Moved,
            "ASK" => Self::Ask,
            _ => return None,
        };
        let (_, place) = detail.split_once(' ')?;
        let (host, port) = place.trim_end().rsplit_once(':')?;
        address(host, port.parse().ok()?, from).map(redirect)
    }
}

/// Returns the address of a node. Without a host, it is that of the node that says so; with `?`, it is unknown.
fn address(host: &str, port: u16, from: &Address) -> Option<Address> {
    let Address::Tcp { host: same, tls, .. } = from else { return None };
    match host {
        "?" => None,
        "" => Some(Address::Tcp { host: same.clone(), port, tls: *tls }),
        host => Some(Address::Tcp { host: host.to_owned(), port, tls: *tls }),
    }
}

/// Reads the answer to `CLUSTER SLOTS`: for each range, its ends and its nodes, the primary first. Returns `None` for an
/// answer of another form, and for a node that knows of no slot where it is.
pub(super) fn ranges(answer: &Value, from: &Address) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    let mut read = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &range[..] else {
            return None;
        };
        let [host, Value::Int(port), ..] = &primary[..] else { return None };
        let host = match host {
            Value::BulkString(host) => str::from_utf8(host).ok()?,
            Value::SimpleString(host) => host,
            Value::Nil => "",
            _ => return None,
        };
        let owner = address(host, u16::try_from(*port).ok()?, from);
        let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
        read.push(Range { first, last, owner });
    }
    Some(read).filter(|ranges| ranges.iter().any(|range| range.owner.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port, tls: true }
    }

    #[test]
    fn a_key_has_the_slot_that_redis_says() {
        // As `CLUSTER KEYSLOT` of Redis 7.0.15 answers.
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("sess:abc", 4_984),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("foo{bar", 15_278),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn a_command_has_its_key_in_front_or_behind_the_script() {
        for (command, key) in [
            (redis::cmd("GET").arg("a").clone(), "a"),
            (redis::cmd("SET").arg("a").arg("record").arg("NX").clone(), "a"),
            (redis::cmd("EVALSHA").arg("ab12").arg(1).arg("a").arg("record").clone(), "a"),
            (redis::cmd("EVAL").arg("return 1").arg(1).arg("a").clone(), "a"),
            (redis::cmd("PING"), ""),
        ] {
            assert_eq!(key_of(&command), key.as_bytes());
        }
    }

    #[test]
    fn redirects_name_the_other_node() {
        let read = |line: &str| match value(&format!("-{line}\r\n")) {
            Value::ServerError(refusal) => Redirect::read(&refusal, &tcp("here", 1)),
            _ => panic!("{line}"),
        };
        assert_eq!(read("MOVED 3999 10.0.0.2:6381"), Some(Redirect::Moved(tcp("10.0.0.2", 6_381))));
        assert_eq!(read("ASK 3999 node-2:6381"), Some(Redirect::Ask(tcp("node-2", 6_381))));
        assert_eq!(read("MOVED 3999 ::1:6381"), Some(Redirect::Moved(tcp("::1", 6_381))));
        assert_eq!(read("MOVED 3999 :6381"), Some(Redirect::Moved(tcp("here", 6_381))));
        for line in ["MOVED 3999 ?:6381", "MOVED 3999", "MOVED 3999 a:b", "TRYAGAIN a b", "ERR x"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn slots_are_those_of_the_primaries() {
        let from = tcp("here", 1);
        let node = |host: &str, port: u16| format!("*4\r\n{host}\r\n:{port}\r\n$2\r\nid\r\n*0\r\n");
        let bulk = |text: &str| format!("${}\r\n{text}", text.len());
        let answer = format!(
            "*3\r\n*4\r\n:0\r\n:99\r\n{}{}*3\r\n:100\r\n:200\r\n{}*3\r\n:201\r\n:201\r\n{}",
            node(&bulk("10.0.0.1"), 7_000),
            node(&bulk("10.0.0.9"), 7_009),
            node("$-1", 7_001),
            node(&bulk("?"), 7_002),
        );
        assert_eq!(
            ranges(&value(&answer), &from),
            Some(vec![
                Range { first: 0, last: 99, owner: Some(tcp("10.0.0.1", 7_000)) },
                Range { first: 100, last: 200, owner: Some(tcp("here", 7_001)) },
                Range { first: 201, last: 201, owner: None },
            ])
        );
        let unknown = format!("*1\r\n*3\r\n:0\r\n:99\r\n{}", node(&bulk("?"), 7_002));
        for answer in [&*unknown, "*0\r\n", "+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n"] {
            assert_eq!(ranges(&value(answer), &from), None, "{answer}");
        }
    }
}
