//! Client processes: the program of this package as a worker.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use cloakroom::{ExpressSession, ExpressSessionOptions};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::{
    clock::{Lateness, now_us},
    log::LogFile,
    plan::Plan,
    target::Failure,
    worker::{Time, Worker},
};

/// What a worker process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) plan: Plan,
    pub(crate) url: String,
    pub(crate) process: String,
    pub(crate) tasks: usize,
    pub(crate) log: PathBuf,
}

/// A worker process. It is killed when this is dropped, and when this process ends.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) orders: Orders,
    pub(crate) number: usize,
    pub(crate) is_killed: bool,
}

impl Process {
    pub(crate) fn start(program: &Path, number: usize, orders: Orders) -> Result<Self, Failure> {
        let child = Command::new(program)
            .arg("worker")
            .arg(serde_json::to_string(&orders)?)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self { child, orders, number, is_killed: false })
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.is_killed = true;
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.ok_or_else(|| io::Error::other("no process id"))?, signal)?)
    }

    /// Waits until the process has ended by itself. `false` if it has not after that time.
    pub(crate) fn ends_within(&mut self, patience: Duration) -> io::Result<bool> {
        let since = Instant::now();
        while since.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                if status.success() || self.is_killed {
                    return Ok(true);
                }
                return Err(io::Error::other(format!("a worker ended: {status}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clock of the machine.
pub(crate) struct RealTime(Lateness);

impl RealTime {
    pub(crate) fn start() -> Self {
        Self(Lateness::start())
    }
}

impl Time for RealTime {
    fn now_us(&self) -> u64 {
        now_us()
    }

    fn late_us(&self, since_us: u64) -> u64 {
        self.0.since(since_us)
    }
}

/// Runs the tasks of a worker process, until the run is over.
///
/// # Errors
///
/// If the orders cannot be carried out.
pub fn work(orders: &str) -> Result<(), Failure> {
    // Not even a frozen process outlives the run.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let orders: Orders = serde_json::from_str(orders)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let sessions = open(&orders.url, orders.plan.deadline_ms)?;
        let sink = Arc::new(LogFile::create(&orders.log)?);
        let time = Arc::new(RealTime::start());
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..orders.tasks {
            let name = format!("{}t{number}", orders.process);
            let (sink, time) = (Arc::clone(&sink) as _, Arc::clone(&time) as _);
            let worker = Worker::new(sessions.clone(), orders.plan.clone(), name, sink, time)?;
            tasks.spawn(worker.run());
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(())
    })
}

/// A handle with this deadline.
pub(crate) fn open(url: &str, deadline_ms: u64) -> Result<ExpressSession, Failure> {
    let options =
        ExpressSessionOptions::default().with_deadline(Duration::from_millis(deadline_ms));
    Ok(ExpressSession::with_options(cloakroom::open(url)?, options))
}
