//! A replica set of three that elects its primary.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use crate::{
    Error, Mongod,
    mongo_wire::{Bson, ask, ask_within, is_true},
};

/// How long an election and the first copy of the data may take.
const START: Duration = Duration::from_secs(180);

/// The name of the set.
const NAME: &str = "three";

/// Three `mongod` processes, any of which can become the primary.
///
/// ```no_run
/// # use std::time::Duration;
/// # use cloakroom_test_support::{Error, MongoThree};
/// # fn main() -> Result<(), Error> {
/// let mut servers = MongoThree::start(Duration::from_secs(1))?;
/// let url = servers.url("app");
/// let primary = servers.primary()?;
/// servers.server(primary).stop();
/// // A second or two later, another one is the primary.
/// assert_ne!(servers.primary()?, primary);
/// servers.server(primary).restart()?;
/// servers.wait_until_whole()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MongoThree {
    servers: [Mongod; 3],
    hosts: [String; 3],
}

impl MongoThree {
    /// A set with a primary and two secondaries, which elect another primary after they have missed theirs for
    /// `election`. MongoDB's default is 10 seconds.
    ///
    /// # Errors
    ///
    /// If `mongod` is missing or does not start, or the set is not ready within three minutes.
    ///
    /// # Panics
    ///
    /// If `election` is longer than 24 days.
    pub fn start(election: Duration) -> Result<Self, Error> {
        Self::start_behind(election, |server| Ok(server.addr()))
    }

