//! The results of commands: their format, where they and the reports for other programs go, and how a file is named in them.
//!
//! Files in reports are named from the root of the project, which is the folder above that holds `.git`, because that is how
//! the programs that read them know files; without such a folder it is the current one. The files are made before anything is
//! evaluated, so that one that cannot be written is reported at once.

use super::gate::GateArgs;
use super::output::{Output, Terminal, differ, formats, without_dots};
use super::rules::Places;
use crate::definition::EventDefinition;
use crate::engine::Transition;
use crate::gate::{CaseResult, EvaluatedRecording, FileLocation, Suite};
use crate::inspect::Client;
use crate::report::{
    self, CheckOutcome, CommandRun, Detail, Format, Outcome, OutcomeKind, Replay, ReplayOutcome, Verdicts,
};
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A job summary may be this long.
const LONGEST_SUMMARY: usize = 1 << 20;
/// Names the file that the runner shows as the summary of the job.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Format and file of the results of the commands that compare, and when they are no pass.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Diff), help_heading = "Output")]
    format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,
    /// Exit with 0 although no metrics were received or nothing could be evaluated
    #[arg(long, help_heading = "Exit code")]
    pub(super) allow_no_data: bool,
}

impl PageArgs {
    /// Writes the results. A text names damage itself; with other formats it goes to standard error.
    pub(super) fn write(&self, outcome: &Outcome<'_>, damage: &[String], terminal: &Terminal) -> Result<()> {
        Output::open(self.output.as_deref(), terminal)?.write_outcome(self.format, outcome)?;
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
        }
        Ok(())
    }
}

/// Format and file of the results of `replay` and `run`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ResultArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Replay))]
    pub(super) format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    reports: ReportArgs,
}

/// What came out of an evaluation.
pub(super) struct EvaluationResults<'a> {
    pub(super) evaluated: &'a EvaluatedRecording,
    pub(super) clients: &'a [Client],
    /// Where it came from.
    pub(super) sources: &'a [String],
    /// What could not be read of it, one sentence each.
    pub(super) damage: &'a [String],
    pub(super) is_damaged: bool,
    /// The command that was run meanwhile.
    pub(super) run: Option<CommandRun<'a>>,
    pub(super) gate: &'a GateArgs,
    pub(super) places: &'a Places,
    /// The place of what cannot be fixed in a file of rules.
    pub(super) recording: Option<FileLocation>,
    /// What has become worse since a baseline.
    pub(super) regressions: Option<&'a Suite>,
}

/// Where results and reports go.
pub(super) struct ResultFiles {
    results: Output,
    reports: Reports,
}

impl ResultArgs {
    /// Opens where they go.
    pub(super) fn open(&self, terminal: &Terminal) -> Result<ResultFiles> {
        let reports = self.reports.open(self.output.as_deref(), terminal)?;
        Ok(ResultFiles { results: Output::open(self.output.as_deref(), terminal)?, reports })
    }

    /// The files that are written.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.output.as_deref().into_iter().chain(self.reports.files())
    }

    /// Writes transitions that just happened, when these are the results.
    pub(super) fn transitions(
        &self,
        files: &mut ResultFiles,
        definitions: &[EventDefinition],
        transitions: &[Transition],
    ) -> Result<()> {
        if self.format != Format::Jsonl {
            return Ok(());
        }
        let mut outcomes = transitions.iter().map(|transition| Outcome::Transition(definitions, transition));
        outcomes.try_for_each(|outcome| files.results.write_outcome(self.format, &outcome))
    }

    /// Writes the results, as far as they are not written yet.
    pub(super) fn write(
        &self,
        files: &mut ResultFiles,
        results: &EvaluationResults<'_>,
        terminal: &Terminal,
    ) -> Result<()> {
        let &EvaluationResults { clients, sources, damage, is_damaged, gate, places, regressions, .. } = results;
        let EvaluatedRecording { definitions, report, .. } = results.evaluated;
        let what = if results.run.is_some() { "run" } else { "recording" };
        let detail = terminal.detail;
        let replay = Replay { definitions, report, what, sources, damage, clients, detail };
        let verdicts = Verdicts {
            replay: &replay,
            fails: &|event| gate.fails(event),
            place: &|definition, path| places.of(definition, path).or_else(|| results.recording.clone()),
            input_findings: &gate.input_findings(report, damage, is_damaged),
        };
        let mut suites = vec![report::suite(&verdicts)];
        suites.extend(regressions.cloned());
        let suites = from_root(suites);
        let outcome = ReplayOutcome { replay, run: results.run.as_ref(), suites: &suites, regressions };
        let outcome = Outcome::Replay(&outcome);
        files.results.write_outcome(self.format, &outcome)?;
        if self.format == Format::Github {
            job_summary(&suites, terminal)?;
        }
        write_reports(&mut files.reports, &outcome)?;
        if let (false, Some(suite)) = (self.format.holds_suites(), regressions) {
            note_regressions(suite, terminal);
        }
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
            if detail == Detail::Full || self.format == Format::Jsonl {
                terminal.note(&report::summary(report));
            }
        }
        Ok(())
    }
}

