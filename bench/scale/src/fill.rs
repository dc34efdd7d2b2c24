//! Many sessions in Redis, fast: commands as bytes, thousands in a packet.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
};

use crate::backend::sid;

/// How many are sent before the answers are read.
const AT_ONCE: usize = 10_000;

/// Stores this text as that many sessions.
pub(crate) fn fill(port: u16, number: usize, text: &str) -> io::Result<()> {
    let mut redis = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
    let mut commands = Vec::new();
    for first in (0..number).step_by(AT_ONCE) {
        let some = first..(first + AT_ONCE).min(number);
        commands.clear();
        for at in some.clone() {
            let key = format!("sess:{}", sid(at));
            for part in
                ["*5\r\n$3\r\nSET\r\n", &bulk(&key), &bulk(text), "$2\r\nEX\r\n$5\r\n36000\r\n"]
            {
                commands.extend_from_slice(part.as_bytes());
            }
        }
        // Redis keeps its answers for us while it reads: 5 bytes each.
        redis.get_mut().write_all(&commands)?;
        for _ in some {
            let mut answer = String::new();
            redis.read_line(&mut answer)?;
            if answer != "+OK\r\n" {
                return Err(io::Error::other(answer));
            }
        }
    }
    Ok(())
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
