//! `npm_report [STORE...]`: runs the suite on npm's session stores, and writes `docs/npm-stores.md` unless stores are
//! named. `cargo xtask npm-report` runs it.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

#[tokio::main]
async fn main() -> ExitCode {
    let only: Vec<String> = env::args().skip(1).collect();
    let (text, code) = match cloakroom_tests::npm_report::write(&only).await {
        Ok(page) if only.is_empty() => (format!("{} lines\n", page.lines().count()), ExitCode::SUCCESS),
        Ok(page) => (page, ExitCode::SUCCESS),
        Err(message) => (format!("npm_report: {message}\n"), ExitCode::FAILURE),
    };
    // Nothing is left to be done where this fails too.
    let _ = io::stdout().write_all(text.as_bytes());
    code
}
