//! `foreshock replay`: recordings in, events and verdicts out.

use super::error::CliError;
use super::exit::ExitStatus;
use super::head;
use super::judging::JudgingArgs;
use super::output::{Output, Terminal};
use super::recordings::{Recordings, RecordingsArgs};
use super::rules::RulesArgs;
use super::sinks::{self, SinkArgs};
use crate::engine::{Engine, Input, Inputs, Report, Verdict, drive};
use crate::inspect::{Client, Clients};
use crate::render;
use crate::render::text::{Detail, Replay};
use crate::sink::WhenFull;
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How long an event is tried again: a recording can be replayed once more, so nobody waits long for a dead receiver.
const RETRY_FOR: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
Exit codes: 0 passed; 1 events at or above --fail-on; 2 could not run, nothing was judged,
or a sink did not get every event; 4 inconclusive: no point arrived, no definition could be
judged, a recording is damaged, or --strict and any definition is inconclusive. 1 wins.

Examples:
  foreshock replay recording.jsonl.gz
  foreshock replay day1.otlp day2.otlp --rules my-package --fail-on critical
  foreshock replay recording.jsonl.gz --set high-cpu-utilization.conditionValue=0.9 --format json";

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    recordings: RecordingsArgs,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    judging: JudgingArgs,
    #[command(flatten)]
    gate: Gate,
    /// Shape of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Answer")]
    format: Format,
    /// Writes the answer to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Answer")]
    output: Option<PathBuf>,
    #[command(flatten)]
    sinks: SinkArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
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
struct Gate {
    /// Exit code 1 when there is an event at or above this severity
    #[arg(long, value_name = "SEVERITY", default_value = "never")]
    fail_on: FailOn,
    /// Exit code 4 when any definition is inconclusive
    #[arg(long)]
    strict: bool,
    /// Exit code 0 although no point arrived or no definition could be judged
    #[arg(long)]
    allow_no_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
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
    fn status(&self, report: &Report, damaged: bool) -> (ExitStatus, &'static str) {
        let (limit, failed) = match self.fail_on {
            FailOn::Never => (i64::MAX, ""),
            FailOn::Warning => (5, "an event at or above --fail-on warning"),
            FailOn::Critical => (10, "an event at or above --fail-on critical"),
        };
        if self.fail_on != FailOn::Never && report.events.iter().any(|event| event.severity >= limit) {
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

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let specs = args.sinks.parse()?;
    args.sinks.keep_apart(&specs, args.output.as_deref())?;
    let rules = args.rules.load(terminal)?;
    let options = args.judging.resolve();
    let recordings = Recordings::open(&args.recordings, terminal)?;
    for path in args.output.as_deref().into_iter().chain(sinks::files(&specs)) {
        args.recordings.keep_apart(path)?;
    }
    let mut sinks = args.sinks.open(&specs, &rules.definitions, WhenFull::Wait, RETRY_FOR, terminal)?;
    let mut output = Output::open(args.output.as_deref())?;
    head::compare(recordings.heads(), &rules.digest, &options, terminal);
    let mut engine = Engine::new(rules.definitions, options);
    let mut inputs = Watched { recordings, clients: Clients::default() };
    let driven = drive(&mut engine, &mut inputs, |engine, transitions| {
        transitions.iter().for_each(|transition| sinks.send(transition));
        match args.format {
            Format::Jsonl if transitions.is_empty() => Ok(()),
            Format::Jsonl => output.write_with(|out| {
                for transition in transitions.drain(..) {
                    render::json::event(out, engine.definitions(), &transition.event)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            }),
            Format::Text | Format::Json => Ok(()),
        }
    });
    let Watched { recordings, clients } = inputs;
    // The sinks come first: who reads the answer may leave before its end.
    let all_sent = sinks::close(sinks, None, terminal);
    driven?;
    let report = engine.report();
    answer(
        &args,
        terminal,
        &mut output,
        &Judged { engine: &engine, report: &report, clients: clients.finish() },
        &recordings,
    )?;
    let (status, why) = match args.gate.status(&report, recordings.is_damaged()) {
        (status, _) if status != ExitStatus::Failed && !all_sent => {
            (ExitStatus::CouldNotRun, "a sink did not get every event")
        }
        judged => judged,
    };
    if status != ExitStatus::Passed {
        terminal.note(&format!("exit code {}: {why}", status.code()));
    }
    Ok(status)
}

/// What came out of judging.
struct Judged<'a> {
    engine: &'a Engine,
    report: &'a Report,
    clients: Vec<Client>,
}

/// Writes the answer, as far as it is not written yet.
fn answer(
    args: &Args,
    terminal: &Terminal,
    output: &mut Output,
    judged: &Judged<'_>,
    recordings: &Recordings,
) -> Result<(), CliError> {
    let Judged { engine, report, clients } = judged;
    let damage: Vec<String> = recordings.damage();
    match args.format {
        Format::Text => {
            let replay = Replay {
                definitions: engine.definitions(),
                report,
                sources: recordings.names(),
                damage: &damage,
                clients,
                detail: terminal.detail,
            };
            let style = terminal.answer_style(args.output.as_deref());
            output.write_with(|out| render::text::replay(out, &replay, style))?;
        }
        Format::Json => output.write_with(|out| render::json::document(out, engine.definitions(), report))?,
        Format::Jsonl => {}
    }
    if args.format != Format::Text {
        damage.iter().for_each(|sentence| terminal.warn(sentence));
        if terminal.detail == Detail::Full || args.format == Format::Jsonl {
            terminal.note(&render::text::verdict(report));
        }
    }
    Ok(())
}

/// The recordings, and what is learnt of their clients on the way.
struct Watched {
    recordings: Recordings,
    clients: Clients,
}

impl Inputs for Watched {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.recordings.next()?;
        if let Some(batch) = input.batch {
            self.clients.add(batch);
        }
        Some(input)
    }
}
