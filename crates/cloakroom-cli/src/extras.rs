//! The completions and the man page.

use clap::CommandFactory;

use crate::{
    args::Cli,
    failure::{End, Failure},
    terminal::put,
};

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<End, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cloakroom", &mut script);
    put(&script)?;
    Ok(End::Well)
}

/// One page for all commands, one after the other.
pub(crate) fn man() -> Result<End, Failure> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        clap_mangen::Man::new(one.clone()).render(&mut page)?;
    }
    put(&page)?;
    Ok(End::Well)
}
