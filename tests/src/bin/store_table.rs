//! `store_table`: writes the table of stores into the README, from what the stores declare to the suite, and from runs of it. `cargo xtask table` runs it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

#[tokio::main]
async fn main() -> ExitCode {
    // Nothing is left to be done where the terminal is gone.
    match cloakroom_tests::store_table::write().await {
        Ok(broken) => {
            let _ = io::stdout().write_all(broken.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(io::stderr(), "store_table: {message}");
            ExitCode::FAILURE
        }
    }
}
