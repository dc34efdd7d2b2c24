//! Frames between this process and the child. `child/main.js` is the other side.
//!
//! A frame is its length in 32 bits, little-endian as all numbers are, a byte that says what it is, and its content. A
//! text is its length in 32 bits and UTF-8.

use std::io::{self, Read};

/// What is sent.
const START: u8 = 1;
const CALL: u8 = 2;
const PING: u8 = 3;

/// Something that the child says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The store can be called.
    Ready,
    /// The child could not make the store and ends. Holds the reason, and up to two texts about it.
    Failed(u8, Vec<String>),
    /// The end of a call.
    Answer(u32, Answer),
    /// One session of `all`, before its answer.
    Item(u32, String, String),
    /// The store has emitted an event: `connect`, `disconnect` or `error`, with the name and the code of the error.
    Event(u8, Vec<String>),
    /// The store has answered a call twice: the code of the operation.
    Twice(u8),
    /// The store has thrown outside of a call, or left a rejection unhandled, and the child ends.
    Fatal(bool, Vec<String>),
    /// The child's event loop runs.
    Pong,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Nothing,
    Session(String),
    Number(u64),
    /// The store called back with an error, threw, or rejected: which of them, and the error's name and code.
    Failed(u8, Vec<String>),
    /// It answered with something else than a session, a number or a listing: what it was.
    Rubbish(Vec<String>),
    Twice,
    NotOffered,
    TooLarge(u64),
    /// `all` gave sessions without their ids.
    NoIds,
}

fn begin(into: &mut Vec<u8>, kind: u8, length: usize) {
    // The sizes of what is sent are limited far below 4 GiB.
    let length = u32::try_from(length + 1).unwrap_or(u32::MAX);
    into.extend(length.to_le_bytes());
    into.push(kind);
}

/// Writes the first frame: whose child it is, and which store to make.
pub(crate) fn start(into: &mut Vec<u8>, parent: u32, settings: &str) {
    begin(into, START, 4 + settings.len());
    into.extend(parent.to_le_bytes());
    into.extend(settings.as_bytes());
}

/// Writes a call.
pub(crate) fn call(into: &mut Vec<u8>, number: u32, operation: u8, sid: &str, record: &str) {
    begin(into, CALL, 9 + sid.len() + record.len());
    into.extend(number.to_le_bytes());
    into.push(operation);
    into.extend(u32::try_from(sid.len()).unwrap_or(u32::MAX).to_le_bytes());
    into.extend(sid.as_bytes());
    into.extend(record.as_bytes());
}

/// Writes the question whether the event loop runs.
pub(crate) fn ping(into: &mut Vec<u8>) {
    begin(into, PING, 0);
}

/// Reads the next frame, of at most `most` bytes. Returns `None` at the end.
///
/// # Errors
///
/// What is not a frame, and a connection that breaks off within one.
pub(crate) fn read(from: &mut impl Read, most: u64) -> io::Result<Option<Frame>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length);
    if u64::from(length) > most {
        return Err(invalid());
    }
    let mut content = Vec::with_capacity((length as usize).min(1 << 20));
    from.take(length.into()).read_to_end(&mut content)?;
    if content.len() != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut content = Content(&content);
    content.frame().map(Some).ok_or_else(invalid)
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

/// What is left of a frame.
struct Content<'a>(&'a [u8]);

impl Content<'_> {
    fn frame(&mut self) -> Option<Frame> {
        Some(match self.byte()? {
            1 => Frame::Ready,
            2 => Frame::Failed(self.byte()?, self.texts()?),
            3 => Frame::Answer(self.number()?, self.answer()?),
            4 => Frame::Item(self.number()?, self.text()?, self.rest()?),
            5 => Frame::Event(self.byte()?, self.texts()?),
            6 => Frame::Twice(self.byte()?),
            7 => Frame::Fatal(self.byte()? == 1, self.texts()?),
            8 => Frame::Pong,
            _ => return None,
        })
    }

    fn answer(&mut self) -> Option<Answer> {
        Some(match self.byte()? {
            0 => Answer::Done,
            1 => Answer::Nothing,
            2 => Answer::Session(self.rest()?),
            3 => Answer::Number(self.text()?.parse().ok()?),
            how @ 4..=6 => Answer::Failed(how, self.texts()?),
            7 => Answer::Rubbish(self.texts()?),
            8 => Answer::Twice,
            9 => Answer::NotOffered,
            10 => Answer::TooLarge(self.text()?.parse().ok()?),
            11 => Answer::NoIds,
            _ => return None,
        })
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        while !self.0.is_empty() {
            texts.push(self.text()?);
        }
        Some(texts)
    }

    fn rest(&mut self) -> Option<String> {
        let rest = self.take(self.0.len())?;
        String::from_utf8(rest.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap();
        [&length.to_le_bytes(), content].concat()
    }

    #[test]
    fn what_the_child_says_is_read() {
        let text = [2, 0, 0, 0, b'4', b'2'];
        for (content, frame) in [
            (vec![1], Frame::Ready),
            (vec![3, 7, 0, 0, 0, 1], Frame::Answer(7, Answer::Nothing)),
            (vec![3, 7, 0, 0, 0, 2, b'{', b'}'], Frame::Answer(7, Answer::Session("{}".into()))),
            ([&[3, 7, 1, 0, 0, 3][..], &text].concat(), Frame::Answer(263, Answer::Number(42))),
            (
                [&[4, 7, 0, 0, 0][..], &text, b"{}"].concat(),
                Frame::Item(7, "42".into(), "{}".into()),
            ),
            ([&[7, 1][..], &text, &text].concat(), Frame::Fatal(true, vec!["42".into(); 2])),
            (vec![8], Frame::Pong),
        ] {
            let bytes = framed(&content);
            assert_eq!(read(&mut &*bytes, 100).unwrap(), Some(frame), "{content:?}");
        }
    }

    #[test]
    fn what_is_not_a_frame_is_an_error() {
        let text_that_is_cut = [3, 7, 0, 0, 0, 3, 9, 0, 0, 0, b'4'];
        for content in
            [&[][..], &[9], &[3, 7], &[3, 7, 0, 0, 0, 12], &text_that_is_cut, b"\x04\xff"]
        {
            assert!(read(&mut &*framed(content), 100).is_err(), "{content:?}");
        }
        assert!(read(&mut &*framed(&[1; 101]), 100).is_err());
        assert!(read(&mut &framed(b"\x03\x07\0\0\0\x02{}")[..11], 100).is_err());
        assert_eq!(read(&mut &[][..], 100).unwrap(), None);
    }
}
