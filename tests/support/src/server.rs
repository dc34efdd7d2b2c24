//! A server of any kind.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Error, find_program, folder::Folder, free_port, process::Process};

/// How long a server has to answer for the first time.
const START: Duration = Duration::from_secs(180);
/// How long [`Server::restart`] tries to get its old port back.
const SAME_PORT: Duration = Duration::from_secs(60);
/// What every server writes to its log when its port is taken.
const PORT_TAKEN: &str = "Address already in use";

/// What tells one kind of server from another.
pub trait Kind: Default + fmt::Debug {
    /// The name of the program.
    const PROGRAM: &'static str;

    /// Whether it serves its connections by processes of their own.
    const HAS_CHILDREN: bool = false;

    /// Where the program is.
    #[must_use]
    fn find() -> Option<PathBuf> {
        find_program(Self::PROGRAM)
    }

    /// The scheme of its URL.
    fn scheme(&self) -> &'static str;

    /// Its URL, with this address.
    fn url(&self, addr: &str) -> String {
        format!("{}://{addr}", self.scheme())
    }

    /// Gives the command its usual arguments. What is to outlive a restart goes to `folder.join("data")`.
    fn configure(&self, command: &mut Command, folder: &Path, port: u16);

    /// Whether the server answers. It must be this server: another may have been quicker to take the port.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked yet.
    fn answers(&self, folder: &Path, port: u16) -> io::Result<bool>;

    /// The port that the server tells its clients instead of its own. `None` for most.
    fn announced(&self) -> Option<u16> {
        None
    }
}

/// A server that runs on a port of 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub struct Server<K> {
    // Dropped in this order: the process goes first, its folder last.
    process: Option<Process>,
    kind: K,
    program: PathBuf,
    options: Vec<String>,
    port: u16,
    folder: Folder,
}

impl<K: Kind> Server<K> {
    /// A server that answers.
    ///
    /// # Errors
    ///
    /// If the program is missing or does not start; the text has the end of its log.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&[])
    }

    /// A server with more options: `RedisServer::start_with(&["--requirepass", "secret"])`.
    ///
    /// Redis and memcached take the last of two settings, so that these win over the usual ones.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(options: &[&str]) -> Result<Self, Error> {
        Self::start_in(Folder::new()?, K::default(), options)
    }

    pub(crate) fn start_in(folder: Folder, kind: K, options: &[&str]) -> Result<Self, Error> {
        let program = K::find().ok_or_else(|| Error::missing(K::PROGRAM))?;
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { process: None, kind, program, options, port: 0, folder };
        for _ in 0..10 {
            if server.launch(free_port())? {
                return Ok(server);
            }
        }
        Err(Error::new(format!(
            "ten ports in a row were taken by others; {}",
            server.folder.end_of_log()
        )))
    }

    /// The port that the server listens on. It stays the same across restarts.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address: `127.0.0.1:12345`.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port that the server tells its clients, at which a proxy should listen. `None` if that is its own.
    #[must_use]
    pub fn announced(&self) -> Option<u16> {
        self.kind.announced()
    }

    /// The URL: `redis://127.0.0.1:12345`. That of a SQL server names a user, who needs no password, and a database.
    #[must_use]
    pub fn url(&self) -> String {
        self.kind.url(&self.addr())
    }

    /// The process id. `None` while the server is stopped.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// What the server has written so far, restarts included.
    #[must_use]
    pub fn log(&self) -> String {
        self.folder.read_log()
    }

    /// Kills the server at once and waits until it is gone. One that is stopped already stays stopped.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Stops the server if it runs, and starts it again on the same port and with the same data folder.
    ///
    /// A server that keeps nothing on disk comes back empty: memcached, and Redis unless it was started with
    /// `--appendonly yes`.
    ///
    /// # Errors
    ///
    /// If the server does not start, or its port stays taken.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        let since = Instant::now();
        while since.elapsed() < SAME_PORT {
            if self.launch(self.port)? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(Error::new(format!(
            "port {} was taken by another; {}",
            self.port,
            self.folder.end_of_log()
        )))
    }

    /// As [`restart`](Self::restart), but with a new and empty data folder.
    ///
    /// # Errors
    ///
    /// If the server does not start, or its port stays taken.
    pub fn restart_empty(&mut self) -> Result<(), Error> {
        self.stop();
        self.folder.empty_data()?;
        self.restart()
    }

    /// Freezes the server: the system still accepts connections for it, and nothing is answered.
    ///
    /// # Errors
    ///
    /// If the server does not run.
    pub fn pause(&mut self) -> Result<(), Error> {
        self.process.as_mut().ok_or_else(|| Error::new("the server is stopped"))?.freeze()
    }

    /// Resumes a frozen server, which then answers the requests that arrived in the meantime.
    ///
    /// # Errors
    ///
    /// If the server does not run.
    pub fn resume(&mut self) -> Result<(), Error> {
        self.process.as_mut().ok_or_else(|| Error::new("the server is stopped"))?.resume()
    }

    pub(crate) fn kind(&self) -> &K {
        &self.kind
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server and waits until it answers. `false` if the port is taken.
    fn launch(&mut self, port: u16) -> Result<bool, Error> {
        self.port = port;
        let earlier = self.log().len();
        let mut command = Command::new(&self.program);
        self.kind.configure(&mut command, self.folder.path(), port);
        command.args(&self.options);
        let mut process = Process::spawn(command, &self.folder)?;
        process.has_children(K::HAS_CHILDREN);
        let since = Instant::now();
        let what_happened = loop {
            if self.kind.answers(self.folder.path(), port).unwrap_or(false) {
                self.process = Some(process);
                return Ok(true);
            }
            if let Some(status) = process.exit_status() {
                if self.log()[earlier..].contains(PORT_TAKEN) {
                    return Ok(false);
                }
                break format!("ended: {status}");
            }
            if since.elapsed() > START {
                break format!("did not answer within {} s", START.as_secs());
            }
            thread::sleep(Duration::from_millis(2));
        };
        Err(Error::new(format!(
            "`{}` {what_happened}; {}",
            process.command(),
            self.folder.end_of_log()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Maria, Memcache, Mongo, Pg, Redis, port::listen_on};

    fn check_a_taken_port_is_noticed<K: Kind>() {
        let mut server = Server::<K>::start().unwrap();
        let taken = listen_on(free_port()).unwrap();
        server.stop();
        assert!(!server.launch(taken.local_addr().unwrap().port()).unwrap(), "{}", server.log());
        assert_eq!(server.id(), None);
        assert!(server.launch(free_port()).unwrap());
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn a_port_that_redis_cannot_have_is_noticed() {
        check_a_taken_port_is_noticed::<Redis>();
    }

    #[test]
    #[ignore = "needs memcached"]
    fn a_port_that_memcached_cannot_have_is_noticed() {
        check_a_taken_port_is_noticed::<Memcache>();
    }

    #[test]
    #[ignore = "needs mongod"]
    fn a_port_that_mongod_cannot_have_is_noticed() {
        check_a_taken_port_is_noticed::<Mongo>();
    }

    #[test]
    #[ignore = "needs postgresql"]
    fn a_port_that_postgres_cannot_have_is_noticed() {
        check_a_taken_port_is_noticed::<Pg>();
    }

    #[test]
    #[ignore = "needs mariadb-server"]
    fn a_port_that_mariadb_cannot_have_is_noticed() {
        check_a_taken_port_is_noticed::<Maria>();
    }
}
