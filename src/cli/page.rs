//! The results of the commands that compare, `tune` and `diff`: their format, where they go, and when they are no pass.

use super::error::CliError;
use super::exit::ExitStatus;
use super::gate::DataSeen;
use super::output::{Output, Terminal, formats};
use super::recordings::RecordingsArgs;
use crate::report::{self, Format, Outcome, OutcomeKind};
use std::path::PathBuf;

/// Format and file of the results.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Diff), help_heading = "Output")]
    format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Exit with 0 although no metrics were received or nothing could be evaluated
    #[arg(long, help_heading = "Exit code")]
    allow_no_data: bool,
}

impl PageArgs {
    /// Refuses to write over what is read.
    pub(super) fn keep_apart(&self, recordings: &RecordingsArgs) -> Result<(), CliError> {
        self.output.as_ref().map_or(Ok(()), |path| recordings.keep_apart(path))
    }

    /// Writes the results. A text names damage itself; with other formats it goes to standard error.
    pub(super) fn write(&self, outcome: &Outcome<'_>, damage: &[String], terminal: &Terminal) -> Result<(), CliError> {
        let style = terminal.style_of(self.output.as_deref());
        Output::open(self.output.as_deref())?.write_with(|out| report::write(self.format, outcome, style, out))?;
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
        }
        Ok(())
    }

    /// The status of results, and why when it is no pass; `not_evaluated` is the reason when nothing could be evaluated.
    pub(super) fn status(&self, data: DataSeen, not_evaluated: &'static str) -> (ExitStatus, &'static str) {
        data.status(not_evaluated, self.allow_no_data)
    }
}
