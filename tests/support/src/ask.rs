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
    let mut answer = vec![0; 64];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}
