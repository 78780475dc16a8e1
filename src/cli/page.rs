//! The answer of the commands that compare, `tune` and `diff`: its shape, where it goes, and when it is no pass.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::{Buffer, Output, Terminal};
use super::recordings::RecordingsArgs;
use crate::report::Style;
use clap::ValueEnum;
use std::io;
use std::path::PathBuf;

/// Arguments of the answer.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// Shape of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Answer")]
    format: Format,
    /// Writes the answer to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Answer")]
    output: Option<PathBuf>,
    /// Exit code 0 although no point arrived or nothing could be judged
    #[arg(long, help_heading = "Exit code")]
    allow_no_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A text to read
    Text,
    /// One document: everything that was compared
    Json,
    /// For a pull request
    Markdown,
}

/// What decides whether an answer is worth anything.
pub(super) struct Worth<'a> {
    pub(super) is_damaged: bool,
    pub(super) has_points: bool,
    pub(super) is_judged: bool,
    /// What is judged: a threshold, a definition.
    pub(super) what: &'a str,
}

impl PageArgs {
    /// Refuses to write over what is read.
    pub(super) fn keep_apart(&self, recordings: &RecordingsArgs) -> Result<(), CliError> {
        self.output.as_ref().map_or(Ok(()), |path| recordings.keep_apart(path))
    }

    /// Writes the answer. A text tells of damage itself; of other shapes it is told on standard error.
    pub(super) fn write(
        &self,
        terminal: &Terminal,
        damage: &[String],
        render: impl FnOnce(&mut Buffer, Format, Style) -> io::Result<()>,
    ) -> Result<(), CliError> {
        let style = terminal.answer_style(self.output.as_deref());
        Output::open(self.output.as_deref())?.write_with(|out| render(out, self.format, style))?;
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
        }
        Ok(())
    }

    /// The status of an answer, and why when it is no pass.
    pub(super) fn status(&self, worth: &Worth<'_>) -> (ExitStatus, String) {
        let why = if worth.is_damaged {
            "a recording is damaged".to_string()
        } else if self.allow_no_data {
            return (ExitStatus::Passed, String::new());
        } else if !worth.has_points {
            "no point arrived (--allow-no-data makes this a pass)".to_string()
        } else if !worth.is_judged {
            format!("no {} could be judged (--allow-no-data makes this a pass)", worth.what)
        } else {
            return (ExitStatus::Passed, String::new());
        };
        (ExitStatus::Inconclusive, why)
    }
}
