//! One question to a server, to see whether it answers.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// The first bytes of the answer, over a Unix socket.
pub(crate) fn ask_socket(socket: &Path, question: &[u8]) -> io::Result<Vec<u8>> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ask(stream, question)
}

/// The first bytes of the answer, on a port of 127.0.0.1.
pub(crate) fn ask_port(port: u16, question: &[u8]) -> io::Result<Vec<u8>> {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ask(stream, question)
}

fn ask(mut stream: impl Read + Write, question: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(question)?;
    first_bytes(&mut stream)
}

/// The first bytes that come, or nothing at the end of the stream. A process that was stopped and goes on takes up its
/// read again, which a socket with a timeout does not do by itself: see signal(7).
///
/// # Errors
///
/// Those of the stream, except [`Interrupted`](io::ErrorKind::Interrupted).
pub fn first_bytes(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 128];
    loop {
        match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                bytes.truncate(read?);
                return Ok(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is interrupted at its first read.
    struct Stopped<'a>(bool, &'a [u8]);

    impl Read for Stopped<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0 {
                self.1.read(into)
            } else {
                self.0 = true;
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }

    #[test]
    fn an_interrupted_read_is_taken_up_again() {
        assert_eq!(first_bytes(&mut Stopped(false, b"+PONG")).unwrap(), b"+PONG");
        assert!(first_bytes(&mut Stopped(false, b"")).unwrap().is_empty());
    }
}
