//! Completion scripts and the manual page, made from the same description as `--help`.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::Output;
use clap::Command;
use clap_complete::{Shell, generate};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completion script of a shell.
pub(super) fn run(args: Args, mut command: Command) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "foreshock", &mut script);
    Output::open(None)?.write_with(|out| std::io::Write::write_all(out, &script))?;
    Ok(ExitStatus::Passed)
}

/// Prints the manual page: the program, then each command.
pub(super) fn man(mut command: Command) -> Result<ExitStatus, CliError> {
    command.build();
    let mut page = Vec::new();
    let mut output = Output::open(None)?;
    output.write_with(|out| {
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            clap_mangen::Man::new(subcommand.clone()).render(&mut page)?;
        }
        std::io::Write::write_all(out, &page)
    })?;
    Ok(ExitStatus::Passed)
}
