//! memcached's older text protocol on a connection of its own, for what the client has no words for: statistics,
//! flushing, and the listing.

use std::{future::Future, io};

use cloakroom_core::{Error, ErrorKind};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{timeout, timeout_at},
};

use crate::{
    call::Call,
    error,
    server::{Server, check_runtime},
};

/// No line is longer: a key of 250 bytes, each as `%XX`, and a few numbers.
const LONGEST_LINE: u64 = 4_096;

/// A connection for some commands in a row.
pub(crate) struct Plain<'a> {
    server: &'a Server,
    stream: BufReader<TcpStream>,
}

impl<'a> Plain<'a> {
    pub(crate) async fn connect(server: &'a Server, call: &Call) -> Result<Self, Error> {
        check_runtime(call)?;
        let connect = timeout(server.timeout, TcpStream::connect((&*server.host, server.port)));
        match timeout_at(call.deadline, connect).await {
            Ok(Ok(Ok(stream))) => Ok(Self { server, stream: BufReader::new(stream) }),
            Ok(Ok(Err(cause))) => Err(error::unreachable(call, &server.name, cause)),
            Ok(Err(_)) => {
                let cause = io::Error::from(io::ErrorKind::TimedOut);
                Err(error::unreachable(call, &server.name, cause))
            }
            Err(_) => Err(error::timed_out(call)),
        }
    }

    pub(crate) async fn send(&mut self, call: &Call, command: &str) -> Result<(), Error> {
        let name = &self.server.name;
        within(call, name, self.stream.get_mut().write_all(command.as_bytes())).await
    }

    /// One line, without its end.
    pub(crate) async fn line(&mut self, call: &Call) -> Result<String, Error> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LONGEST_LINE);
        within(call, &self.server.name, bounded.read_until(b'\n', &mut line)).await?;
        if line.pop() != Some(b'\n') {
            let cause = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(error::lost(call, &self.server.name, cause));
        }
        line.pop_if(|last| *last == b'\r');
        String::from_utf8(line).map_err(|_| self.unexpected(call))
    }

    /// The answer to a command that fits none of those that it has.
    pub(crate) fn unexpected(&self, call: &Call) -> Error {
        error::unintelligible(call, &self.server.name)
    }

    /// The server was started so that it does not do this.
    pub(crate) fn not_offered(&self, call: &Call, why: &str) -> Error {
        error::new(call, ErrorKind::Unsupported, format!("{} {why}", self.server.name))
    }

    /// One number of the server's statistics; `None` when it has none of this name. A group begins with a space.
    pub(crate) async fn stat(
        &mut self,
        call: &Call,
        group: &str,
        name: &str,
    ) -> Result<Option<u64>, Error> {
        self.send(call, &format!("stats{group}\r\n")).await?;
        let mut found = None;
        loop {
            let line = self.line(call).await?;
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("END"), ..) => return Ok(found),
                (Some("STAT"), Some(stat), Some(value)) => {
                    if stat == name {
                        found = value.parse().ok();
                    }
                }
                _ => return Err(self.unexpected(call)),
            }
        }
    }
}

async fn within<T>(
    call: &Call,
    server: &str,
    step: impl Future<Output = io::Result<T>> + Send,
) -> Result<T, Error> {
    match timeout_at(call.deadline, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(cause)) => Err(error::lost(call, server, cause)),
        Err(_) => Err(error::timed_out(call)),
    }
}

/// One number of a server's statistics, on a connection that is closed again.
pub(crate) async fn stat(
    server: &Server,
    call: &Call,
    group: &str,
    name: &str,
) -> Result<Option<u64>, Error> {
    Plain::connect(server, call).await?.stat(call, group, name).await
}

/// Empties a server.
pub(crate) async fn flush(server: &Server, call: &Call) -> Result<(), Error> {
    let mut plain = Plain::connect(server, call).await?;
    plain.send(call, "flush_all\r\n").await?;
    match plain.line(call).await.map_err(Error::with_outcome_unknown)?.as_str() {
        "OK" => Ok(()),
        // `-F` says so: "CLIENT_ERROR flush_all not allowed".
        line if line.starts_with("CLIENT_ERROR") => {
            Err(plain.not_offered(call, "does not allow flush_all (-F)"))
        }
        _ => Err(plain.unexpected(call)),
    }
}
