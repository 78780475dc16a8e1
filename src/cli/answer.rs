//! What `replay` and `run` answer, and what makes them fail: one report, one gate.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::{Output, Terminal};
use crate::check::Suite;
use crate::engine::{Engine, Input, Inputs, Report, Transition, Verdict};
use crate::inspect::{Client, Clients};
use crate::render;
use crate::render::Run;
use crate::render::text::{Detail, Replay};
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A text to read
    Text,
    /// One document: events, definitions, counts
    Json,
    /// A line for each event that opens or closes, as it happens
    Jsonl,
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
    /// The status a report deserves, and why when it is no pass. A failed gate wins; damage and `--strict` stand whatever
    /// `--allow-no-data` says, because that option is about inputs that are complete and hold nothing to judge.
    pub(super) fn status(&self, report: &Report, damaged: bool, otherwise: FailOn) -> (ExitStatus, &'static str) {
        let fail_on = self.fail_on.unwrap_or(otherwise);
        let (limit, failed) = match fail_on {
            FailOn::Never => (i64::MAX, ""),
            FailOn::Warning => (5, "an event at or above --fail-on warning"),
            FailOn::Critical => (10, "an event at or above --fail-on critical"),
        };
        if fail_on != FailOn::Never && report.events.iter().any(|event| event.severity >= limit) {
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
}

impl AnswerArgs {
    /// Opens where it goes.
    pub(super) fn open(&self) -> Result<Output, CliError> {
        Output::open(self.output.as_deref())
    }

    /// Writes transitions that just happened, when that is the answer.
    pub(super) fn transitions(
        &self,
        output: &mut Output,
        engine: &Engine,
        transitions: &[Transition],
    ) -> Result<(), CliError> {
        if self.format != Format::Jsonl || transitions.is_empty() {
            return Ok(());
        }
        output.write_with(|out| {
            transitions.iter().try_for_each(|transition| {
                render::json::event(out, engine.definitions(), &transition.event)?;
                out.write_all(b"\n")
            })
        })
    }

    /// Writes the answer, as far as it is not written yet.
    pub(super) fn write(&self, output: &mut Output, judged: &Judged<'_>, terminal: &Terminal) -> Result<(), CliError> {
        let Judged { engine, report, clients, sources, damage, run } = judged;
        let definitions = engine.definitions();
        match self.format {
            Format::Text => {
                let replay = Replay { definitions, report, sources, damage, clients, detail: terminal.detail };
                let style = terminal.answer_style(self.output.as_deref());
                output.write_with(|out| match run {
                    Some(run) => render::text::run(out, &replay, run, style),
                    None => render::text::replay(out, &replay, style),
                })?;
            }
            Format::Json => output.write_with(|out| match run {
                Some(run) => render::json::run(out, definitions, report, run),
                None => render::json::document(out, definitions, report),
            })?,
            Format::Jsonl => {}
        }
        if self.format != Format::Text {
            damage.iter().for_each(|sentence| terminal.warn(sentence));
            if terminal.detail == Detail::Full || self.format == Format::Jsonl {
                terminal.note(&render::text::verdict(report));
            }
        }
        Ok(())
    }

    /// Writes what has become worse since a baseline: with the text, or beside another answer.
    pub(super) fn write_baseline(
        &self,
        output: &mut Output,
        suite: Option<&Suite>,
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        let Some(suite) = suite else { return Ok(()) };
        let suites = std::slice::from_ref(suite);
        if self.format == Format::Text {
            let style = terminal.answer_style(self.output.as_deref());
            return output.write_with(|out| {
                writeln!(out)?;
                render::text::suites(out, suites, terminal.detail, style)
            });
        }
        let mut text = Vec::new();
        // Memory is written to: nothing can fail.
        let _ = render::text::suites(&mut text, suites, terminal.detail, terminal.message_style());
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
        if let Some(batch) = input.batch {
            self.clients.add(batch);
        }
        Some(input)
    }
}
