//! A replica set whose secondary answers and stays behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Error, Mongod,
    mongo_wire::{Bson, ask, is_true},
};

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
}
