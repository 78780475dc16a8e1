//! The registry of output formats: their names, which command offers which, and who writes them.
//!
//! To add one: a file beside this one with its `write`, a line in `mod.rs`, and here a variant, its row in `FORMATS`
//! and its arm in [`write()`]. Command line, help and completions follow from that.

use super::outcome::Outcome;
use super::outcome::OutcomeKind::{self, Check, Diff, Inspection, Replay, Transition, Tune};
use super::style::Style;
use super::{github, gitlab, json, junit, markdown, sarif, text};
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

/// What there is to know of a format.
struct FormatEntry {
    format: Format,
    /// What is typed.
    name: &'static str,
    /// The sentence of `--help`.
    help: &'static str,
    /// The results it can hold.
    holds: &'static [OutcomeKind],
    /// Whether `--format` offers it; the others have an option of their own, `--junit FILE`.
    is_listed: bool,
}

type Kinds = &'static [OutcomeKind];

const fn listed(format: Format, name: &'static str, help: &'static str, holds: Kinds) -> FormatEntry {
    FormatEntry { format, name, help, holds, is_listed: true }
}

const fn with_option(format: Format, name: &'static str, help: &'static str, holds: Kinds) -> FormatEntry {
    FormatEntry { format, name, help, holds, is_listed: false }
}

const CASES: Kinds = &[Replay, Check];

/// All formats, in the order of the help and of [`Format`].
const FORMATS: [FormatEntry; 8] = [
    listed(Format::Text, "text", "Text for people", &OutcomeKind::ALL),
    listed(Format::Json, "json", "One JSON document", &[Replay, Check, Tune, Diff, Inspection]),
    listed(Format::Jsonl, "jsonl", "A line of JSON for each event that opens or closes", &[Replay, Transition]),
    listed(Format::Github, "github", "Annotations of GitHub Actions, and the job summary", CASES),
    listed(Format::Gitlab, "gitlab", "GitLab's code quality report", CASES),
    listed(Format::Markdown, "markdown", "Markdown for a pull request", &[Replay, Check, Tune, Diff]),
    with_option(Format::Junit, "junit", "JUnit XML", CASES),
    with_option(Format::Sarif, "sarif", "SARIF 2.1.0", CASES),
];

impl Format {
    fn entry(self) -> &'static FormatEntry {
        &FORMATS[self as usize]
    }

    /// What is typed.
    pub fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// The sentence of `--help`.
    pub fn help(self) -> &'static str {
        self.entry().help
    }

    /// Whether suites of cases are a part of it, such as what has become worse since a baseline.
    pub fn holds_suites(self) -> bool {
        matches!(
            self,
            Format::Text | Format::Github | Format::Gitlab | Format::Markdown | Format::Junit | Format::Sarif
        )
    }

    /// What `--format` offers of a command with results of this kind.
    pub fn listed(kind: OutcomeKind) -> impl Iterator<Item = Format> {
        let is_offered = move |of: &&FormatEntry| of.is_listed && of.holds.contains(&kind);
        FORMATS.iter().filter(is_offered).map(|of| of.format)
    }
}

/// A name that no format has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such output format")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        FORMATS.iter().find(|of| of.name == text).map(|of| of.format).ok_or(UnknownFormat)
    }
}

/// Writes results in a format. `style` says whether a text is coloured.
pub fn write(format: Format, outcome: &Outcome<'_>, style: Style, out: &mut impl Write) -> io::Result<()> {
    let out: &mut dyn Write = out;
    match format {
        Format::Text => text::write(out, outcome, style),
        Format::Json => json::write(out, outcome),
        Format::Jsonl => json::write_line(out, outcome),
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
        for of in &FORMATS {
            assert_eq!((of.format.as_str(), of.name.parse()), (of.name, Ok(of.format)));
        }
        for kind in OutcomeKind::ALL {
            assert_eq!(Format::listed(kind).next(), Some(Format::Text));
        }
        assert_eq!("no-format".parse::<Format>(), Err(UnknownFormat));
    }
}
