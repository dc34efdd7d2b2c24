//! `store_table`: writes the table of stores into the README, from what the suite reports. `cargo xtask table` runs it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

#[tokio::main]
async fn main() -> ExitCode {
    match cloakroom_tests::store_table::write().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing is left to be done where this fails too.
            let _ = writeln!(io::stderr(), "store_table: {message}");
            ExitCode::FAILURE
        }
    }
}
