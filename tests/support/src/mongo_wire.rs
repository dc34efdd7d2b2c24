//! Commands to a `mongod` over its Unix socket, which asks for no login and is never behind a proxy.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::Mongod;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to a command, as it came.
pub(crate) fn ask(server: &Mongod, command: &Bson) -> io::Result<Vec<u8>> {
    ask_within(server, command, PATIENCE)
}

/// The answer, if it comes within this time.
pub(crate) fn ask_within(server: &Mongod, command: &Bson, limit: Duration) -> io::Result<Vec<u8>> {
    let body = command.finish();
    let length = 21 + body.len();
    // `OP_MSG` (2013) with the request id 1, no flags, and one section of the kind 0.
    let mut message = Vec::with_capacity(length);
    for number in [size(length), 1, 0, 2_013, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);

    let mut stream = UnixStream::connect(socket(server.folder(), server.port()))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(&message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; (u32::from_le_bytes(length) as usize).saturating_sub(4).min(1 << 20)];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn socket(folder: &Path, port: u16) -> std::path::PathBuf {
    folder.join(format!("mongodb-{port}.sock"))
}

/// Whether an answer has this name with `true` or with the double 1.
pub(crate) fn is_true(answer: &[u8], name: &str) -> bool {
    let boolean = [&[8], name.as_bytes(), &[0, 1]].concat();
    let double = [&[1], name.as_bytes(), &[0], &1.0_f64.to_le_bytes()[..]].concat();
    [boolean, double].iter().any(|wanted| answer.windows(wanted.len()).any(|part| part == wanted))
}

fn size(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a command is short")
}

/// A BSON document in the making: what a command needs of it.
#[derive(Debug, Default)]
pub(crate) struct Bson(Vec<u8>);

impl Bson {
    pub(crate) fn int(&mut self, name: &str, value: i32) -> &mut Self {
        self.field(16, name, &value.to_le_bytes())
    }

    pub(crate) fn boolean(&mut self, name: &str, value: bool) -> &mut Self {
        self.field(8, name, &[value.into()])
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let length = size(value.len() + 1).to_le_bytes();
        self.field(2, name, &[&length, value.as_bytes(), &[0]].concat())
    }

    pub(crate) fn document(&mut self, name: &str, value: &Self) -> &mut Self {
        self.field(3, name, &value.finish())
    }

    pub(crate) fn array(&mut self, name: &str, value: &Self) -> &mut Self {
        self.field(4, name, &value.finish())
    }

    fn field(&mut self, kind: u8, name: &str, value: &[u8]) -> &mut Self {
        self.0.push(kind);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.extend(value);
        self
    }

    fn finish(&self) -> Vec<u8> {
        [&size(self.0.len() + 5).to_le_bytes()[..], &self.0, &[0]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_bson() {
        let mut command = Bson::default();
        command.int("hello", 1).text("$db", "admin");
        // The length and the end are those of the document in the question that every `mongod` is asked first.
        assert_eq!(command.finish().len(), 31);
        assert!(is_true(b"..\x08secondary\0\x01..", "secondary"));
        assert!(!is_true(b"..\x08secondary\0\0..", "secondary"));
    }
}