/// Prints what has become worse since a baseline beside results that do not hold it.
fn note_regressions(suite: &Suite, terminal: &Terminal) {
    let suites = std::slice::from_ref(suite);
    let check = CheckOutcome { suites, coverage: None, mutants: None, detail: terminal.detail };
    let mut text = Vec::new();
    // Memory is written to: nothing can fail.
    let _ = report::write(Format::Text, &Outcome::Check(&check), terminal.message_style(), &mut text);
    terminal.note(String::from_utf8_lossy(&text).trim_end());
}

/// Options of every command that is a gate.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub(super) struct ReportArgs {
    /// Write a JUnit report: a suite for each recording or file, a case for each definition or scenario
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a SARIF 2.1.0 log, for code scanning
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

/// Files that reports will be written to, each with its format.
pub(super) type Reports = Vec<(Format, Output)>;

impl ReportArgs {
    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.junit.iter().chain(&self.sarif).map(PathBuf::as_path)
    }

    /// Makes the files. None may be where the results go, or another report.
    pub(super) fn open(&self, results: Option<&Path>, terminal: &Terminal) -> Result<Reports> {
        differ([results.unwrap_or(Path::new("-"))].into_iter().chain(self.files()))?;
        let files = [(Format::Junit, &self.junit), (Format::Sarif, &self.sarif)].into_iter();
        let wanted = files.filter_map(|(format, file)| Some((format, file.as_deref()?)));
        let opened = wanted.map(|(format, file)| Ok((format, Output::open(Some(file), terminal)?)));
        opened.collect()
    }
}

/// Writes the reports that are wanted; the outcome names files as [`from_root`] does.
pub(super) fn write_reports(reports: &mut Reports, outcome: &Outcome<'_>) -> Result<()> {
    reports.iter_mut().try_for_each(|(format, output)| output.write_outcome(*format, outcome))
}

#[allow(clippy::disallowed_methods, reason = "the runner names the file so, and in no other way")]
fn summary_file() -> Option<PathBuf> {
    std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Adds the summary of the cases to what other commands of the step have written there, if this runs in such a job.
pub(super) fn job_summary(suites: &[Suite], terminal: &Terminal) -> Result<()> {
    let Some(path) = summary_file() else { return Ok(()) };
    let is_added = add_summary(&path, suites);
    if !is_added.with_context(|| format!("cannot write to {} ({SUMMARY})", path.display()))? {
        terminal.warn("the job summary is full: nothing was added to it");
    }
    Ok(())
}

/// False when there is no room: the runner would throw away all of the step's summary.
fn add_summary(path: &Path, suites: &[Suite]) -> io::Result<bool> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let room = LONGEST_SUMMARY.saturating_sub(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX));
    let mut text = Vec::new();
    report::markdown_of_suites(&mut text, suites, room)?;
    if text.len() > room {
        return Ok(false);
    }
    file.write_all(&text).map(|()| true)
}

/// The suites with their files named from the root of the project.
pub(super) fn from_root(mut suites: Vec<Suite>) -> Vec<Suite> {
    let Ok(here) = std::env::current_dir() else { return suites };
    let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
    for case in suites.iter_mut().flat_map(|suite| &mut suite.cases) {
        let findings = match &mut case.result {
            CaseResult::Passed => &mut [],
            CaseResult::Failed(findings) | CaseResult::Inconclusive(findings) => findings.as_mut_slice(),
        };
        let places = findings.iter_mut().map(|finding| &mut finding.place).chain([&mut case.place]);
        for place in places.flatten() {
            place.file = name_from(root, &here, &place.file);
        }
    }
    suites
}

/// A file's name from the root, with `/`; a file outside keeps its full name.
fn name_from(root: &Path, here: &Path, file: &str) -> String {
    let path = without_dots(&here.join(file));
    let inside = match path.strip_prefix(root) {
        Ok(inside) => inside.to_path_buf(),
        // The way there may lead over a link.
        Err(_) => match path.canonicalize().ok().as_deref().and_then(|real| real.strip_prefix(root).ok()) {
            Some(inside) => inside.to_path_buf(),
            None => path,
        },
    };
    inside.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root() {
        let name = |file| name_from(Path::new("/repo"), Path::new("/repo/alerts"), file);
        assert_eq!(name("cpu.json"), "alerts/cpu.json");
        assert_eq!(name("./a/../cpu.json"), "alerts/cpu.json");
        assert_eq!(name("../rules/cpu.json"), "rules/cpu.json");
        assert_eq!(name("/repo/rules/cpu.json"), "rules/cpu.json");
        assert_eq!(name("/elsewhere/cpu.json"), "/elsewhere/cpu.json");
    }
}
