//! A command with room for its arguments.

use redis::Cmd;

/// How many arguments a command takes at most after its name and its key, and how many bytes its options need: `IFEQ`,
/// `EX` and the seconds.
const OPTIONS: (usize, usize) = (5, 32);

/// Returns a command on this key, with room for records of so many bytes. A command of `redis::cmd` starts without room:
/// it allocates with each argument, and then moves the record.
pub(crate) fn command(name: &str, key: &str, records: usize) -> Cmd {
    let (options, bytes) = OPTIONS;
    let mut command = Cmd::with_capacity(2 + options, name.len() + key.len() + records + bytes);
    command.arg(name).arg(key);
    command
}
