//! What `replay` and `run` answer, and what makes them fail: one report, one gate.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::{Output, Terminal};
use super::reports::{self, ReportArgs, Reports, Shape, from_root};
use crate::definition::EventDefinition;
use crate::engine::{Engine, Event, Input, Inputs, Report, Transition, Verdict};
use crate::gate::{Finding, Place, Suite};
use crate::inspect::{Client, Clients};
use crate::report;
use crate::report::Run;
use crate::report::outcome::{self, Verdicts};
use crate::report::text::{Detail, Replay};
use clap::ValueEnum;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How the answer is given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Answer")]
pub(super) struct AnswerArgs {
    /// Shape of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Writes the answer to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reports: ReportArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A text to read
    Text,
    /// One document: events, definitions, counts
    Json,
    /// A line for each event that opens or closes, as it happens
    Jsonl,
    /// Annotations of GitHub Actions, and the job summary
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// A page for a pull request
    Markdown,
}

impl Format {
    /// The formats that tell cases.
    fn shape(self) -> Option<Shape> {
        match self {
            Format::Text | Format::Json | Format::Jsonl => None,
            Format::Github => Some(Shape::Github),
            Format::Gitlab => Some(Shape::Gitlab),
            Format::Markdown => Some(Shape::Markdown),
        }
    }
}

/// What makes the command fail.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Exit code")]
pub(super) struct Gate {
    /// Exit code 1 when there is an event at or above this severity
    // What holds without it depends on the command, which says so.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Exit code 4 when any definition is inconclusive
    #[arg(long)]
    strict: bool,
    /// Exit code 0 although no point arrived or no definition could be judged
    #[arg(long)]
    allow_no_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Events never fail the command
    Never,
    /// Events of severity 5 and above
    Warning,
    /// Events of severity 10 and above
    Critical,
}

impl Gate {
    /// Whether an event fails the command.
    pub(super) fn fails(&self, event: &Event, otherwise: FailOn) -> bool {
        match self.fail_on.unwrap_or(otherwise) {
            FailOn::Never => false,
            FailOn::Warning => event.severity >= 5,
            FailOn::Critical => event.severity >= 10,
        }
    }

    /// What is wrong with the input, for reports; the same that makes [`Gate::status`] inconclusive.
    pub(super) fn complaints(&self, report: &Report, damage: &[String], damaged: bool) -> Vec<Finding> {
        let finding =
            |code, message: &str| Finding { code, message: message.into(), details: String::new(), place: None };
        if damaged {
            return damage.iter().map(|sentence| finding("damaged-recording", sentence)).collect();
        }
        let is_silent = report.counts.points == 0 && !self.allow_no_data;
        is_silent.then(|| finding("no-points", "no point arrived")).into_iter().collect()
    }

    /// The status a report deserves, and why when it is no pass. A failed gate wins; damage and `--strict` stand whatever
    /// `--allow-no-data` says, because that option is about inputs that are complete and hold nothing to judge.
    pub(super) fn status(&self, report: &Report, damaged: bool, otherwise: FailOn) -> (ExitStatus, &'static str) {
        let failed = match self.fail_on.unwrap_or(otherwise) {
            FailOn::Never => "",
            FailOn::Warning => "an event at or above --fail-on warning",
            FailOn::Critical => "an event at or above --fail-on critical",
        };
        if report.events.iter().any(|event| self.fails(event, otherwise)) {
            return (ExitStatus::Failed, failed);
        }
        let has = |wanted: fn(&Verdict) -> bool| report.definitions.iter().any(|d| wanted(&d.verdict));
        let why = if damaged {
            "a recording is damaged"
        } else if self.strict && has(|verdict| matches!(verdict, Verdict::Inconclusive(_))) {
            "a definition is inconclusive, and --strict was given"
        } else if self.allow_no_data {
            return (ExitStatus::Passed, "");
        } else if report.counts.points == 0 {
            "no point arrived (--allow-no-data makes this a pass)"
        } else if !has(|verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet)) {
            "no definition could be judged (--allow-no-data makes this a pass)"
        } else {
            return (ExitStatus::Passed, "");
        };
        (ExitStatus::Inconclusive, why)
    }
}