    /// The same set, whose members and clients know each server by the address that `host` returns for it.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and those of `host`.
    ///
    /// # Panics
    ///
    /// If `election` is longer than 24 days.
    pub fn start_behind(
        election: Duration,
        mut host: impl FnMut(&Mongod) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let start =
            || Mongod::start_with(&["--replSet", NAME, "--setParameter", "enableTestCommands=1"]);
        let servers = thread::scope(|scope| {
            let threads = [(); 3].map(|()| scope.spawn(start));
            let servers = threads.map(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::new("a start panicked")))
            });
            let [first, second, third] = servers;
            Ok::<_, Error>([first?, second?, third?])
        })?;
        let [first, second, third] = &servers;
        let hosts = [host(first)?, host(second)?, host(third)?];
        let mut members = Bson::default();
        for (id, host) in (0..).zip(&hosts) {
            let mut member = Bson::default();
            member.int("_id", id).text("host", host);
            members.document(&id.to_string(), &member);
        }
        let election = i32::try_from(election.as_millis()).unwrap_or(i32::MAX);
        let mut settings = Bson::default();
        settings.int("electionTimeoutMillis", election);
        settings.int("heartbeatIntervalMillis", election / 5);
        let mut config = Bson::default();
        config.text("_id", NAME).int("version", 1).array("members", &members);
        config.document("settings", &settings);
        let mut initiate = Bson::default();
        initiate.document("replSetInitiate", &config).text("$db", "admin");
        let set = Self { servers, hosts };
        set.say(0, &initiate)?;
        set.wait_until_whole()?;
        Ok(set)
    }

    /// The URL of a database, to which parameters can be added with `&`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mongodb://{}/{database}?replicaSet={NAME}", self.hosts.join(","))
    }

    /// One of the servers, by its place.
    ///
    /// # Panics
    ///
    /// If the place is not 0, 1 or 2.
    pub fn server(&mut self, place: usize) -> &mut Mongod {
        &mut self.servers[place]
    }

    /// The place of the primary, as soon as there is one. Frozen servers are ignored.
    ///
    /// # Errors
    ///
    /// If that takes more than three minutes.
    pub fn primary(&self) -> Result<usize, Error> {
        self.wait("primary", || (0..3).find(|place| self.is(*place, "isWritablePrimary")))
    }

    /// Waits until there is a primary and both others follow it.
    ///
    /// # Errors
    ///
    /// If that takes more than three minutes.
    pub fn wait_until_whole(&self) -> Result<(), Error> {
        self.wait("set of three", || {
            let primary = (0..3).find(|place| self.is(*place, "isWritablePrimary"))?;
            (0..3).all(|place| place == primary || self.is(place, "secondary")).then_some(())
        })
    }

    /// Waits until no server that answers is the primary.
    ///
    /// # Errors
    ///
    /// If that takes more than three minutes.
    pub fn wait_until_without_primary(&self) -> Result<(), Error> {
        let is_primary = |place| self.is(place, "isWritablePrimary");
        self.wait("end of the primary", || (!(0..3).any(is_primary)).then_some(()))
    }

    /// Lets the primary hand over to a secondary, which it chooses.
    ///
    /// # Errors
    ///
    /// If it refuses.
    pub fn step_down(&self) -> Result<(), Error> {
        let mut command = Bson::default();
        command
            .int("replSetStepDown", 10)
            .int("secondaryCatchUpPeriodSecs", 5)
            .text("$db", "admin");
        self.say(self.primary()?, &command)
    }

    /// Lets a secondary stand for election at once, until it is the primary.
    ///
    /// # Errors
    ///
    /// If it is not elected within three minutes.
    pub fn step_up(&self, place: usize) -> Result<(), Error> {
        let mut command = Bson::default();
        command.int("replSetStepUp", 1).text("$db", "admin");
        self.wait("primary where it was wanted", || {
            let _ = self.say(place, &command);
            self.is(place, "isWritablePrimary").then_some(())
        })
    }

    /// Makes the next write on the primary that can be retried close its connection once it is done.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn lose_next_answer(&self) -> Result<(), Error> {
        let (mut mode, mut data) = (Bson::default(), Bson::default());
        mode.int("times", 1);
        data.boolean("closeConnection", true);
        let mut command = Bson::default();
        command.text("configureFailPoint", "onPrimaryTransactionalWrite");
        command.document("mode", &mode).document("data", &data).text("$db", "admin");
        self.say(self.primary()?, &command)
    }

    /// Lets a secondary ignore what the primary has written, while it still votes, or follow it again.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn replicate(&self, place: usize, does: bool) -> Result<(), Error> {
        let mut command = Bson::default();
        command.text("configureFailPoint", "stopReplProducer");
        command.text("mode", if does { "off" } else { "alwaysOn" }).text("$db", "admin");
        self.say(place, &command)
    }

    fn is(&self, place: usize, role: &str) -> bool {
        let mut hello = Bson::default();
        hello.int("hello", 1).text("$db", "admin");
        let answer = self
            .running(place)
            .and_then(|server| ask_within(server, &hello, Duration::from_secs(1)).ok());
        answer.is_some_and(|answer| is_true(&answer, role))
    }

    /// The server, unless it is stopped.
    fn running(&self, place: usize) -> Option<&Mongod> {
        self.servers.get(place).filter(|server| server.id().is_some())
    }

    fn say(&self, place: usize, command: &Bson) -> Result<(), Error> {
        let answer = self
            .running(place)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
            .and_then(|server| ask(server, command))
            .map_err(|error| Error::new(format!("a member of the set does not answer: {error}")))?;
        if is_true(&answer, "ok") {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(&answer);
        Err(Error::new(format!("a member of the set refused: {answer}")))
    }

    fn wait<T>(&self, what: &str, ready: impl Fn() -> Option<T>) -> Result<T, Error> {
        let since = Instant::now();
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if since.elapsed() > START {
                let logs = self.servers.each_ref().map(Mongod::log);
                let ends = logs.each_ref().map(|log| log.lines().last().unwrap_or_default());
                return Err(Error::new(format!(
                    "no {what} within {} s; the logs end: {}",
                    START.as_secs(),
                    ends.join("; "),
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stopwatch;

    #[test]
    #[ignore = "needs mongod"]
    fn a_set_elects_another_primary_when_its_own_is_gone() {
        let mut set = MongoThree::start(Duration::from_secs(1)).unwrap();
        let first = set.primary().unwrap();
        set.server(first).stop();
        let watch = Stopwatch::start();
        let second = set.primary().unwrap();
        assert_ne!(first, second);
        println!("another primary after {:?}", watch.elapsed());
        set.server(first).restart().unwrap();
        set.wait_until_whole().unwrap();
        set.step_down().unwrap();
        assert_ne!(set.primary().unwrap(), second);
        set.wait_until_whole().unwrap();
        set.step_up(second).unwrap();
        assert_eq!(set.primary().unwrap(), second);
    }
}
