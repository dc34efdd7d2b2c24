//! A proxy before a `memcached` that notes what its clients say.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::Error;

/// Passes everything on in both directions, and notes each command's line.
///
/// It runs until the test's process ends.
///
/// ```no_run
/// # use cloakroom_test_support::{Error, Memcached, MemcachedTap};
/// # fn main() -> Result<(), Error> {
/// let server = Memcached::start()?;
/// let tap = MemcachedTap::start(&server)?;
/// // A client of `tap.addr()` does something.
/// assert_eq!(tap.commands(), ["mg sess:a v f c"]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MemcachedTap {
    addr: SocketAddr,
    commands: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl MemcachedTap {
    /// A proxy before this server, on a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If there is no port for it.
    pub fn start(server: &crate::Memcached) -> Result<Self, Error> {
        let port = || {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            Ok((listener.local_addr()?, listener))
        };
        let (addr, listener) =
            port().map_err(|error: io::Error| Error::new(format!("no port for a tap: {error}")))?;
        let tap = Self { addr, commands: Arc::default(), connections: Arc::default() };
        let (commands, connections) = (Arc::clone(&tap.commands), Arc::clone(&tap.connections));
        let server = server.addr();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let (commands, server) = (Arc::clone(&commands), server.clone());
                // Ends with the connection; a server that is away ends it at once.
                thread::spawn(move || pass(client, &server, &commands));
            }
        });
        Ok(tap)
    }

    /// The address for clients: `127.0.0.1:12345`.
    #[must_use]
    pub fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// The lines of the commands since the last time, without the values.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.commands))
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn lock(commands: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    commands.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass(client: TcpStream, server: &str, commands: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut to_server = TcpStream::connect(server)?;
    to_server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_server, mut to_client) = (to_server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(Shutdown::Both)
    });
    let outcome = note(&mut BufReader::new(client), &mut to_server, commands);
    to_server.shutdown(Shutdown::Both)?;
    outcome
}

fn note(
    client: &mut BufReader<TcpStream>,
    server: &mut TcpStream,
    commands: &Mutex<Vec<String>>,
) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        if client.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let value = length_of_value(&text);
        lock(commands).push(text);
        server.write_all(&line)?;
        if let Some(length) = value {
            // The line's end stands behind the value too.
            io::copy(&mut client.take(length + 2), server)?;
        }
    }
}

/// `ms <key> <length> …`, or `set <key> <flags> <exptime> <length>`.
fn length_of_value(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.first()? {
        &"ms" => words.get(2)?.parse().ok(),
        &"set" | &"add" | &"replace" | &"cas" => words.get(4)?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memcached;

    #[test]
    #[ignore = "needs memcached"]
    fn it_notes_lines_and_passes_everything_on() {
        let server = Memcached::start().unwrap();
        let tap = MemcachedTap::start(&server).unwrap();
        let mut client = TcpStream::connect(tap.addr()).unwrap();
        client.write_all(b"ms a 6 F2\r\nx\r\nx\r\n\r\nset b 0 0 1\r\ny\r\nmg a v f\r\n").unwrap();
        let mut answer = [0; 29];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HD\r\nSTORED\r\nVA 6 f2\r\nx\r\nx\r\n\r\n");
        assert_eq!(tap.commands(), ["ms a 6 F2", "set b 0 0 1", "mg a v f"]);
        assert!(tap.commands().is_empty());
        assert_eq!(tap.connections(), 1);
    }
}
