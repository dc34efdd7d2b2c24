//! A command with room for its arguments.

use redis::Cmd;

/// How many arguments a command has at most besides its name and its key, and the bytes of those that are no record:
/// `IFEQ`, `EX` and the seconds.
const OPTIONS: (usize, usize) = (5, 32);

/// Returns a command on this key, with room for records of so many bytes. What `redis::cmd` returns has room for nothing:
/// it allocates with each argument, and moves a record that it has already.
pub(crate) fn command(name: &str, key: &str, records: usize) -> Cmd {
    let (options, bytes) = OPTIONS;
    let mut command = Cmd::with_capacity(2 + options, name.len() + key.len() + records + bytes);
    command.arg(name).arg(key);
    command
}
