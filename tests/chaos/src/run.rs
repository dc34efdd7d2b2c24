//! One run: starts the processes, harms the target, gathers what everybody saw, and has it checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cloakroom_test_support::{NodeProgram, unique};
use fastrand::Rng;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    check::{Limits, check},
    clock::now_us,
    history::{Answer, Call, History, Operation, Outcome},
    log,
    nemesis::{Clients, harm},
    plan::Plan,
    process::{Orders, Process, open},
    report::Report,
    target::{DEADLINE_MS, Failure, PROXIES, Target},
    worker::content_of,
};

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program of this package, which is also the worker.
    pub program: PathBuf,
    /// How long it takes, without start and check.
    pub seconds: u64,
    /// The seed of the random numbers. The same seed gives the same faults in the same order; what they hit depends on
    /// the machine.
    pub seed: u64,
    /// Where the history is written, as lines of JSON. `None` to keep it nowhere.
    pub history: Option<PathBuf>,
}

/// The tasks of each process.
const TASKS: usize = 4;
/// How long the processes have to end when the run is over.
const GRACE: Duration = Duration::from_secs(90);

/// Makes a run.
///
/// # Errors
///
/// If something does not start or does not end. A broken promise is not an error: the report has it.
pub fn run(name: &str, target: &mut dyn Target, options: &Options) -> Result<Report, Failure> {
    let mut random = Rng::with_seed(options.seed);
    let folder = tempfile::tempdir()?;
    let node = start_node(target, &folder)?;
    let plan = Plan {
        run: unique("chaos"),
        seed: options.seed,
        end_us: now_us() + options.seconds * 1_000_000,
        hot: 8,
        period_us: 1_500_000,
        cold: 100,
        pause_us: 6_000,
        deadline_ms: DEADLINE_MS,
    };
    let mut crowd = Crowd::start(target, &folder, options, &plan, node)?;
    let (harms, losses) = harm(target, &mut crowd, &mut random, plan.end_us)?;
    let mut history = History { operations: crowd.end()?, losses };
    let over_us = now_us();
    let processes: BTreeSet<String> = history
        .operations
        .iter()
        .map(|operation| operation.process.clone())
        .filter(|process| process.starts_with('r'))
        .collect();
    audit(&mut history, &target.plain_url())?;
    history.losses.extend(target.told()?);
    if let Some(path) = &options.history {
        std::fs::write(path, serde_json::to_vec(&history)?)?;
    }
    let deadline_us = processes.iter().map(|name| (name.clone(), DEADLINE_MS * 1_000));
    let limits = Limits { deadline_us: deadline_us.collect(), over_us };
    let findings = check(&history, &limits);
    Ok(Report::of(name, target, options, &history, &harms, findings))
}

/// A Node.js process, and the file that it writes.
type Node = (NodeProgram, PathBuf);

/// Starts the Node.js process, which takes its time, and then waits for the plan.
fn start_node(target: &dyn Target, folder: &TempDir) -> Result<Option<Node>, Failure> {
    let Some(npm) = target.npm() else { return Ok(None) };
    let log = folder.path().join("n0");
    let orders = json!({
        "process": "n0", "tasks": TASKS, "log": log, "url": npm.url, "store": npm.store,
        "options": npm.options,
    });
    let node = NodeProgram::start("chaos.mjs", &[&orders.to_string()], &[])?;
    Ok(Some((node, log)))
}

/// The client processes.
struct Crowd<'a> {
    options: &'a Options,
    running: Vec<Process>,
    ended: Vec<Process>,
    node: Option<Node>,
}

impl<'a> Crowd<'a> {
    fn start(
        target: &dyn Target,
        folder: &TempDir,
        options: &'a Options,
        plan: &Plan,
        mut node: Option<Node>,
    ) -> Result<Self, Failure> {
        let mut running = Vec::new();
        for number in 0..PROXIES - 1 {
            let process = format!("r{number}");
            let orders = Orders {
                plan: plan.clone(),
                url: target.url(number),
                log: folder.path().join(&process),
                process,
                tasks: TASKS,
            };
            running.push(Process::start(&options.program, number, orders)?);
        }
        if let Some((node, _)) = &mut node {
            let _: serde_json::Value = node.call(serde_json::to_value(plan)?)?;
        }
        Ok(Self { options, running, ended: Vec::new(), node })
    }

