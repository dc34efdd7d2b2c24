//! The command `cloakroom`. Each command has a file of its own; `args.rs` says what there is.

mod args;
mod check;
mod cookie;
mod copy;
mod doctor;
mod extras;
mod failure;
mod filter;
mod interrupts;
mod one;
mod pretty;
mod probe;
mod sessions;
mod stores;
mod terminal;
mod url;
mod usage;
mod watch;

use std::process::ExitCode;

use crate::{
    args::{Command, Cookie},
    failure::{End, Failure},
    terminal::complain,
};

fn main() -> ExitCode {
    let cli = usage::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let end = match runtime {
        Ok(runtime) => {
            let end = runtime.block_on(run(cli.command));
            // A thread that waits for standard input cannot be stopped.
            runtime.shutdown_background();
            end
        }
        Err(cause) => Err(Failure::usage(format!("cannot start threads: {cause}"))),
    };
    match end {
        Ok(End::Well) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Ok(End::Differs) => ExitCode::from(1),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<End, Failure> {
    match command {
        Command::Ls(args) => sessions::ls(&args).await,
        Command::Get(args) => one::get(&args).await,
        Command::Count(args) => sessions::count(&args).await,
        Command::Destroy(args) => sessions::destroy(&args).await,
        Command::Touch(args) => one::touch(&args).await,
        Command::Clear(args) => sessions::clear(&args).await,
        Command::Copy(args) => copy::copy(&args).await,
        Command::Check(args) => check::check(&args).await,
        Command::Cookie(Cookie::Sign(args)) => cookie::sign(&args),
        Command::Cookie(Cookie::Verify(args)) => cookie::verify(&args),
        Command::Cookie(Cookie::Explain(args)) => cookie::explain(&args).await,
        Command::Watch(args) => watch::watch(&args).await,
        Command::Doctor(args) => doctor::doctor(&args).await,
        Command::Completions { shell } => extras::completions(shell),
        Command::Man => extras::man(),
    }
}
