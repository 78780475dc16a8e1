//! `foreshock replay`: recordings in, events and verdicts out.

use super::evaluation::{self, EvaluationArgs, Head, RetentionArgs, ScaleArgs, evaluate};
use super::exit::ExitStatus;
use super::gate::{BaselineArgs, GateArgs};
use super::output::{Terminal, keep_apart};
use super::recordings::{Recordings, RecordingsArgs};
use super::results::{EvaluationResults, ResultArgs};
use super::rules::{Rules, RulesArgs};
use super::sinks::{self, SinkArgs};
use crate::engine::Options;
use crate::gate::FileLocation;
use crate::model::SECOND;
use crate::sink::WhenFull;
use anyhow::Result;
use std::path::Path;
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
    evaluation: EvaluationArgs,
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
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    let specs = args.sinks.parse_beside(args.results.output.as_deref())?;
    let Rules { definitions, places, digest } = args.rules.load(terminal)?;
    let recordings = Recordings::open(&args.recordings, terminal)?;
    let retention = args.retention.of_recordings(recordings.heads());
    let options = Options { retention, scaled_windows: args.scale.is_less(), ..args.evaluation.resolve() };
    // A recording that says nothing of its interval is taken as one of a run with the default.
    let interval = evaluation::interval(recordings.heads()).unwrap_or(SECOND);
    let definitions = args.scale.definitions(&definitions, interval);
    let inputs = args.recordings.files().chain(args.baseline.files());
    keep_apart(args.results.files().chain(sinks::files(&specs)), inputs)?;
    let mut sinks = args.sinks.open(&specs, &definitions, WhenFull::Wait, RETRY_FOR, terminal)?;
    let mut output = args.results.open(terminal)?;
    Head::new(&digest, &options).scaled(&args.scale, interval).compare(recordings.heads(), terminal);
    let before = args.baseline.evaluate(&definitions, &options)?;
    let name = recordings.names().join(", ");
    let (evaluation, driven) =
        evaluate((recordings, name), (definitions, &options), before.is_some(), |engine, transitions| {
            transitions.iter().for_each(|transition| sinks.send(transition));
            args.results.transitions(&mut output, engine.definitions(), transitions)
        });
    // The sinks come first: the reader of the results may close the pipe before their end.
    let all_sent = sinks::close(sinks, None, terminal);
    driven?;
    let (recordings, result) = (evaluation.inputs, evaluation.result);
    let suite = before.map(|before| args.baseline.compare(&before, &result, terminal));
    let results = EvaluationResults {
        evaluated: &result,
        clients: &evaluation.clients,
        sources: recordings.names(),
        damage: &recordings.damage(),
        is_damaged: recordings.is_damaged(),
        run: None,
        gate: &args.gate,
        places: &places,
        // The built-in rules cannot be fixed here: what they find is placed in the recording.
        recording: match recordings.names() {
            [name] if Path::new(name).is_file() => Some(FileLocation::file(name)),
            _ => None,
        },
        regressions: suite.as_ref(),
    };
    args.results.write(&mut output, &results, terminal)?;
    Ok(terminal.ended(args.gate.status(&result.report, recordings.is_damaged(), suite.as_ref(), all_sent)))
}