    /// Waits for all processes, and reads what they wrote.
    fn end(&mut self) -> Result<Vec<Operation>, Failure> {
        let mut operations = Vec::new();
        if let Some((mut node, log)) = self.node.take() {
            let _: serde_json::Value = node.call("{}")?;
            operations.extend(log::read(&log, "n0", false)?);
        }
        for process in &mut self.running {
            let wait = Duration::from_micros(process.orders.plan.end_us.saturating_sub(now_us()));
            // One that does not end leaves calls that were never answered.
            process.ends_within(wait + GRACE)?;
        }
        for process in self.running.iter().chain(&self.ended) {
            let Orders { log, process: name, .. } = &process.orders;
            operations.extend(log::read(log, name, process.is_killed)?);
        }
        Ok(operations)
    }
}

impl Clients for Crowd<'_> {
    fn names(&self) -> Vec<String> {
        self.running.iter().map(|process| process.orders.process.clone()).collect()
    }

    fn kill_one(&mut self, random: &mut Rng) -> Result<(), Failure> {
        let mut process = self.running.swap_remove(random.usize(..self.running.len()));
        process.kill()?;
        let (number, mut orders) = (process.number, process.orders.clone());
        // A name that no other process has or had: r0, r0b, r0bb.
        orders.process.push('b');
        orders.log.set_file_name(&orders.process);
        self.ended.push(process);
        self.running.push(Process::start(&self.options.program, number, orders)?);
        Ok(())
    }

    fn freeze_one(&mut self, random: &mut Rng, pause: Duration) -> Result<(), Failure> {
        let process = &self.running[random.usize(..self.running.len())];
        process.freeze()?;
        std::thread::sleep(pause);
        Ok(process.thaw()?)
    }
}

/// Reads every session once more, when all processes are gone.
fn audit(history: &mut History, url: &str) -> Result<(), Failure> {
    let sids: BTreeSet<String> =
        history.operations.iter().map(|operation| operation.sid.clone()).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let reads = runtime.block_on(async {
        let sessions = Arc::new(open(url, 30_000)?);
        let mut reads = Vec::new();
        let sids: Vec<String> = sids.into_iter().collect();
        for some in sids.chunks(64) {
            let mut set = tokio::task::JoinSet::new();
            for sid in some.iter().cloned() {
                let sessions = Arc::clone(&sessions);
                set.spawn(async move {
                    let start_us = now_us();
                    let outcome = match sessions.get(&sid).await {
                        Ok(found) => Outcome::Ok(Answer::Found(found.as_ref().map(content_of))),
                        Err(error) => Outcome::Failed(format!("{:?}: {error}", error.kind())),
                    };
                    Operation {
                        process: "audit".to_owned(),
                        sid,
                        start_us,
                        end_us: Some(now_us() + 1),
                        late_us: 0,
                        call: Call::Read,
                        outcome,
                    }
                });
            }
            while let Some(read) = set.join_next().await {
                reads.push(read?);
            }
        }
        Ok::<_, Failure>(reads)
    })?;
    history.operations.extend(reads);
    Ok(())
}

/// How often each error occurred, of the processes that are ours.
pub(crate) fn errors(history: &History) -> BTreeMap<String, usize> {
    let mut errors = BTreeMap::new();
    for operation in &history.operations {
        if let Outcome::Failed(why) | Outcome::Unknown(why) = &operation.outcome {
            let side = if operation.process.starts_with('n') { "npm: " } else { "" };
            *errors.entry(format!("{side}{}", without_ports(why))).or_default() += 1;
        }
    }
    errors
}

/// A text without the ports of this run, so that equal errors are counted as such.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "ADDR" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}
