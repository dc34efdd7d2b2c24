//! Runs a server to try things with: `cargo run -p cloakroom-test-support -- redis`.
//!
//! Prints its URL, and stops it when the standard input ends, or on Ctrl-C.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::{
    env,
    io::{self, Read},
    process::ExitCode,
};

use cloakroom_test_support::{Error, Kind, Maria, Memcache, Mongo, Pg, Redis, Server, Valkey};

fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        Some("redis") => serve::<Redis>(),
        Some("valkey") => serve::<Valkey>(),
        Some("memcached") => serve::<Memcache>(),
        Some("mongod") => serve::<Mongo>(),
        Some("postgres") => serve::<Pg>(),
        Some("mariadb") => serve::<Maria>(),
        _ => {
            eprintln!("usage: serve redis | valkey | memcached | mongod | postgres | mariadb");
            return ExitCode::FAILURE;
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<K: Kind>() -> Result<(), Error> {
    let server = Server::<K>::start()?;
    println!("{}", server.url());
    // Ends with the input, whether by its end or by an error.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
