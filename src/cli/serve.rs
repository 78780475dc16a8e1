//! `foreshock serve`: receives metrics, evaluates them as they come, and prints events as they open and close.

use super::evaluation::{EvaluationArgs, Head, RetentionArgs, words};
use super::exit::ExitStatus;
use super::output::{Terminal, formats};
use super::receiving::{CLOCKS, KeepingArgs, Receiving, ReceivingArgs, Recording};
use super::rules::RulesArgs;
use super::sinks::{self, SinkArgs};
use crate::clock::Clock;
use crate::engine::{Engine, Options, drive};
use crate::model::SECOND;
use crate::receive::ShutdownTrigger;
use crate::report::{self, Format, OutcomeKind};
use crate::sink::{SinkSpec, StreamFormat, WhenFull};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// How long an event is tried again: nothing can send it once more.
const RETRY_FOR: Duration = Duration::from_secs(3600);
/// What the shutdown keeps for itself of the time that sinks may take.
const FAREWELL: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = "\
The first SIGINT or SIGTERM ends it: no more is accepted, everything accepted is evaluated, sinks get
what waits for them, exit code 0; 2 when a sink did not get every event. The second one ends it at once.

Examples:
  foreshock serve
  foreshock serve --rules my-package --format jsonl --record live.foreshock
  foreshock serve --sink stdout --sink webhook,token-file=ops.token:https://alerts.example.com/hook
  foreshock serve --grpc 0.0.0.0:4317 --auth-token-file token.txt";

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    receiving: ReceivingArgs,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    evaluation: EvaluationArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    /// What the receive time is taken from
    #[arg(long, value_name = "WHICH", default_value = "wall", value_parser = words(CLOCKS), help_heading = "Evaluation")]
    clock: Clock,
    /// Record everything that is accepted
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    record: Option<PathBuf>,
    #[command(flatten)]
    keeping: KeepingArgs,
    /// Output format of the events on standard output, where they go without --sink
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Transition), conflicts_with = "sinks", help_heading = "Output")]
    format: Format,
    #[command(flatten)]
    sinks: SinkArgs,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    let mut specs = args.sinks.parse()?;
    if specs.is_empty() {
        let is_text = args.format == Format::Text;
        specs.push(SinkSpec::Stdout { format: if is_text { StreamFormat::Text } else { StreamFormat::JsonLines } });
    }
    if let Some(record) = &args.record {
        sinks::keep_apart_from(&specs, record)?;
    }
    let rules = args.rules.load(terminal)?;
    let options = Options { retention: args.retention.of_service(), ..args.evaluation.resolve() };
    let head = Head::new(&rules.digest, &options);
    let recording = args.record.as_deref().map(|path| Recording { path, head, args: &args.keeping });
    let when_full = match args.clock {
        Clock::Wall => WhenFull::Drop,
        // A back-fill does not run away: its senders are asked to wait.
        Clock::Data => WhenFull::Wait,
    };
    let mut sinks = args.sinks.open(&specs, &rules.definitions, when_full, RETRY_FOR, terminal)?;
    let timestamps = options.timestamps;
    let mut engine = Engine::new(rules.definitions, options);
    let receiving = Receiving {
        args: &args.receiving,
        clock: args.clock,
        timestamps: Some(timestamps),
        step: engine.finest_step().unwrap_or(SECOND),
        recording,
    };
    let mut all_sent = true;
    receiving.open()?.run(ShutdownTrigger::Signal, *terminal, |ingest, mut inputs| {
        let counts = sinks.counts_view();
        ingest.expose(Box::new(move || sinks::metrics(&counts.counts())));
        let driven = drive(&mut engine, &mut inputs, |engine, transitions| {
            ingest.publish(engine.counts(), transitions);
            if sinks.have_no_reader() {
                return Err(());
            }
            // This is where every event leaves.
            transitions.iter().for_each(|transition| sinks.send(transition));
            Ok(())
        });
        // Without anybody who hears there is nothing to do, and nothing to wait for.
        let within = match driven {
            Ok(()) => ingest.time_left().map(|left| left.saturating_sub(FAREWELL)),
            Err(()) => Some(Duration::ZERO),
        };
        all_sent = sinks::close(sinks, within, terminal);
        // The receiver waits for the engine until this is gone, and ends all at once when it takes too long.
        drop(inputs);
    })?;
    terminal.note(&report::summary(&engine.report()));
    if all_sent { Ok(ExitStatus::Passed) } else { Ok(ExitStatus::CouldNotRun) }
}
