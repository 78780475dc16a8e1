//! The results of `replay` and `run`: their format, and where they and the reports go.

use super::error::CliError;
use super::output::{Output, Terminal, formats};
use super::reports::{ReportArgs, Reports, from_root, job_summary};
use crate::definition::EventDefinition;
use crate::engine::{Engine, EvaluationReport, Event, Input, Inputs, Transition};
use crate::gate::{FileLocation, Finding, Suite};
use crate::inspect::{Client, Clients};
use crate::report::{
    self, CheckOutcome, CommandRun, Detail, Format, Outcome, OutcomeKind, Replay, ReplayOutcome, Style, Verdicts,
};
use std::path::{Path, PathBuf};

/// Format and file of the results.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ResultArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Replay))]
    format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reports: ReportArgs,
}

/// What came out of an evaluation.
pub(super) struct EvaluationResults<'a> {
    pub(super) engine: &'a Engine,
    pub(super) report: &'a EvaluationReport,
    pub(super) clients: Vec<Client>,
    /// Where it came from.
    pub(super) sources: &'a [String],
    /// What could not be read of it, one sentence each.
    pub(super) damage: &'a [String],
    /// The command that was run meanwhile.
    pub(super) run: Option<CommandRun<'a>>,
    /// Whether an event fails the gate.
    pub(super) fails: &'a dyn Fn(&Event) -> bool,
    /// Where a definition, or a value in it, is fixed.
    pub(super) place: &'a dyn Fn(&EventDefinition, &str) -> Option<FileLocation>,
    /// What is wrong with the input.
    pub(super) input_findings: &'a [Finding],
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
    pub(super) fn open(&self) -> Result<ResultFiles, CliError> {
        let reports = self.reports.open(self.output.as_deref())?;
        Ok(ResultFiles { results: Output::open(self.output.as_deref())?, reports })
    }

    /// The files that are written.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.output.as_deref().into_iter().chain(self.reports.files())
    }

    /// Writes transitions that just happened, when these are the results.
    pub(super) fn transitions(
        &self,
        files: &mut ResultFiles,
        engine: &Engine,
        transitions: &[Transition],
    ) -> Result<(), CliError> {
        if self.format != Format::Jsonl || transitions.is_empty() {
            return Ok(());
        }
        files.results.write_with(|out| {
            transitions.iter().try_for_each(|transition| {
                let outcome = Outcome::Transition(engine.definitions(), transition);
                report::write(self.format, &outcome, Style::plain(), out)
            })
        })
    }

    /// Writes the results, as far as they are not written yet.
    pub(super) fn write(
        &self,
        files: &mut ResultFiles,
        evaluated: &EvaluationResults<'_>,
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        let EvaluationResults { engine, report, clients, sources, damage, run, .. } = evaluated;
        let &EvaluationResults { fails, place, input_findings, regressions, .. } = evaluated;
        let what = if run.is_some() { "run" } else { "recording" };
        let (definitions, detail) = (engine.definitions(), terminal.detail);
        let replay = Replay { definitions, report, what, sources, damage, clients, detail };
        let mut suites = vec![report::suite(&Verdicts { replay: &replay, fails, place, input_findings })];
        suites.extend(regressions.cloned());
        let suites = from_root(suites);
        let outcome = ReplayOutcome { replay, run: run.as_ref(), suites: &suites, regressions };
        let outcome = Outcome::Replay(&outcome);
        let style = terminal.style_of(self.output.as_deref());
        files.results.write_with(|out| report::write(self.format, &outcome, style, out))?;
        if self.format == Format::Github {
            job_summary(&suites, terminal)?;
        }
        files.reports.write(&outcome)?;
        if let (Format::Json | Format::Jsonl, Some(suite)) = (self.format, regressions) {
            note_regressions(suite, terminal);
        }
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
            if terminal.detail == Detail::Full || self.format == Format::Jsonl {
                terminal.note(&report::summary(report));
            }
        }
        Ok(())
    }

    /// Whether the results are sentences.
    pub(super) fn is_text(&self) -> bool {
        self.format == Format::Text
    }
}

/// Prints what has become worse since a baseline beside results that do not hold it.
fn note_regressions(suite: &Suite, terminal: &Terminal) {
    let check =
        CheckOutcome { suites: std::slice::from_ref(suite), coverage: None, mutants: None, detail: terminal.detail };
    let mut text = Vec::new();
    // Memory is written to: nothing can fail.
    let _ = report::write(Format::Text, &Outcome::Check(&check), terminal.message_style(), &mut text);
    terminal.note(String::from_utf8_lossy(&text).trim_end());
}

/// Inputs, and what is learnt of their clients on the way.
pub(super) struct WithClients<I> {
    pub(super) inputs: I,
    pub(super) clients: Clients,
}

impl<I: Inputs> Inputs for WithClients<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        if let Some(export) = input.export {
            self.clients.add(export);
        }
        Some(input)
    }
}
