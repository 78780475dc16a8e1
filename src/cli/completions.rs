//! Completion scripts and the manual page, made from the same description as `--help`.

use super::exit::ExitStatus;
use super::output::{Output, Terminal};
use anyhow::Result;
use clap::Command;
use clap_complete::{Shell, generate};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completion script of a shell.
pub(super) fn run(args: Args, mut command: Command, terminal: &Terminal) -> Result<ExitStatus> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "foreshock", &mut script);
    Output::open(None, terminal)?.write_text(&script)?;
    Ok(ExitStatus::Passed)
}

/// Prints the manual page: the program, then each command.
pub(super) fn man(mut command: Command, terminal: &Terminal) -> Result<ExitStatus> {
    command.build();
    let mut page = Vec::new();
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    for command in std::iter::once(&command).chain(subcommands) {
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
    }
    Output::open(None, terminal)?.write_text(&page)?;
    Ok(ExitStatus::Passed)
}
