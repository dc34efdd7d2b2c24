//! Memcached with little memory, which evicts sessions, and says which.
//!
//! A missing session is the server's loss if the server's own log has its eviction at that time, and ours if not. The log
//! is complete: the server also counts its evictions, and as many have to be in the log.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cloakroom_test_support::Memcached;
use fastrand::Rng;

use super::{Failure, Fault, NpmStore, Single, Target, kinds::single_memcached};
use crate::{
    clock::now_us,
    history::{Loss, Lost},
};

/// Two pages of memory and one for each size of records, in the order of use and without moves between sizes, so that a
/// few megabytes evict every session that was not used since. The log has room for what one step of a fill evicts.
const OPTIONS: [&str; 6] =
    ["-m", "2", "-f", "2", "-o", "no_modern,worker_logbuf_size=4096,watcher_logbuf_size=4096"];
/// How much of each size a step of a fill writes, in bytes.
const STEP: usize = 64 * 1_024;
/// The most that a fill writes. Every size has been written over several times by then.
const MOST: usize = 64 * STEP * SIZES.len();
/// The sizes of values: a session is one of these sizes or between two of them.
const SIZES: [usize; 7] = [64, 128, 256, 512, 1_024, 2_048, 4_096];
/// How long the log may be behind.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far the clock of the log and that of the run may be apart, in microseconds.
const TOLERANCE_US: u64 = 1_000;

/// The server behind proxies, and its log.
pub(super) struct Evicting {
    single: Single,
    addr: String,
    log: Arc<Mutex<Log>>,
}

/// What the server has said since it was started, and which sessions it has evicted since the run began.
#[derive(Default)]
struct Log {
    /// The number of the start, which tells the listeners apart.
    start: usize,
    evictions: u64,
    /// A line that says something else.
    odd: Option<String>,
    losses: Vec<Loss>,
}

impl Evicting {
    pub(super) fn start() -> Result<Self, Failure> {
        let server = Memcached::start_with(&OPTIONS)?;
        let addr = server.addr();
        let evicting = Self { single: single_memcached(server)?, addr, log: Arc::default() };
        evicting.listen()?;
        Ok(evicting)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the log of a server that was just started.
    fn listen(&self) -> Result<(), Failure> {
        let mut lines = Lines::connect(&self.addr)?;
        if lines.ask("watch evictions")? != "OK" {
            return Err("memcached does not say what it evicts".into());
        }
        let start = {
            let mut log = self.log();
            log.start += 1;
            log.evictions = 0;
            log.start
        };
        let log = Arc::clone(&self.log);
        thread::spawn(move || {
            while let Ok(line) = lines.line() {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if log.start != start || line.is_empty() {
                    return;
                }
                match eviction(&line) {
                    Some((key, start_us)) => {
                        log.evictions += 1;
                        let (sid, end_us) = (Some(key.to_owned()), now_us());
                        if !key.starts_with(FILLER) {
                            log.losses.push(Loss { sid, start_us, end_us, lost: Lost::All });
                        }
                    }
                    None => log.odd = Some(line),
                }
            }
        });
        Ok(())
    }

    /// Waits until the log has every eviction that has happened.
    fn catch_up(&self) -> Result<(), Failure> {
        let mut lines = Lines::connect(&self.addr)?;
        lines.send("stats")?;
        let mut happened = 0;
        loop {
            let line = lines.line()?;
            if let Some(count) = line.strip_prefix("STAT evictions ") {
                happened = count.parse()?;
            }
            if line == "END" {
                break;
            }
        }
        let since = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = &log.odd {
                return Err(format!("memcached's log of evictions has {line:?}").into());
            }
            if log.evictions >= happened {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                let seen = log.evictions;
                return Err(format!("the log has {seen} of {happened} evictions").into());
            }
            drop(log);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Writes values of all sizes until sessions were evicted for them.
    fn fill(&self, random: &mut Rng) -> Result<(), Failure> {
        let before = self.log().losses.len();
        let mut lines = Lines::connect(&self.addr)?;
        let mut written = 0;
        while written < MOST && self.log().losses.len() == before {
            for size in SIZES {
                let mut commands = String::new();
                while commands.len() < STEP {
                    let (key, length) = (random.u64(..), size / 2 + random.usize(..size / 2));
                    let value = "x".repeat(length);
                    commands += &format!("set {FILLER}{key} 0 0 {length} noreply\r\n{value}\r\n");
                }
                written += commands.len();
                lines.send(&commands)?;
                // Answered when all of these were carried out.
                lines.ask("mn")?;
                self.catch_up()?;
            }
        }
        Ok(())
    }
}

/// The beginning of the keys that are no sessions.
const FILLER: &str = "filler-";

/// The key of a line of the log, and the time in microseconds from which it may have been evicted.
fn eviction(line: &str) -> Option<(&str, u64)> {
    let value = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name));
    if value("type=")? != "eviction" {
        return None;
    }
    // The time of the day, with six places after the point.
    let at_us: u64 = value("ts=")?.replace('.', "").parse().ok()?;
    let today_us = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_micros();
    let ago_us = u64::try_from(today_us).ok()?.saturating_sub(at_us);
    Some((value("key=")?, now_us().saturating_sub(ago_us + TOLERANCE_US)))
}

/// A connection of Memcached's text protocol.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn connect(addr: &str) -> Result<Self, Failure> {
        Ok(Self(BufReader::new(TcpStream::connect(addr)?)))
    }

    /// Sends a command or several.
    fn send(&mut self, commands: &str) -> Result<(), Failure> {
        let stream = self.0.get_mut();
        stream.write_all(commands.as_bytes())?;
        if !commands.ends_with("\r\n") {
            stream.write_all(b"\r\n")?;
        }
        Ok(())
    }

    /// The next line. Empty if the connection is closed.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn ask(&mut self, command: &str) -> Result<String, Failure> {
        self.send(command)?;
        self.line()
    }
}

impl Target for Evicting {
    fn version(&self) -> String {
        format!("{}, `-m 2`", self.single.version())
    }

    fn url(&self, process: usize) -> String {
        self.single.url(process)
    }

    fn plain_url(&self) -> String {
        self.single.plain_url()
    }

    fn npm(&self) -> Option<NpmStore> {
        self.single.npm()
    }

    fn faults(&self) -> Vec<Fault> {
        // As often as the server is killed and frozen.
        let mut faults = self.single.faults();
        faults.extend([Fault::Fill; 4]);
        faults
    }

    fn loses(&self, fault: Fault) -> Lost {
        if fault == Fault::Fill { Lost::Nothing } else { self.single.loses(fault) }
    }

    fn told(&mut self) -> Result<Vec<Loss>, Failure> {
        self.catch_up()?;
        Ok(self.log().losses.clone())
    }

    fn begin(&mut self, fault: Fault, random: &mut Rng) -> Result<(), Failure> {
        if fault == Fault::Fill {
            return self.fill(random);
        }
        if fault != Fault::Kill {
            return self.single.begin(fault, random);
        }
        self.catch_up()?;
        let start_us = now_us();
        self.single.begin(fault, random)?;
        // What it evicted in its last moments is in no log.
        let end_us = now_us();
        self.log().losses.push(Loss { sid: None, start_us, end_us, lost: Lost::Any });
        Ok(())
    }

    fn end(&mut self, fault: Fault) -> Result<(), Failure> {
        if fault == Fault::Fill {
            return Ok(());
        }
        self.single.end(fault)?;
        if fault == Fault::Kill { self.listen() } else { Ok(()) }
    }
}
