//! A TCP proxy before a server that can go silent or hang up.

mod pair;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::pair::Pair;
use crate::{Error, free_port, port::listen_on};

/// Passes bytes on in both directions until it is told to be silent or to hang up.
///
/// - [`silence`](Self::silence): every open connection stays open and swallows what either side sends, for ever. New
///   ones are accepted and do the same.
/// - [`cut`](Self::cut): every open connection is closed. New ones are accepted and closed at once.
/// - [`lose_answers`](Self::lose_answers): every open connection still passes on what the client sends, and is closed in
///   place of the server's next answer. New ones work.
/// - [`garble`](Self::garble): every open connection passes on junk in place of the server's next answer.
/// - [`refuse`](Self::refuse): every open connection is closed, and new ones are refused as where nothing listens, until
///   [`listen`](Self::listen).
/// - [`pass`](Self::pass): new connections reach the server again. A connection that has been silent stays silent, as
///   one whose state a load balancer has lost.
///
/// It ends when it is dropped, and all its connections with it.
///
/// ```no_run
/// # use cloakroom_test_support::{Error, Proxy, RedisServer};
/// # fn main() -> Result<(), Error> {
/// let server = RedisServer::start()?;
/// let proxy = Proxy::start(&server.addr())?;
/// let url = format!("redis://{}", proxy.addr());
/// // A client of `url` connects and works.
/// proxy.silence();
/// proxy.pass();
/// // Its connection is acknowledged and answers nothing; a second one would work.
/// assert_eq!(proxy.connections(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// The thread that accepts, while it does.
    listening: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    /// In the first bytes of a connection that is spared.
    spared: Option<&'static [u8]>,
    accepted: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    open: Vec<Arc<Pair>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Silent,
    Cut,
    Ended,
}

impl Proxy {
    /// A proxy on a port of 127.0.0.1 before the server at this address, which need not be there yet.
    ///
    /// # Errors
    ///
    /// If there is no port for it.
    pub fn start(server: &str) -> Result<Self, Error> {
        Self::start_with(free_port(), server, None)
    }

    /// A proxy on this port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If the port is taken.
    pub fn start_on(port: u16, server: &str) -> Result<Self, Error> {
        Self::start_with(port, server, None)
    }

    /// The same proxy, which does no harm to a connection whose first bytes contain these, other than by
    /// [`refuse`](Self::refuse): one between two servers of a cluster, which know each other by their proxies.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_sparing(server: &str, first_bytes: &'static [u8]) -> Result<Self, Error> {
        Self::start_with(free_port(), server, Some(first_bytes))
    }

    fn start_with(port: u16, server: &str, spared: Option<&'static [u8]>) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            spared,
            accepted: AtomicUsize::new(0),
            state: Mutex::new(State { mode: Mode::Pass, open: Vec::new() }),
        });
        let proxy = Self { port, shared, listening: Mutex::default() };
        proxy.listen()?;
        Ok(proxy)
    }

    /// Listens again after [`refuse`](Self::refuse), on the same port, and passes. Does nothing else if it listens.
    ///
    /// # Errors
    ///
    /// If the port was taken by another.
    pub fn listen(&self) -> Result<(), Error> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        self.pass();
        if listening.is_some() {
            return Ok(());
        }
        let listener = listen_on(self.port)
            .map_err(|error| Error::new(format!("no port for a proxy: {error}")))?;
        let shared = Arc::clone(&self.shared);
        *listening = Some(thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.state().mode == Mode::Ended {
                    return;
                }
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                // A client whose server cannot be reached is hung up on.
                thread::spawn(move || shared.serve(client));
            }
        }));
        Ok(())
    }

    /// The address of the proxy: `127.0.0.1:12345`.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections clients have made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many of the clients' connections are open, silent ones included.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.state().open.len()
    }

    /// Lets connections that are made from now on reach the server.
    pub fn pass(&self) {
        self.shared.state().mode = Mode::Pass;
    }

    /// Keeps all connections open and acknowledged, and passes nothing on, neither now nor later.
    pub fn silence(&self) {
        let mut state = self.shared.state();
        state.mode = Mode::Silent;
        for pair in &state.open {
            pair.silence();
        }
    }

    /// Closes all connections, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.shared.close(Mode::Cut);
    }

    /// Closes each connection that is open now when the server answers on it. The answer is not passed on.
    pub fn lose_answers(&self) {
        for pair in &self.shared.state().open {
            pair.lose_answers();
        }
    }

    /// Passes on junk in place of the next answer on each connection that is open now.
    pub fn garble(&self) {
        self.garble_with(pair::JUNK);
    }

    /// Passes on these bytes in place of the next answer on each connection that is open now.
    pub fn garble_with(&self, junk: &'static [u8]) {
        for pair in &self.shared.state().open {
            pair.garble(junk);
        }
    }

    /// Closes all connections and stops listening, so that new ones are refused.
    pub fn refuse(&self) {
        self.end();
        // A program that is being started has a copy of the listening socket until it executes, so the port can stay
        // open for a moment.
        let started = Instant::now();
        while self.connect().is_ok() && started.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port)))
    }

    fn end(&self) {
        self.shared.close(Mode::Ended);
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = listening.take() {
            // Wakes the thread that accepts, which sees the end of it.
            let _ = self.connect();
            let _ = thread.join();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, mode: Mode) {
        let mut state = self.state();
        state.mode = mode;
        for pair in &state.open {
            if mode == Mode::Ended || !pair.is_spared() {
                pair.close();
            }
        }
    }

    fn serve(&self, client: TcpStream) -> io::Result<()> {
        if matches!(self.state().mode, Mode::Cut | Mode::Ended) {
            return Ok(());
        }
        let server = TcpStream::connect(&self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let pair = Arc::new(Pair::new(client, server));
        {
            let mut state = self.state();
            match state.mode {
                Mode::Pass => {}
                Mode::Silent => pair.silence(),
                Mode::Cut | Mode::Ended => return Ok(()),
            }
            state.open.push(Arc::clone(&pair));
        }
        let answers = Arc::clone(&pair);
        thread::spawn(move || {
            let _ = answers.pass_answers();
            // A client of a silent connection is not told that the server has hung up.
            if !answers.is_silent() {
                answers.close();
            }
        });
        let outcome = pair.pass_questions(self.spared);
        pair.close();
        self.state().open.retain(|other| !Arc::ptr_eq(other, &pair));
        outcome
    }
}
