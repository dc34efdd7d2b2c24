use std::{
    io,
    net::TcpListener,
    ops::Range,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::unique::SEED;

/// Below the range from which Linux takes the ports of outgoing connections (32768 and up).
///
/// The port of a stopped server is then not taken by somebody's connection before it is restarted, and a client that
/// tries again and again to reach it does not end up connected to itself.
const RANGE: Range<u16> = 10_000..32_000;

/// How long [`listen_on`] tries.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many ports a process takes at a time.
const BLOCK: u16 = 200;

/// The ports that this process has taken and not given away yet.
struct Block {
    rest: Range<u16>,
    /// Listens on the first port of each block, so that no other test process takes the same one.
    taken: Vec<TcpListener>,
}

/// A port of 127.0.0.1 on which nothing listens, and that neither this process nor another running test process has
/// been given.
///
/// # Panics
///
/// If no port is free.
#[must_use]
pub fn free_port() -> u16 {
    static PORTS: Mutex<Block> = Mutex::new(Block { rest: 0..0, taken: Vec::new() });
    let mut ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match ports.rest.next() {
            Some(port) if TcpListener::bind(("127.0.0.1", port)).is_ok() => return port,
            Some(_) => {}
            None => ports.take_another(),
        }
    }
}

/// Listens on a port that this process has been given.
///
/// It can still be taken for a moment: a process that another thread starts has a copy of every open socket until it runs
/// its program, also of the one with which [`free_port`] looked.
///
/// # Errors
///
/// If the port stays taken for a minute.
pub(crate) fn listen_on(port: u16) -> io::Result<TcpListener> {
    let since = Instant::now();
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && since.elapsed() < PATIENCE =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

impl Block {
    fn take_another(&mut self) {
        let blocks = u16::try_from(RANGE.len()).expect("a range of u16") / BLOCK;
        // Other test processes start elsewhere in the range.
        let first = u16::try_from(*SEED % u64::from(blocks)).expect("less than a u16");
        let (port, listener) = (0..blocks)
            .map(|offset| RANGE.start + (first + offset) % blocks * BLOCK)
            .find_map(|port| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?)))
            .expect("one of 110 blocks of ports is free");
        self.rest = port + 1..port + BLOCK;
        self.taken.push(listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_in_the_range_and_come_once() {
        let ports: Vec<u16> = (0..500).map(|_| free_port()).collect();
        let mut different = ports.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), ports.len());
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn a_port_that_is_taken_for_a_moment_is_waited_for() {
        let taken = listen_on(free_port()).unwrap();
        let port = taken.local_addr().unwrap().port();
        let waiting = thread::spawn(move || listen_on(port));
        // It has tried by then, or tries later; both times it gets the port.
        thread::sleep(Duration::from_millis(20));
        drop(taken);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn two_processes_take_different_blocks() {
        let (mut ours, mut theirs) =
            (Block { rest: 0..0, taken: Vec::new() }, Block { rest: 0..0, taken: Vec::new() });
        ours.take_another();
        theirs.take_another();
        assert!(ours.rest.start.abs_diff(theirs.rest.start) >= BLOCK);
    }
}
