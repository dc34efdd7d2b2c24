//! One connection and its state.
//!
//! A command whose answer was not read completely leaves its rest on the connection, where the next caller would take
//! it for its own answer: another user's session. So a connection is used again only after a whole answer.

use std::{
    io,
    time::{Duration, Instant},
};

use cloakroom_backend::{MAX_RECORD, left_out};
use futures::FutureExt;
use memcache::exp::{Error as ClientError, MetaCommandResult, MetaResponse, parse_meta_result};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The maximum length of a line: a key of 250 bytes, each written as `%XX`, and a few numbers.
const LONGEST_LINE: usize = 4_096;

/// The memory that is reserved for a value before its first byte arrives. An invalid answer could announce a gigabyte.
const FIRST_READ: usize = 1 << 20;

/// The words that begin an answer of the meta protocol. A space or the end of the line follows.
const META: [&str; 10] =
    ["HD", "VA", "EN", "NF", "NS", "EX", "MN", "ERROR", "CLIENT_ERROR", "SERVER_ERROR"];

/// The words that begin an answer of the older text protocol.
pub(crate) const TEXT: [&str; 10] = [
    "STAT",
    "key=",
    "END",
    "OK",
    "RESET",
    "BUSY",
    "BADCLASS",
    "ERROR",
    "CLIENT_ERROR",
    "SERVER_ERROR",
];

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// The number of bytes of the last command that the system has accepted.
    written: usize,
    /// The number of bytes from which the server can act on the command.
    enough: usize,
    /// Whether anything was received since the last command.
    answering: bool,
    /// When something was last received, or when the connection was made.
    heard: Instant,
    /// How long an answer that has begun may pause. Without this limit, an answer that announces more than it contains
    /// would last until the deadline.
    patience: Duration,
    /// The length of the longest value that is kept.
    max_value: u64,
}

