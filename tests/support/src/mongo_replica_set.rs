//! A replica set whose secondary answers and stays behind.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Mongod};

/// How long an election and the first copy of the data may take.
const START: Duration = Duration::from_secs(120);

/// The name of the set.
const NAME: &str = "rs";

/// Two `mongod` processes: a primary, and a secondary that votes and never becomes the primary.
///
/// The secondary holds what the set held when it was started, and applies nothing later than that for a day
/// (`secondaryDelaySecs`). So a read that reaches it is stale, whatever the machine's speed, as is one of what a majority
/// has confirmed; and a write that waits for a majority waits in vain: give the URL `w=1`.
///
/// ```no_run
/// # use cloakroom_test_support::{Error, MongoReplicaSet};
/// # fn main() -> Result<(), Error> {
/// let servers = MongoReplicaSet::start()?;
/// let stale = format!("{}&w=1&readPreference=secondary", servers.url("app"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MongoReplicaSet {
    primary: Mongod,
    secondary: Mongod,
}

impl MongoReplicaSet {
    /// A set whose primary takes writes and whose secondary answers reads.
    ///
    /// # Errors
    ///
    /// If `mongod` is missing or does not start, or the set is not ready within two minutes.
    pub fn start() -> Result<Self, Error> {
        // A primary slows down when the others are far behind.
        let start = || {
            Mongod::start_with(&["--replSet", NAME, "--setParameter", "enableFlowControl=false"])
        };
        let (primary, secondary) = (start()?, start()?);
        let member = |id: i32, server: &Mongod, priority: i32, delay: i32| {
            let mut member = Bson::default();
            member.int("_id", id).text("host", &server.addr());
            member.int("priority", priority).int("secondaryDelaySecs", delay);
            member
        };
        let mut members = Bson::default();
        members.document("0", &member(0, &primary, 1, 0));
        members.document("1", &member(1, &secondary, 0, 86_400));
        let mut config = Bson::default();
        config.text("_id", NAME).int("version", 1).array("members", &members);
        let mut initiate = Bson::default();
        initiate.document("replSetInitiate", &config).text("$db", "admin");

        let answer = ask(&primary, &initiate)
            .map_err(|error| Error::new(format!("cannot initiate the replica set: {error}")))?;
        if !is_true(&answer, "ok") {
            let answer = String::from_utf8_lossy(&answer);
            return Err(Error::new(format!("the replica set was refused: {answer}")));
        }
        let set = Self { primary, secondary };
        set.wait_until_ready()?;
        Ok(set)
    }

    /// The URL of a database, to which parameters can be added with `&`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (primary, secondary) = (self.primary.addr(), self.secondary.addr());
        format!("mongodb://{primary},{secondary}/{database}?replicaSet={NAME}")
    }

    /// The server that takes writes.
    #[must_use]
    pub fn primary(&self) -> &Mongod {
        &self.primary
    }

    /// The server that stays behind.
    #[must_use]
    pub fn secondary(&self) -> &Mongod {
        &self.secondary
    }

    fn wait_until_ready(&self) -> Result<(), Error> {
        let mut hello = Bson::default();
        hello.int("hello", 1).text("$db", "admin");
        let since = Instant::now();
        for (server, state) in
            [(&self.primary, "isWritablePrimary"), (&self.secondary, "secondary")]
        {
            while !ask(server, &hello).is_ok_and(|answer| is_true(&answer, state)) {
                if since.elapsed() > START {
                    return Err(Error::new(format!(
                        "no {state} within {} s; the log ends: {}",
                        START.as_secs(),
                        server.log().lines().last().unwrap_or_default(),
                    )));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

/// The answer to a command, as it came.
fn ask(server: &Mongod, command: &Bson) -> io::Result<Vec<u8>> {
    let body = command.finish();
    let length = 21 + body.len();
    // `OP_MSG` (2013) with the request id 1, no flags, and one section of the kind 0.
    let mut message = Vec::with_capacity(length);
    for number in [size(length), 1, 0, 2_013, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);

    let mut stream = UnixStream::connect(socket(server.folder(), server.port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; (u32::from_le_bytes(length) as usize).saturating_sub(4).min(1 << 20)];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn socket(folder: &Path, port: u16) -> std::path::PathBuf {
    folder.join(format!("mongodb-{port}.sock"))
}

/// Whether an answer has this name with `true` or with the double 1.
fn is_true(answer: &[u8], name: &str) -> bool {
    let boolean = [&[8], name.as_bytes(), &[0, 1]].concat();
    let double = [&[1], name.as_bytes(), &[0], &1.0_f64.to_le_bytes()[..]].concat();
    [boolean, double].iter().any(|wanted| answer.windows(wanted.len()).any(|part| part == wanted))
}

fn size(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a command is short")
}

/// A BSON document in the making: what a command needs of it.
#[derive(Debug, Default)]
struct Bson(Vec<u8>);

impl Bson {
    fn int(&mut self, name: &str, value: i32) -> &mut Self {
        self.field(16, name, &value.to_le_bytes())
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let length = size(value.len() + 1).to_le_bytes();
        self.field(2, name, &[&length, value.as_bytes(), &[0]].concat())
    }

    fn document(&mut self, name: &str, value: &Self) -> &mut Self {
        self.field(3, name, &value.finish())
    }

    fn array(&mut self, name: &str, value: &Self) -> &mut Self {
        self.field(4, name, &value.finish())
    }

    fn field(&mut self, kind: u8, name: &str, value: &[u8]) -> &mut Self {
        self.0.push(kind);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.extend(value);
        self
    }

    fn finish(&self) -> Vec<u8> {
        [&size(self.0.len() + 5).to_le_bytes()[..], &self.0, &[0]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs mongod"]
    fn a_set_has_a_primary_and_a_secondary() {
        let set = MongoReplicaSet::start().unwrap();
        assert!(set.url("app").ends_with("/app?replicaSet=rs"));
        assert_ne!(set.primary().port(), set.secondary().port());
    }

    #[test]
    fn a_command_is_bson() {
        let mut command = Bson::default();
        command.int("hello", 1).text("$db", "admin");
        // The length and the end are those of the document in the question that every `mongod` is asked first.
        assert_eq!(command.finish().len(), 31);
        assert!(is_true(b"..\x08secondary\0\x01..", "secondary"));
        assert!(!is_true(b"..\x08secondary\0\0..", "secondary"));
    }
}
