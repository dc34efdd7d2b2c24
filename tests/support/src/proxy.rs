//! A TCP proxy before a server that can go silent or hang up.

mod pair;

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use self::pair::Pair;
use crate::{Error, free_port};

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
        let listener = TcpListener::bind(("127.0.0.1", self.port))
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
        for pair in &self.shared.state().open {
            pair.garble();
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        time::Duration,
    };

    use super::*;

    /// A server that sends everything back.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        addr
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn ask(mut stream: &TcpStream) -> io::Result<usize> {
        stream.write_all(b"hello")?;
        stream.read(&mut [0; 5])
    }

    #[test]
    fn a_silent_connection_stays_silent_and_a_new_one_works() {
        let proxy = Proxy::start(&echo()).unwrap();
        let old = connect(&proxy);
        assert_eq!(ask(&old).unwrap(), 5);
        proxy.silence();
        let silent = connect(&proxy);
        for stream in [&old, &silent] {
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert_eq!(ask(stream).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        // A client cannot tell when its connection has been accepted.
        while proxy.open() < 2 {
            thread::yield_now();
        }
        proxy.pass();
        assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
        assert_eq!(ask(&old).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(ask(&silent).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(proxy.connections(), 3);
    }

    #[test]
    fn a_cut_ends_all_connections_until_they_may_pass() {
        let proxy = Proxy::start(&echo()).unwrap();
        let old = connect(&proxy);
        assert_eq!(ask(&old).unwrap(), 5);
        proxy.cut();
        for stream in [&old, &connect(&proxy)] {
            assert!(!ask(stream).is_ok_and(|length| length > 0));
        }
        proxy.pass();
        let new = connect(&proxy);
        assert_eq!(ask(&new).unwrap(), 5);
        drop(proxy);
        assert!(!ask(&new).is_ok_and(|length| length > 0));
    }

    #[test]
    fn junk_comes_once_in_place_of_an_answer() {
        let proxy = Proxy::start(&echo()).unwrap();
        let mut old = &connect(&proxy);
        assert_eq!(ask(old).unwrap(), 5);
        proxy.garble();
        old.write_all(b"hello").unwrap();
        let mut junk = [0; pair::JUNK.len()];
        old.read_exact(&mut junk).unwrap();
        assert_eq!(junk, pair::JUNK);
        assert_eq!(ask(old).unwrap(), 5);
    }

    #[test]
    fn a_lost_answer_ends_its_connection_and_no_other() {
        let proxy = Proxy::start(&echo()).unwrap();
        let (old, busy) = (connect(&proxy), connect(&proxy));
        for stream in [&old, &busy] {
            assert_eq!(ask(stream).unwrap(), 5);
        }
        proxy.lose_answers();
        assert!(!ask(&old).is_ok_and(|length| length > 0));
        assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
    }

    #[test]
    fn a_connection_that_is_spared_survives_all_but_a_refusal() {
        let proxy = Proxy::start_sparing(&echo(), b"ell").unwrap();
        let spared = connect(&proxy);
        assert_eq!(ask(&spared).unwrap(), 5);
        for harm in [Proxy::silence, Proxy::lose_answers, Proxy::cut] {
            harm(&proxy);
            assert_eq!(ask(&spared).unwrap(), 5);
            proxy.pass();
        }
        proxy.refuse();
        assert!(!ask(&spared).is_ok_and(|length| length > 0));
    }

    #[test]
    fn a_proxy_that_refuses_listens_again_on_the_same_port() {
        let proxy = Proxy::start(&echo()).unwrap();
        let old = connect(&proxy);
        assert_eq!(ask(&old).unwrap(), 5);
        proxy.refuse();
        assert!(!ask(&old).is_ok_and(|length| length > 0));
        let refused = TcpStream::connect(proxy.addr()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        proxy.listen().unwrap();
        assert_eq!(ask(&connect(&proxy)).unwrap(), 5);
    }
}