impl Connection {
    pub(crate) async fn open(host: &str, port: u16, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        // A command is one small write. Nagle's algorithm would hold it back until the one before is acknowledged.
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            written: 0,
            enough: 0,
            answering: false,
            heard: Instant::now(),
            patience,
            max_value: MAX_RECORD,
        })
    }

    /// Sets the length of the longest value that is kept.
    pub(crate) fn with_max_value(self, max_value: u64) -> Self {
        Self { max_value, ..self }
    }

    /// Returns true if the connection is open, its runtime runs, and the server has sent nothing unasked.
    ///
    /// Nothing is sent: it reports only what the runtime already knows.
    pub(crate) fn is_quiet(&self) -> bool {
        let stream = self.stream.get_ref();
        self.stream.buffer().is_empty()
            && match stream.readable().now_or_never() {
                None => true,
                // The runtime has shut down.
                Some(Err(_)) => false,
                Some(Ok(())) => stream
                    .try_read(&mut [0])
                    .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            }
    }

    /// Returns when something was last received from the server.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Returns true if the whole last command was sent, so that the server may act on it.
    pub(crate) fn sent(&self) -> bool {
        self.written > 0 && self.written >= self.enough
    }

    /// Returns true if the server has begun to answer the last command.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering
    }

    /// Sends one or more commands. The first has `first` bytes.
    pub(crate) async fn send(&mut self, commands: &[u8], first: usize) -> io::Result<()> {
        (self.written, self.enough, self.answering) = (0, first, false);
        while self.written < commands.len() {
            match self.stream.write(&commands[self.written..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                length => self.written += length,
            }
        }
        Ok(())
    }

    /// Reads one line and returns it without its end.
    ///
    /// A line that begins with none of the words in `known` is an error at once, because its end may never come.
    pub(crate) async fn line(&mut self, known: &[&str]) -> Result<Vec<u8>, ClientError> {
        let mut line = Vec::new();
        loop {
            let more = self.stream.fill_buf();
            let chunk = if line.is_empty() {
                more.await?
            } else {
                timeout(self.patience, more).await.map_err(io::Error::from)??
            };
            if chunk.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            (self.answering, self.heard) = (true, Instant::now());
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(chunk.len(), |end| end + 1);
            line.extend_from_slice(&chunk[..length]);
            self.stream.consume(length);
            if line.len() > LONGEST_LINE || !known.iter().any(|known| begins(&line, known)) {
                return Err(unintelligible());
            }
            if end.is_some() {
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return Ok(line);
            }
        }
    }

    /// Reads the answer to one command of the meta protocol.
    pub(crate) async fn answer(&mut self) -> Result<MetaCommandResult, ClientError> {
        let line = self.line(&META).await?;
        let mut answer = parse_meta_result(MetaResponse::parse_header(&line)?)?;
        if let Some(rest) = line.strip_prefix(b"VA ") {
            let length = rest.split(|byte| *byte == b' ').find(|word| !word.is_empty());
            let length = length.and_then(|word| str::from_utf8(word).ok()?.parse().ok());
            answer.value = Some(self.value(length.ok_or_else(unintelligible)?).await?);
        }
        Ok(answer)
    }

    /// Reads a value by its length, since the value itself can contain line breaks. A value that is too long is dropped
    /// as it arrives, so that the connection stays usable.
    async fn value(&mut self, length: u64) -> Result<Vec<u8>, ClientError> {
        if length > self.max_value {
            self.skip(length).await?;
            return self.end_of_value(left_out(length)).await;
        }
        let length = usize::try_from(length).map_err(|_| unintelligible())?;
        let mut value = Vec::with_capacity(length.min(FIRST_READ));
        while value.len() < length {
            let rest = length - value.len();
            let mut bounded = (&mut self.stream).take(rest as u64);
            let more = timeout(self.patience, bounded.read_buf(&mut value)).await;
            if more.map_err(io::Error::from)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.heard = Instant::now();
        }
        self.end_of_value(value).await
    }

    /// Drops this many bytes.
    async fn skip(&mut self, length: u64) -> Result<(), ClientError> {
        let mut left = length;
        while left > 0 {
            let more = timeout(self.patience, self.stream.fill_buf()).await;
            let chunk = more.map_err(io::Error::from)??.len();
            if chunk == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let step = chunk.min(usize::try_from(left).unwrap_or(chunk));
            self.stream.consume(step);
            self.heard = Instant::now();
            left -= step as u64;
        }
        Ok(())
    }

    /// Reads the line break behind a value, and returns the value.
    async fn end_of_value(&mut self, value: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let mut end = [0; 2];
        let more = timeout(self.patience, self.stream.read_exact(&mut end)).await;
        more.map_err(io::Error::from)??;
        if end == *b"\r\n" { Ok(value) } else { Err(unintelligible()) }
    }
}

/// Returns true if the line begins with this word, or may do so once more of it has arrived.
fn begins(line: &[u8], word: &str) -> bool {
    let shared = word.len().min(line.len());
    let ends = |byte: &u8| word.ends_with('=') || b" \r\n".contains(byte);
    word.as_bytes()[..shared] == line[..shared] && line.get(word.len()).is_none_or(ends)
}

/// Returns the error for something that does not answer the command. It does not contain the text.
pub(crate) fn unintelligible() -> ClientError {
    ClientError::Protocol(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_by_its_first_word() {
        let known = |line: &str, known: &[&str]| known.iter().any(|k| begins(line.as_bytes(), k));
        for line in
            ["", "H", "HD", "HD\r", "HD\n", "HD c7\r\n", "VA 5 f2", "SERVER_ERR", "ERROR Too many"]
        {
            assert!(known(line, &META), "{line:?}");
        }
        for line in ["x", "HX", "HDx", "VA5", "\r\n", " HD", "ERRORS", "HTTP/1.1 400", "STORED\r\n"]
        {
            assert!(!known(line, &META), "{line:?}");
        }
        for line in ["k", "key=s%3Aa exp", "STAT pid 1", "END\r\n", "CLIENT_ERROR bad"] {
            assert!(known(line, &TEXT), "{line:?}");
        }
        for line in ["keys", "STATS", "HD\r\n", "\u{1}"] {
            assert!(!known(line, &TEXT), "{line:?}");
        }
    }
}
