//! The registry of output formats: their names, which command offers which, and who writes them.
//!
//! To add one: a file beside this one with its `write`, a line in `mod.rs`, and here a variant, its entry in [`Format::ALL`],
//! its words and its arm in [`write()`]. Command line, help and completions follow from that.

use super::outcome::{Outcome, OutcomeKind};
use super::style::Style;
use super::{github, gitlab, json, jsonl, junit, markdown, sarif, text};
use std::io::{self, Write};
use std::str::FromStr;

/// A form that results are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: everything.
    Json,
    /// For programs: events while they happen.
    Jsonl,
    /// For jobs of GitHub Actions.
    Github,
    /// For GitLab's merge requests.
    Gitlab,
    /// For pull requests.
    Markdown,
    /// For Jenkins and whatever else reads test reports.
    Junit,
    /// For code scanning.
    Sarif,
}

/// What stands in the table of a format.
struct FormatEntry {
    /// What is typed.
    name: &'static str,
    /// The sentence of `--help`.
    help: &'static str,
    /// The results it can hold.
    holds: &'static [OutcomeKind],
    /// Whether `--format` offers it; the others have an option of their own, `--junit FILE`.
    is_listed: bool,
}

impl Format {
    /// All formats, in the order of the help.
    pub const ALL: [Format; 8] = [
        Format::Text,
        Format::Json,
        Format::Jsonl,
        Format::Github,
        Format::Gitlab,
        Format::Markdown,
        Format::Junit,
        Format::Sarif,
    ];

    fn entry(self) -> FormatEntry {
        use OutcomeKind::{Check, Diff, Inspection, Replay, Transition, Tune};
        const CASES: &[OutcomeKind] = &[Replay, Check];
        let listed = |name, help, holds| FormatEntry { name, help, holds, is_listed: true };
        let with_option = |name, help, holds| FormatEntry { name, help, holds, is_listed: false };
        match self {
            Format::Text => listed("text", "Text for people", &OutcomeKind::ALL),
            Format::Json => listed("json", "One JSON document", &[Replay, Check, Tune, Diff, Inspection]),
            Format::Jsonl => {
                listed("jsonl", "A line of JSON for each event that opens or closes", &[Replay, Transition])
            }
            Format::Github => listed("github", "Annotations of GitHub Actions, and the job summary", CASES),
            Format::Gitlab => listed("gitlab", "GitLab's code quality report", CASES),
            Format::Markdown => listed("markdown", "Markdown for a pull request", &[Replay, Check, Tune, Diff]),
            Format::Junit => with_option("junit", "JUnit XML", CASES),
            Format::Sarif => with_option("sarif", "SARIF 2.1.0", CASES),
        }
    }

    /// What is typed.
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// The sentence of `--help`.
    pub fn help(self) -> &'static str {
        self.entry().help
    }

    /// Whether it can hold results of this kind.
    pub fn holds(self, kind: OutcomeKind) -> bool {
        self.entry().holds.contains(&kind)
    }

    /// What `--format` offers of a command with results of this kind.
    pub fn listed(kind: OutcomeKind) -> impl Iterator<Item = Format> {
        Format::ALL.into_iter().filter(move |format| format.entry().is_listed && format.holds(kind))
    }
}

/// A name that no format has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such output format")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Format::ALL.into_iter().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}

/// Writes results in a format. `style` says whether a text is coloured.
pub fn write(format: Format, outcome: &Outcome<'_>, style: Style, out: &mut impl Write) -> io::Result<()> {
    let out: &mut dyn Write = out;
    match format {
        Format::Text => text::write(out, outcome, style),
        Format::Json => json::write(out, outcome),
        Format::Jsonl => jsonl::write(out, outcome),
        Format::Github => github::write(out, outcome.suites()?),
        Format::Gitlab => gitlab::write(out, outcome.suites()?),
        Format::Markdown => markdown::write(out, outcome),
        Format::Junit => junit::write(out, outcome.suites()?),
        Format::Sarif => sarif::write(out, outcome.suites()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_name_of_its_own_and_every_command_a_text() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        for kind in OutcomeKind::ALL {
            assert_eq!(Format::listed(kind).next(), Some(Format::Text));
        }
        assert_eq!("no-format".parse::<Format>(), Err(UnknownFormat));
    }
}