/// What came out of judging.
pub(super) struct Judged<'a> {
    pub(super) engine: &'a Engine,
    pub(super) report: &'a Report,
    pub(super) clients: Vec<Client>,
    /// Where it came from.
    pub(super) sources: &'a [String],
    /// What could not be read of it, one sentence each.
    pub(super) damage: &'a [String],
    /// The command that was run meanwhile.
    pub(super) run: Option<Run<'a>>,
    /// Whether an event fails the gate.
    pub(super) fails: &'a dyn Fn(&Event) -> bool,
    /// Where a definition, or a value in it, is mended.
    pub(super) place: &'a dyn Fn(&EventDefinition, &str) -> Option<Place>,
    /// What is wrong with the input.
    pub(super) complaints: &'a [Finding],
    /// What has become worse since a baseline.
    pub(super) worse: Option<&'a Suite>,
}

/// Where the answer and the reports go.
pub(super) struct Outputs {
    answer: Output,
    reports: Reports,
}

impl AnswerArgs {
    /// Opens where it goes.
    pub(super) fn open(&self) -> Result<Outputs, CliError> {
        let reports = self.reports.open(self.output.as_deref())?;
        Ok(Outputs { answer: Output::open(self.output.as_deref())?, reports })
    }

    /// The files that are written.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.output.as_deref().into_iter().chain(self.reports.files())
    }

    /// Writes transitions that just happened, when that is the answer.
    pub(super) fn transitions(
        &self,
        outputs: &mut Outputs,
        engine: &Engine,
        transitions: &[Transition],
    ) -> Result<(), CliError> {
        if self.format != Format::Jsonl || transitions.is_empty() {
            return Ok(());
        }
        outputs.answer.write_with(|out| {
            transitions.iter().try_for_each(|transition| {
                report::json::event(out, engine.definitions(), &transition.event)?;
                out.write_all(b"\n")
            })
        })
    }

    /// Writes the answer, as far as it is not written yet.
    pub(super) fn write(
        &self,
        outputs: &mut Outputs,
        judged: &Judged<'_>,
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        let Judged { engine, report, clients, sources, damage, run, .. } = judged;
        let definitions = engine.definitions();
        let what = if run.is_some() { "run" } else { "recording" };
        let replay = Replay { definitions, report, what, sources, damage, clients, detail: terminal.detail };
        let output = &mut outputs.answer;
        match self.format {
            Format::Text => {
                let style = terminal.answer_style(self.output.as_deref());
                output.write_with(|out| match run {
                    Some(run) => report::text::run(out, &replay, run, style),
                    None => report::text::replay(out, &replay, style),
                })?;
            }
            Format::Json => output.write_with(|out| match run {
                Some(run) => report::json::run(out, definitions, report, run),
                None => report::json::document(out, definitions, report),
            })?,
            Format::Jsonl | Format::Github | Format::Gitlab | Format::Markdown => {}
        }
        let shape = self.format.shape();
        if shape.is_some() || outputs.reports.are_wanted() {
            let Judged { fails, place, complaints, .. } = *judged;
            let mut suites = vec![outcome::suite(&Verdicts { replay: &replay, fails, place, complaints })];
            suites.extend(judged.worse.cloned());
            let suites = from_root(suites);
            if let Some(shape) = shape {
                reports::answer(shape, &mut outputs.answer, &suites, terminal)?;
            }
            outputs.reports.write(&suites)?;
        }
        self.write_baseline(&mut outputs.answer, judged.worse, terminal)?;
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
            if terminal.detail == Detail::Full || self.format == Format::Jsonl {
                terminal.note(&report::text::verdict(report));
            }
        }
        Ok(())
    }

    /// Writes what has become worse since a baseline: with the text, or beside an answer that does not tell it.
    fn write_baseline(&self, output: &mut Output, suite: Option<&Suite>, terminal: &Terminal) -> Result<(), CliError> {
        let Some(suite) = suite.filter(|_| self.format.shape().is_none()) else { return Ok(()) };
        let suites = std::slice::from_ref(suite);
        if self.format == Format::Text {
            let style = terminal.answer_style(self.output.as_deref());
            return output.write_with(|out| {
                writeln!(out)?;
                report::text::suites(out, suites, terminal.detail, style)
            });
        }
        let mut text = Vec::new();
        // Memory is written to: nothing can fail.
        let _ = report::text::suites(&mut text, suites, terminal.detail, terminal.message_style());
        terminal.note(String::from_utf8_lossy(&text).trim_end());
        Ok(())
    }

    /// Whether whoever reads the answer reads sentences.
    pub(super) fn is_text(&self) -> bool {
        self.format == Format::Text
    }
}

/// Inputs, and what is learnt of their clients on the way.
pub(super) struct Watched<I> {
    pub(super) inputs: I,
    pub(super) clients: Clients,
}

impl<I: Inputs> Inputs for Watched<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        if let Some(export) = input.export {
            self.clients.add(export);
        }
        Some(input)
    }
}
