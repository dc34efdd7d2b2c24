//! A stream that leaves out values that are too large, before anything keeps them.
//!
//! Redis announces the length of a value before its bytes (the RESP specification, "Bulk strings"). A longer value than
//! the limit is dropped piece by piece as it arrives, and a short one takes its place, so that the connection stays
//! usable: closing it would cost all other calls their answers.
//!
//! The answer to `MGET` has many values, which are all kept until it is whole. Those that would make it longer than the
//! limit are left out as well, unless they are short; `enumerate.rs` asks for each of them again.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use cloakroom_backend::left_out;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The shortest value that is left out. Anything that is not a record, such as the answer to `INFO`, is shorter.
const SHORTEST: u64 = 1 << 20;

/// The longest value of an answer with many values that is always kept.
const SHORT: u64 = 1 << 16;

/// The longest header of a value: its type and 20 digits. What is longer is not Redis's protocol.
const LONGEST_HEADER: usize = 24;

pub(crate) struct Limited<S> {
    stream: S,
    filter: Filter,
    /// What was filtered and did not fit into the reader's buffer, and how much of it was read.
    rest: Vec<u8>,
    read: usize,
}

impl<S> Limited<S> {
    pub(crate) fn new(stream: S, most: u64) -> Self {
        Self { stream, filter: Filter::new(most.max(SHORTEST)), rest: Vec::new(), read: 0 }
    }
}

/// The position in the server's answers.
enum At {
    /// At the start of a line, of which this much is known.
    Start(Vec<u8>),
    /// In a line that announces no value.
    Line,
    /// In a value, of which this many bytes are left, its line break included.
    Value(u64),
    /// In a value that is left out.
    LeftOut(u64),
    /// In something that is not Redis's protocol. The parser says so.
    Lost,
}

struct Filter {
    most: u64,
    at: At,
    /// How many items of the answer follow.
    items: u64,
    /// How many bytes of values the answer may still have.
    room: u64,
}

impl Filter {
    fn new(most: u64) -> Self {
        Self { most, at: At::Start(Vec::new()), items: 0, room: most }
    }

    /// Notes that an item begins, of this type and with this number. Returns false for a value that is left out.
    fn begin(&mut self, kind: u8, number: Option<u64>) -> bool {
        if self.items == 0 {
            (self.items, self.room) = (1, self.most);
        }
        let number = number.unwrap_or_default();
        let inside = match kind {
            b'*' | b'~' | b'>' => number,
            b'%' => number.saturating_mul(2),
            // Attributes come before the item that they describe.
            b'|' => number.saturating_mul(2).saturating_add(1),
            _ => 0,
        };
        self.items = (self.items - 1).saturating_add(inside);
        if !b"$=!".contains(&kind) {
            return true;
        }
        let fits = number <= self.room || number <= SHORT;
        if fits {
            self.room = self.room.saturating_sub(number);
        }
        fits
    }

    /// Moves on by `bytes`. Returns what the parser reads instead of them, or `None` if they stay as they are.
    fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut instead: Option<Vec<u8>> = None;
        // Everything before this was passed on or left out.
        let mut done = 0;
        // A header that began in an earlier read was held back there.
        if let At::Start(known) = &self.at
            && !known.is_empty()
        {
            instead = Some(Vec::with_capacity(bytes.len() + LONGEST_HEADER));
        }
        let mut place = 0;
        while place < bytes.len() {
            let rest = &bytes[place..];
            match &mut self.at {
                At::Lost => break,
                At::Line => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    place += end.map_or(rest.len(), |end| end + 1);
                    if end.is_some() {
                        self.at = At::Start(Vec::new());
                    }
                }
                At::Value(left) | At::LeftOut(left) => {
                    let step = (*left).min(rest.len() as u64);
                    *left -= step;
                    place += usize::try_from(step).unwrap_or(rest.len());
                    let is_over = *left == 0;
                    if matches!(self.at, At::LeftOut(_)) {
                        done = place;
                    }
                    if is_over {
                        self.at = At::Start(Vec::new());
                    }
                }
                At::Start(known) => {
                    if known.is_empty() && !b"$=!*~>%|".contains(&rest[0]) {
                        self.at = At::Line;
                        self.begin(rest[0], None);
                        continue;
                    }
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let header = &rest[..end.map_or(rest.len(), |end| end + 1)];
                    known.extend_from_slice(header);
                    if known.len() > LONGEST_HEADER {
                        let known = std::mem::take(known);
                        // It is passed on as it came.
                        let out = instead.get_or_insert_default();
                        out.extend_from_slice(&bytes[done..place]);
                        out.extend_from_slice(&known);
                        place += header.len();
                        done = place;
                        self.at = At::Lost;
                        continue;
                    }
                    let Some(_) = end else {
                        // Held back until it is whole.
                        let out = instead.get_or_insert_default();
                        out.extend_from_slice(&bytes[done..place]);
                        place = bytes.len();
                        done = place;
                        continue;
                    };
                    let known = std::mem::take(known);
                    let length = length(&known);
                    if !self.begin(known[0], length) {
                        let out = instead.get_or_insert_default();
                        out.extend_from_slice(&bytes[done..place]);
                        let short = left_out(length.unwrap_or_default());
                        out.extend_from_slice(format!("${}\r\n", short.len()).as_bytes());
                        out.extend_from_slice(&short);
                        out.extend_from_slice(b"\r\n");
                        place += header.len();
                        done = place;
                        self.at = At::LeftOut(length.unwrap_or_default().saturating_add(2));
                        continue;
                    }
                    if known.len() > header.len() {
                        // The part that was held back goes first.
                        let out = instead.get_or_insert_default();
                        out.extend_from_slice(&known);
                        done = place + header.len();
                    }
                    place += header.len();
                    let value = length.filter(|_| b"$=!".contains(&known[0]));
                    self.at = match value {
                        Some(length) => At::Value(length.saturating_add(2)),
                        None => At::Start(Vec::new()),
                    };
                }
            }
        }
        if done > 0 && instead.is_none() {
            instead = Some(Vec::new());
        }
        if let Some(out) = &mut instead {
            out.extend_from_slice(&bytes[done..]);
        }
        instead
    }
}

