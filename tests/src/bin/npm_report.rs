//! `npm_report [STORE...]`: runs the suite on npm's session stores, or on some, and writes `docs/npm-stores.md`. `cargo xtask npm-report` runs it.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

#[tokio::main]
async fn main() -> ExitCode {
    let only: Vec<String> = env::args().skip(1).collect();
    match cloakroom_tests::npm_report::write(&only).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing is left to be done where this fails too.
            let _ = writeln!(io::stderr(), "npm_report: {message}");
            ExitCode::FAILURE
        }
    }
}
