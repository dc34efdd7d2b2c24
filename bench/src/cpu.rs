//! CPU time, and the core that a process runs on.

use std::{
    process::{self, Command, Stdio},
    thread,
    time::Duration,
};

/// The core on which a subject runs.
pub const SUBJECT: usize = 1;
/// The core of everything else: the servers behind a subject, and the load generator.
pub const OTHERS: usize = 0;

/// The CPU time of a process so far, of all its threads, ended ones too. Zero if it does not run.
pub fn of_process(id: u32) -> Duration {
    let mut clock = 0;
    let id = libc::pid_t::try_from(id).expect("ids of processes are small");
    // SAFETY: it writes to `clock`, which is there.
    match unsafe { libc::clock_getcpuclockid(id, &raw mut clock) } {
        0 => read(clock),
        _ => Duration::ZERO,
    }
}

/// The CPU time of several processes so far, added up.
pub fn of_processes(ids: impl IntoIterator<Item = u32>) -> Duration {
    ids.into_iter().map(of_process).sum()
}

/// The CPU time of this process so far.
pub fn of_this_process() -> Duration {
    of_process(process::id())
}

/// The CPU time of this thread so far.
pub fn of_this_thread() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `time`, which is there.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Keeps a process that runs, with all its threads, on a core. Does nothing where there is one core only.
pub fn pin(id: u32, core: usize) {
    if is_pinned() {
        let mut taskset = Command::new("taskset");
        taskset.args(["--all-tasks", "--cpu-list", "--pid", &core.to_string(), &id.to_string()]);
        // It complains about threads that end in the meantime.
        let _ = taskset.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// A command that runs a program on a core, so that it sees one core and starts one worker.
pub fn on_core(core: usize, program: &str) -> Command {
    if !is_pinned() {
        return Command::new(program);
    }
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", &core.to_string(), program]);
    taskset
}

fn is_pinned() -> bool {
    // This process may itself be pinned to one of them.
    let file = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    file.contains(['-', ',']) || thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}