/// Returns the length that a header announces, or `None` for a nil and for what is not a number.
fn length(header: &[u8]) -> Option<u64> {
    let digits = header.get(1..)?.strip_suffix(b"\r\n")?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| is_number)
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.read < this.rest.len() {
                let step = (this.rest.len() - this.read).min(buffer.remaining());
                buffer.put_slice(&this.rest[this.read..this.read + step]);
                this.read += step;
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let received = &buffer.filled()[before..];
            if received.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Some(instead) = this.filter.pass(received) else { return Poll::Ready(Ok(())) };
            buffer.set_filled(before);
            (this.rest, this.read) = (instead, 0);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    const LARGE: usize = SHORTEST as usize + 1;

    /// Passes a text on in pieces of this size.
    fn filtered(text: &[u8], piece: usize) -> Vec<u8> {
        let mut filter = Filter::new(SHORTEST);
        let pieces = text.chunks(piece);
        pieces.flat_map(|piece| filter.pass(piece).unwrap_or_else(|| piece.to_vec())).collect()
    }

    #[test]
    fn what_is_within_the_limit_stays_as_it_is() {
        let value = "x".repeat(SHORTEST as usize);
        let text = format!(
            "+OK\r\n$5\r\na\r\nb$\r\n$-1\r\n*2\r\n$0\r\n\r\n:7\r\n-ERR $9999999\r\n_\r\n=7\r\ntxt:abc\r\n%1\r\n+k\r\n$2\r\n$9\r\n${}\r\n{value}\r\n:1\r\n",
            value.len()
        );
        for piece in [1, 2, 3, 5, 7, 64, text.len()] {
            assert!(filtered(text.as_bytes(), piece) == text.as_bytes(), "{piece}");
        }
        let mut filter = Filter::new(SHORTEST);
        assert!(filter.pass(text.as_bytes()).is_none(), "nothing was copied");
    }

    #[test]
    fn a_value_beyond_the_limit_is_left_out_and_what_follows_stays() {
        let value = "$5\r\n".repeat(LARGE / 4 + 1);
        let text = format!("*3\r\n$1\r\na\r\n${}\r\n{value}\r\n$1\r\nb\r\n:7\r\n", value.len());
        let short = left_out(value.len() as u64);
        let short = String::from_utf8(short).unwrap();
        let expected = format!("*3\r\n$1\r\na\r\n${}\r\n{short}\r\n$1\r\nb\r\n:7\r\n", short.len());
        for piece in [1, 2, 3, 5, 7, 16, 17, 4_096, text.len()] {
            assert_eq!(filtered(text.as_bytes(), piece), expected.as_bytes(), "{piece}");
        }
    }

    #[test]
    fn an_answer_of_many_values_is_no_longer_than_the_limit() {
        let half = "x".repeat(SHORTEST as usize / 2);
        let bulk = |value: &str| format!("${}\r\n{value}\r\n", value.len());
        let (large, small) = (bulk(&half), bulk("{}"));
        let out = bulk(std::str::from_utf8(&left_out(half.len() as u64)).unwrap());
        for kind in ["*6", "~6", "%3", "|1\r\n$1\r\na\r\n:1\r\n*6"] {
            let text =
                format!("{kind}\r\n{large}{small}$-1\r\n{large}{large}{small}{large}+OK\r\n");
            let expected =
                format!("{kind}\r\n{large}{small}$-1\r\n{out}{out}{small}{large}+OK\r\n");
            for piece in [1, 7, 4_096, text.len()] {
                let passed = filtered(text.as_bytes(), piece);
                assert!(passed == expected.as_bytes(), "{kind} {piece}");
            }
        }
        // Ids are short, however many there are, and each answer begins anew.
        let ids = bulk(&"i".repeat(60_000)).repeat(100);
        let text = format!("*2\r\n$1\r\n0\r\n*100\r\n{ids}*1\r\n{large}{large}{large}");
        for piece in [5, text.len()] {
            assert!(filtered(text.as_bytes(), piece) == text.as_bytes(), "{piece}");
        }
    }

    #[test]
    fn what_is_not_the_protocol_reaches_the_parser() {
        for text in
            ["$99999999999999999999999999\r\nabc", "$x\r\nabc\r\n", "HTTP/1.1 400\r\n$", "$"]
        {
            for piece in [1, 3, 64] {
                let passed = filtered(text.as_bytes(), piece);
                let held = text.strip_suffix('$').unwrap_or(text);
                assert_eq!(passed, held.as_bytes(), "{text} {piece}");
            }
        }
    }

    #[tokio::test]
    async fn the_end_of_the_stream_is_the_end() {
        let text = format!("${LARGE}\r\n{}\r\n+OK\r\n", "x".repeat(LARGE));
        let mut limited = Limited::new(text.as_bytes(), 1);
        let mut read = Vec::new();
        limited.read_to_end(&mut read).await.unwrap();
        assert!(read.ends_with(b"\r\n+OK\r\n") && read.len() < 50, "{}", read.len());
    }
}
