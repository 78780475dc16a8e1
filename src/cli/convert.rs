//! `foreshock convert`: cuts recordings and converts between their forms.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::Terminal;

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: Args, _terminal: &Terminal) -> Result<ExitStatus, CliError> {
    Ok(ExitStatus::Passed)
}
