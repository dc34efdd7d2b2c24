//! One command to a Redis server, and its answer as text.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::Error;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one command to a server on a port of 127.0.0.1, and returns its answer as text: the members of a list follow each
/// other, one a line.
///
/// # Errors
///
/// If the server cannot be reached or answers with an error, whose text is that of this one.
pub(crate) fn command(port: u16, words: &[&str]) -> Result<String, Error> {
    let sent = || -> io::Result<Result<String, String>> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        stream.get_mut().write_all(text.as_bytes())?;
        read(&mut stream)
    };
    let failed = |why: &str| {
        let name = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        Error::new(format!("port {port}: {name}: {why}"))
    };
    match sent() {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(refusal)) => Err(failed(&refusal)),
        Err(error) => Err(failed(&error.to_string())),
    }
}

/// The answer, or the text of an error reply.
fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Result<String, String>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let length = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    match kind {
        "-" => Ok(Err(rest.to_owned())),
        "$" => match usize::try_from(length()?) {
            Ok(length) => {
                let mut text = vec![0; length + 2];
                stream.read_exact(&mut text)?;
                text.truncate(length);
                Ok(Ok(String::from_utf8_lossy(&text).into_owned()))
            }
            Err(_) => Ok(Ok(String::new())),
        },
        "*" => {
            let mut members = Vec::new();
            for _ in 0..length()?.max(0) {
                // An error inside of a list is its text.
                members.push(read(stream)?.unwrap_or_else(|refusal| refusal));
            }
            Ok(Ok(members.join("\n")))
        }
        _ => Ok(Ok(rest.to_owned())),
    }
}
