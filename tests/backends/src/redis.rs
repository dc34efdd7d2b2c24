//! Redis, in its own protocol.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};

/// The records under a prefix in Redis.
///
/// It blocks, which is quick on the same machine.
#[derive(Clone, Debug)]
pub struct RawRedis {
    addr: String,
    prefix: String,
}

/// What Redis answers, as far as it is asked here.
enum Answer {
    Status,
    Number(i64),
    Text(Option<Vec<u8>>),
    /// The address of the node that has the key.
    Moved(String),
}

impl RawRedis {
    /// The records under this prefix, on the server at this address.
    pub fn new(addr: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { addr: addr.into(), prefix: prefix.into() }
    }

    /// A node of a cluster may not have the key, and says which one does.
    fn say(&self, words: &[&[u8]]) -> Result<Answer, AccessError> {
        let mut addr = self.addr.clone();
        loop {
            match Self::say_to(&addr, words)? {
                Answer::Moved(to) => addr = to,
                answer => return Ok(answer),
            }
        }
    }

    fn say_to(addr: &str, words: &[&[u8]]) -> Result<Answer, AccessError> {
        let mut stream = BufReader::new(TcpStream::connect(addr)?);
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend(format!("${}\r\n", word.len()).into_bytes());
            command.extend(*word);
            command.extend(b"\r\n");
        }
        stream.get_mut().write_all(&command)?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or("an empty answer")?;
        Ok(match kind {
            "+" => Answer::Status,
            "-" if rest.starts_with("MOVED ") => {
                Answer::Moved(rest.rsplit(' ').next().unwrap_or_default().to_owned())
            }
            ":" => Answer::Number(rest.parse()?),
            "$" if rest == "-1" => Answer::Text(None),
            "$" => {
                let mut text = vec![0; rest.parse()?];
                stream.read_exact(&mut text)?;
                Answer::Text(Some(text))
            }
            _ => return Err(format!("Redis answers {line:?}").into()),
        })
    }

    fn key(&self, sid: &str) -> Vec<u8> {
        format!("{}{sid}", self.prefix).into_bytes()
    }
}

#[async_trait]
impl RawAccess for RawRedis {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        self.say(&[b"SET", &self.key(sid), record.as_bytes(), b"EX", b"7200"]).map(drop)
    }

    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        self.say(&[b"SET", &self.key(sid), record.as_bytes()]).map(|_| true)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        match self.say(&[b"GET", &self.key(sid)])? {
            Answer::Text(text) => Ok(text.map(String::from_utf8).transpose()?),
            _ => Err("GET is not answered with a text".into()),
        }
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        match self.say(&[b"PTTL", &self.key(sid)])? {
            // A negative number is a key without an expiry, or none.
            Answer::Number(ms) => Ok(u64::try_from(ms).ok().map(Duration::from_millis)),
            _ => Err("PTTL is not answered with a number".into()),
        }
    }
}
