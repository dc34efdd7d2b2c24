//! A child process, and the threads that read from it and write to it.

use std::{
    io::{self, BufReader, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{self, Child, Command, Stdio},
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cloakroom_core::ErrorKind;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    calls::Sent,
    event::NodeEvent,
    frame::{self, Answer, Frame},
    operation::Operation,
    reply::{Reply, parse},
    settings::Settings,
    state::{ENDED, End, Shared, State, fail, sheltered},
};

/// The program of the child, in one scope.
const PROGRAM: &str = concat!(
    include_str!("child/main.js"),
    include_str!("child/session.js"),
    include_str!("child/calls.js"),
    include_str!("child/parameters.js"),
    include_str!("child/open.js"),
);

/// How much is written at a time.
const BATCH: usize = 64 * 1_024;

/// What a frame of the child may have besides a record.
const BESIDE_RECORD: u64 = 1_024 * 1_024;

/// A child that runs. When it is dropped, it is killed, with all processes that it has started.
pub(crate) struct Running {
    child: Child,
    /// How it ended, once it was waited for.
    status: Option<String>,
    socket: UnixStream,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a child. Its threads note in the state when it is ready and when it has ended.
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self, End> {
        let failed = |error: io::Error| {
            End::new(ErrorKind::Unavailable, format!("cannot start Node.js: {}", error.kind()))
        };
        let settings = &shared.settings;
        if !settings.folder.is_dir() {
            let message = format!("there is no folder {:?}", settings.folder);
            return Err(End::new(ErrorKind::Config, message));
        }
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let child = command(settings, theirs).map_err(failed)?.spawn().map_err(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return failed(error);
            }
            let message = format!(
                "there is no program {:?}: install Node.js 20 or newer, or name its path with `node`",
                settings.node
            );
            End::new(ErrorKind::Config, message)
        })?;
        let mut running = Self { child, status: None, socket: ours, threads: Vec::new() };
        // If one of these fails, dropping it kills the child.
        let (reads, writes) = running.clones().map_err(failed)?;
        running.spawn("reader", shared, |shared| read(shared, reads)).map_err(failed)?;
        running.spawn("writer", shared, |shared| write(shared, writes)).map_err(failed)?;
        Ok(running)
    }

    fn clones(&self) -> io::Result<(UnixStream, UnixStream)> {
        Ok((self.socket.try_clone()?, self.socket.try_clone()?))
    }

    fn spawn(
        &mut self,
        name: &str,
        shared: &Arc<Shared>,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().name(format!("cloakroom-node {name}"));
        self.threads.push(thread.spawn(move || work(&shared))?);
        Ok(())
    }

    /// Lets the child finish what it has begun, for at most `limit`. It is not waited for: until then, the number of its
    /// group cannot be that of another one.
    pub(crate) fn finish(&self, shared: &Shared, limit: Duration) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let runs =
            |state: &mut State| state.child.as_ref().is_some_and(|child| child.end.is_none());
        drop(shared.supervise.wait_timeout_while(shared.lock(), limit, runs));
    }

    /// Ends the child and its threads, and returns how it ended. Nothing may be locked.
    pub(crate) fn end(mut self, shared: &Shared) -> String {
        let status = self.kill();
        shared.lock().child = None;
        shared.write.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        status
    }

    fn kill(&mut self) -> String {
        if let Some(status) = &self.status {
            return status.clone();
        }
        // The group before the child is waited for: until then, its number cannot be that of another group.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        let status = self.child.wait().map_or_else(|_| "unknown".to_owned(), |s| s.to_string());
        self.status = Some(status.clone());
        // A process that has left the group may still hold the other end.
        let _ = self.socket.shutdown(Shutdown::Both);
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(settings: &Settings, socket: UnixStream) -> io::Result<Command> {
    let mut command = Command::new(&settings.node);
    command
        .args(["--input-type=commonjs", "-e", PROGRAM])
        .current_dir(&settings.folder)
        .envs(settings.environment.iter().map(|(name, value)| (name, value)))
        .stdin(OwnedFd::from(socket))
        .stdout(output(settings)?)
        .stderr(output(settings)?)
        // A group of its own: Ctrl-C at the terminal is for the application, which may still need the store. And a
        // child that is stopped when the application ends gets a SIGHUP from the system, which ends it.
        .process_group(0);
    Ok(command)
}

fn output(settings: &Settings) -> io::Result<Stdio> {
    if !settings.shows_output {
        return Ok(Stdio::null());
    }
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

/// Writes calls to the child until it ends.
fn write(shared: &Shared, mut to: UnixStream) {
    let mut bytes = Vec::new();
    // Not that of the builder: a process can fork before its first call.
    frame::start(&mut bytes, process::id(), &shared.settings.start);
    while to.write_all(&bytes).is_ok() {
        bytes.clear();
        // A large batch is not kept for ever.
        bytes.shrink_to(2 * BATCH);
        let Some((asks, sent, started)) = next(shared) else { return };
        if asks {
            frame::ping(&mut bytes);
        }
        for call in sent {
            frame::call(&mut bytes, call.number, call.operation.code(), &call.sid, &call.record);
        }
        for reply in started {
            sheltered(|| reply.answer(&shared.settings, Operation::Start, Answer::Done));
        }
    }
}

/// Waits for something to write: the question whether the child runs, or calls. Returns `None` once it has ended.
fn next(shared: &Shared) -> Option<(bool, Vec<Sent>, Vec<Reply>)> {
    let mut state = shared.lock();
    loop {
        let State { calls, child, .. } = &mut *state;
        let child = child.as_mut().filter(|child| child.end.is_none())?;
        let asks = std::mem::take(&mut child.asks);
        if child.is_ready && calls.can_send() {
            let (sent, started) = calls.send(BATCH);
            if !sent.is_empty() {
                child.silent_since.get_or_insert_with(Instant::now);
            }
            return Some((asks, sent, started));
        }
        if asks {
            return Some((asks, Vec::new(), Vec::new()));
        }
        state = shared.write.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Reads what the child says until it ends.
fn read(shared: &Shared, from: UnixStream) {
    let most = shared.settings.max_record.saturating_add(BESIDE_RECORD);
    let mut from = BufReader::with_capacity(BATCH, from);
    let end = loop {
        match frame::read(&mut from, most) {
            Ok(Some(frame)) => {
                if let Some(end) = take(shared, frame) {
                    break end;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                break End::new(ErrorKind::Other, "the Node.js process sent what is not a frame");
            }
            Ok(None) | Err(_) => break End::new(ErrorKind::Unavailable, ENDED),
        }
    };
    if let Some(child) = &mut shared.lock().child {
        child.end.get_or_insert(end);
    }
    shared.supervise.notify_all();
    shared.write.notify_all();
}

/// Does what a frame says. Returns why the child ends, if it does.
fn take(shared: &Shared, frame: Frame) -> Option<End> {
    let settings = &shared.settings;
    match frame {
        Frame::Ready => {
            if let Some(child) = &mut shared.lock().child {
                child.is_ready = true;
            }
            shared.supervise.notify_all();
            shared.write.notify_all();
            // On this thread, so that it comes before what the store emits.
            shared.report(NodeEvent::Started);
        }
        Frame::Failed(why, about) => {
            let (kind, message) = settings.no_store(why, &about);
            return Some(End::new(kind, message));
        }
        Frame::Fatal(is_rejection, about) => {
            return Some(End::new(ErrorKind::Unavailable, settings.fatal(is_rejection, &about)));
        }
        Frame::Answer(number, answer) => {
            let (answered, can_send) =
                shared.lock().heard(|calls| (calls.answered(number), calls.can_send()));
            if can_send {
                shared.write.notify_all();
            }
            if let Some((operation, reply)) = answered {
                sheltered(|| reply.answer(settings, operation, answer));
            }
        }
        Frame::Item(number, sid, record) => {
            let failed = match parse(settings, Operation::All, record) {
                Ok(session) => {
                    shared.lock().heard(|calls| calls.add_item(number, sid, session));
                    None
                }
                Err(error) => {
                    let answered = shared.lock().heard(|calls| calls.answered(number));
                    shared.write.notify_all();
                    answered.map(|(_, reply)| (reply, error))
                }
            };
            fail(failed.into_iter().collect());
        }
        Frame::Event(which, about) => match which {
            0 => shared.report(NodeEvent::Connect),
            1 => shared.report(NodeEvent::Disconnect),
            _ => shared.report(NodeEvent::Failed(&settings.emitted(&about))),
        },
        Frame::Twice(code) => {
            let operation = Operation::of_code(code).unwrap_or(Operation::Start);
            shared.report(NodeEvent::Failed(&settings.twice(operation)));
        }
        Frame::Pong => shared.lock().heard(|_| ()),
    }
    None
}
