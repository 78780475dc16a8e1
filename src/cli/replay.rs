//! `foreshock replay`: recordings in, events and verdicts out.

use super::baseline::{self, BaselineArgs};
use super::error::CliError;
use super::evaluation::EvaluationArgs;
use super::exit::ExitStatus;
use super::gate::{FailOn, GateArgs};
use super::head;
use super::output::{Terminal, keep_apart};
use super::recordings::{Recordings, RecordingsArgs};
use super::results::{EvaluationResults, ResultArgs, WithClients};
use super::retention::RetentionArgs;
use super::rules::{Rules, RulesArgs};
use super::scale::ScaleArgs;
use super::sinks::{self, SinkArgs};
use crate::engine::{Engine, Options, drive};
use crate::gate::{EvaluatedRecording, FileLocation, TracedInputs};
use crate::inspect::Clients;
use crate::model::SECOND;
use crate::sink::WhenFull;
use std::time::Duration;

/// How long an event is tried again: a recording can be replayed once more, so nobody waits long for a dead receiver.
const RETRY_FOR: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
Exit codes: 0 passed; 1 events at or above --fail-on, or worse than --baseline; 2 could not run,
nothing was evaluated, or a sink did not get every event; 4 inconclusive: no metrics received, no
definition could be evaluated, a recording is damaged, or --strict and any definition is inconclusive.
1 wins over 4.

Examples:
  foreshock replay recording.jsonl.gz
  foreshock replay day1.otlp day2.otlp --rules my-package --fail-on critical
  foreshock replay new.jsonl.gz --baseline old.jsonl.gz
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
    judging: EvaluationArgs,
    #[command(flatten)]
    scale: ScaleArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    sinks: SinkArgs,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let specs = args.sinks.parse()?;
    let output = args.results.output.as_deref();
    args.sinks.keep_apart(&specs, output)?;
    let Rules { definitions, places, digest } = args.rules.load(terminal)?;
    let recordings = Recordings::open(&args.recordings, terminal)?;
    let retention = args.retention.of_recordings(head::options(recordings.heads()).as_ref());
    let options = args.scale.options(Options { retention, ..args.judging.resolve() });
    // A recording that says nothing of its interval is taken as one of a run with the default.
    let interval = head::interval(recordings.heads()).unwrap_or(SECOND);
    let definitions = args.scale.definitions(&definitions, interval);
    for path in args.results.files().chain(sinks::files(&specs)) {
        args.recordings.keep_apart(path)?;
        keep_apart([path], args.baseline.files())?;
    }
    let mut sinks = args.sinks.open(&specs, &definitions, WhenFull::Wait, RETRY_FOR, terminal)?;
    let mut output = args.results.open()?;
    head::compare(recordings.heads(), &digest, &args.scale.typed(&options), terminal);
    let before = args.baseline.evaluate(&definitions, &options)?;
    let observed = TracedInputs::new(recordings, before.is_some(), &definitions, &options);
    let mut engine = Engine::new(definitions, options);
    let mut inputs = WithClients { inputs: observed, clients: Clients::default() };
    let driven = drive(&mut engine, &mut inputs, |engine, transitions| {
        transitions.iter().for_each(|transition| sinks.send(transition));
        args.results.transitions(&mut output, engine, transitions)
    });
    let WithClients { inputs: observed, clients } = inputs;
    let (recordings, aggregates) = observed.finish();
    // The sinks come first: the reader of the results may close the pipe before their end.
    let all_sent = sinks::close(sinks, None, terminal);
    driven?;
    let report = engine.report();
    let damage = recordings.damage();
    let gate = args.gate.resolve(FailOn::Never);
    let input_findings = gate.input_findings(&report, &damage, recordings.is_damaged());
    // The built-in rules cannot be fixed here: what they find is placed in the recording.
    let recording = recordings.only_file().map(FileLocation::file);
    let suite = before.map(|before| {
        let (definitions, name) = (engine.definitions().to_vec(), recordings.names().join(", "));
        // Its damage is reported, and counted, without the baseline.
        let now = EvaluatedRecording { definitions, report: report.clone(), aggregates, damage: Vec::new(), name };
        args.baseline.compare(&before, &now, terminal)
    });
    let evaluated = EvaluationResults {
        engine: &engine,
        report: &report,
        clients: clients.finish(),
        sources: recordings.names(),
        damage: &damage,
        run: None,
        fails: &|event| gate.fail_on.fails(event),
        place: &|definition, path| places.of(definition, path).or_else(|| recording.clone()),
        input_findings: &input_findings,
        regressions: suite.as_ref(),
    };
    args.results.write(&mut output, &evaluated, terminal)?;
    let status = gate.status(&report, recordings.is_damaged());
    Ok(terminal.ended(match baseline::status(suite.as_ref(), status) {
        (status, _) if status != ExitStatus::Failed && !all_sent => {
            (ExitStatus::CouldNotRun, "a sink did not get every event")
        }
        status => status,
    }))
}
