//! One operation of one subject.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use cloakroom_bench::{
    Sample,
    commands::{Commands, Counts},
    cpu,
    tasks::{self, Cost, Task},
};

use crate::node::NodeStore;

/// How many tasks use a store at the same time.
pub(crate) const TASKS: usize = 64;
/// How many sessions there are.
pub(crate) const KEYS: usize = 1_000;
/// How many more one task has for itself, to update them: nobody else writes these.
pub(crate) const OWN: usize = 15;

type Running<T = ()> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Subject {
    Rust(Box<dyn Fn(Task) -> Running + Send + Sync>),
    /// It runs the tasks itself.
    Node(Arc<NodeStore>),
}

/// Where cases belong to: a table and the servers behind it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) table: String,
    /// The processes of the servers, if there are any.
    pub(crate) servers: Vec<u32>,
    /// Who the others are compared with.
    pub(crate) base: &'static str,
    count: Arc<dyn Fn() -> Running<Counts> + Send + Sync>,
}

impl Place {
    /// With a function that asks the servers how often they have run each command.
    pub(crate) fn new<F: Future<Output = Counts> + Send + 'static>(
        table: String,
        servers: impl IntoIterator<Item = u32>,
        base: &'static str,
        count: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self {
            table,
            servers: servers.into_iter().collect(),
            base,
            count: Arc::new(move || -> Running<Counts> { Box::pin(count()) }),
        }
    }
}

/// One operation of one subject.
pub(crate) struct Case {
    place: Place,
    work: &'static str,
    name: &'static str,
    subject: Subject,
    commands: Option<&'static str>,
    /// A process that works for it, besides this one.
    process: Option<u32>,
}

impl Case {
    /// An operation in Rust: what a task does until it gets no more keys.
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        place: &Place,
        name: &'static str,
        work: &'static str,
        make: impl Fn(Task) -> F + Send + Sync + 'static,
    ) -> Self {
        let make = move |task| -> Running { Box::pin(make(task)) };
        let subject = Subject::Rust(Box::new(make));
        Self { place: place.clone(), work, name, subject, commands: None, process: None }
    }

    /// An operation of an npm package.
    pub(crate) fn node(place: &Place, store: &Arc<NodeStore>, work: &'static str) -> Self {
        let subject = Subject::Node(Arc::clone(store));
        Self {
            place: place.clone(),
            work,
            name: store.name(),
            subject,
            commands: None,
            process: None,
        }
    }

    /// Declares the commands of an operation, such as `get 1 · set 1`: [`sample`](Self::sample) panics if the server runs
    /// others.
    pub(crate) fn with_commands(self, commands: &'static str) -> Self {
        Self { commands: Some(commands), ..self }
    }

    /// Counts the CPU time of another process, too.
    pub(crate) fn with_process(self, process: Option<u32>) -> Self {
        Self { process, ..self }
    }

    /// Such as `Redis, 20 KB, get, cloakroom`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}, {}, {}", self.place.table, self.work, self.name)
    }

    /// Whether it is ours, or the bare client, and no peer.
    pub(crate) fn is_in_targets(&self) -> bool {
        self.name == self.place.base || self.name.starts_with("cloakroom")
    }

    /// Runs it for this time, and returns how often an operation allocates, if that can be counted.
    pub(crate) async fn warm_up(&self, time: Duration) -> Option<f64> {
        self.run(time).await;
        match &self.subject {
            Subject::Rust(make) => Some(tasks::allocations(TASKS, make).await),
            Subject::Node(_) => None,
        }
    }

    pub(crate) async fn sample(
        &self,
        round: u32,
        time: Duration,
        allocations: Option<f64>,
    ) -> Sample {
        let Place { table, base, count, .. } = &self.place;
        let before = count().await;
        let cost = self.run(time).await;
        let commands = Commands::between(&before, &count().await, cost.operations, 0);
        if let Some(wrong) = self.commands.and_then(|declared| commands.differ_from(declared)) {
            panic!("{}: {} in {table}: {wrong}", self.name, self.work);
        }
        let mut sample =
            Sample::new(table, self.work, self.name, base, round).with("CPU, µs", cost.cpu);
        if !self.place.servers.is_empty() {
            sample = sample.with("server's CPU, µs", cost.server_cpu).with_note(commands.text());
        }
        let sample = sample.with("operations/s", cost.per_second);
        match allocations {
            Some(allocations) => sample.with("allocations", allocations),
            None => sample,
        }
    }

    async fn run(&self, time: Duration) -> Cost {
        match &self.subject {
            Subject::Rust(make) => {
                let of_process = || self.process.map(cpu::of_process).unwrap_or_default();
                let before = of_process();
                let servers = self.place.servers.iter().copied();
                let mut cost = tasks::run(TASKS, time, servers, make).await;
                cost.cpu += (of_process() - before).as_secs_f64() * 1e6 / cost.operations;
                cost
            }
            Subject::Node(store) => store.run(self.work, time, &self.place.servers),
        }
    }
}

/// What a task does with a clone of its own of the client.
pub(crate) fn with_clone<C: Clone, F, R: Fn(C, Task) -> F>(
    client: &C,
    run: R,
) -> impl Fn(Task) -> F + use<C, F, R> {
    let client = client.clone();
    move |task| run(client.clone(), task)
}

/// The session that a task updates in its operation of this number, and the place of that among the task's own.
pub(crate) fn own_key(task: usize, number: u64) -> (usize, usize) {
    let at = usize::try_from(number).expect("64 bits") % OWN;
    (KEYS + task * OWN + at, at)
}

/// The session that a task uses in its operation of this number.
pub(crate) fn key(task: &Task, number: u64) -> usize {
    (task.number() * OWN + usize::try_from(number).expect("64 bits")) % KEYS
}
