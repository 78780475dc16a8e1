//! `foreshock run -- CMD`: runs a command, evaluates the metrics it sends meanwhile, and gives the verdict when it has ended.

use super::child::{self, Protocol, Variables};
use super::evaluation::{EvaluationArgs, Head, ScaleArgs, evaluate};
use super::exit::ExitStatus;
use super::gate::{BaselineArgs, FailOn, GateArgs};
use super::memory::{self, KeptInputs};
use super::output::{Terminal, differ, keep_apart};
use super::receiving::{KeepingArgs, LimitArgs, Receiving, ReceivingArgs, Recording};
use super::results::{EvaluationResults, ResultArgs, ResultFiles};
use super::rules::{Rules, RulesArgs};
use super::sinks::{self, SinkArgs};
use super::values::{nanos, span};
use crate::catalog;
use crate::clock::Clock;
use crate::definition::{Aggregation, EventDefinition};
use crate::engine::{EvaluationReport, Options};
use crate::gate::{self, EvaluatedRecording, ShortRun, Suite};
use crate::inspect::Client;
use crate::model::{MS, Nanos, SECOND};
use crate::receive::ShutdownTrigger;
use crate::report::{CommandRun, Format, Preview};
use crate::sink::WhenFull;
use anyhow::Result;
use bytes::Bytes;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long requests and the engine may take when everything has been sent.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// How long an event is tried again: whoever waits for the verdict does not wait long for a dead receiver.
const RETRY_FOR: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
The command finds OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_METRICS_EXPORTER and
OTEL_METRIC_EXPORT_INTERVAL set to send its metrics here; what is set already stays as it is.

Exit codes: that of the command when it fails (128 and the signal's number when one ends it); else
0 passed; 1 events at or above --fail-on, or worse than --baseline; 2 could not run, or a sink did
not get every event; 4 inconclusive: no metrics received, or no definition could be evaluated, or
--strict and any definition is inconclusive.

Examples:
  foreshock run -- opentelemetry-instrument python app.py
  foreshock run --rules my-package --window-scale 0.1 --record evidence.foreshock -- pytest -q
  foreshock run --rules my-package --format json -o verdict.json -- make load-test";

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Export interval of the command
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Export protocol of the command
    #[arg(long, value_name = "PROTOCOL", default_value = "grpc")]
    protocol: Protocol,
    /// How long processes that are still connected when the command has ended may go on exporting
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = span)]
    flush_timeout: Duration,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    evaluation: EvaluationArgs,
    #[command(flatten)]
    scale: ScaleArgs,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    sinks: SinkArgs,
    /// Record everything that is received
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    record: Option<PathBuf>,
    #[command(flatten)]
    keeping: KeepingArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the command. `typed` is what was typed, the name of the program in front.
pub(super) fn run(mut args: Args, typed: &[OsString], terminal: &Terminal) -> Result<ExitStatus> {
    let specs = args.sinks.parse_beside(args.results.output.as_deref())?;
    if let Some(record) = &args.record {
        sinks::keep_apart_from(&specs, record)?;
    }
    let by_default = if args.rules.are_named() { FailOn::Critical } else { FailOn::Never };
    args.gate.fail_on.get_or_insert(by_default);
    let outputs = || args.results.files().chain(args.record.as_deref());
    differ(outputs())?;
    keep_apart(outputs().chain(sinks::files(&specs)), args.baseline.files())?;
    // Before anything is opened, and an existing recording renamed.
    child::find(&args.command)?;
    let rules = args.rules.load(terminal)?;
    let options = Options { scaled_windows: args.scale.is_less(), ..args.evaluation.resolve() };
    // A variable that is set stays, whatever was typed.
    let exports_every = child::interval_there().unwrap_or(args.interval);
    let interval = nanos(exports_every);
    let head = Head::new(&rules.digest, &options).scaled(&args.scale, interval);
    let receiving = Receiving {
        args: &ReceivingArgs::on_free_ports(&args.limits, SHUTDOWN),
        clock: Clock::Wall,
        timestamps: Some(options.timestamps),
        step: SECOND,
        recording: args.record.as_deref().map(|path| Recording { path, head, args: &args.keeping }),
    };
    let mut output = args.results.open(terminal)?;
    let open = receiving.open()?;
    let variables = Variables::new((open.grpc, open.http), args.protocol, exports_every);
    if !variables.elsewhere.is_empty() {
        let names = variables.elsewhere.join(", ");
        terminal.warn(&format!("in the environment already, and left as it is: {names}; metrics may go elsewhere"));
    }
    let definitions = args.scale.definitions(&rules.definitions, interval);
    let before = args.baseline.evaluate(&definitions, &options)?;
    let mut sinks = args.sinks.open(&specs, &definitions, WhenFull::Drop, RETRY_FOR, terminal)?;

    let (ended, command_ended) = oneshot::channel();
    let trigger = ShutdownTrigger::Other { ended: command_ended, linger: args.flush_timeout };
    let name = child::shown(&args.command);
    // A reader that leaves does not end the evaluation: the command goes on.
    let mut written = Ok(());
    let mut evaluated = None;
    let (ran, received) = thread::scope(|scope| {
        let child = scope.spawn(|| child::run(&args.command, &variables, ended));
        let received = open.run(trigger, *terminal, |ingest, inputs| {
            let of = (definitions, &options);
            let (evaluation, Ok(())) =
                evaluate((KeptInputs::new(inputs), name), of, before.is_some(), |engine, transitions| {
                    ingest.publish(engine.counts(), transitions);
                    transitions.iter().for_each(|transition| sinks.send(transition));
                    if written.is_ok() {
                        written = args.results.transitions(&mut output, engine.definitions(), transitions);
                    }
                    Ok::<(), Infallible>(())
                });
            evaluated = Some((evaluation.result, evaluation.clients, evaluation.inputs.finish()));
        });
        (child.join(), received)
    });
    let all_sent = sinks::close(sinks, None, terminal);
    let ran = ran.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let Some((result, clients, kept)) = evaluated else {
        return finish(ran, received, (ExitStatus::CouldNotRun, "nothing was received"), &args.command, terminal);
    };
    let suite = before.map(|before| args.baseline.compare(&before, &result, terminal));
    let own = args.gate.status(&result.report, false, suite.as_ref(), all_sent);
    let finished = FinishedRun {
        args: &args,
        typed,
        rules: &rules,
        options: &options,
        ran,
        interval,
        // What could not be received, or not be written, says why nothing can be evaluated.
        silence: (result.report.counts.points == 0).then(|| silence(&variables)),
        evaluated: &result,
        clients: &clients,
        kept: kept.as_ref(),
        regressions: suite.as_ref(),
    };
    let reported = received.and(written).and_then(|()| finished.report(&mut output, terminal));
    finish(ran, reported, own, &args.command, terminal)
}

/// A run that is over.
struct FinishedRun<'a> {
    args: &'a Args,
    typed: &'a [OsString],
    rules: &'a Rules,
    options: &'a Options,
    ran: ExitStatus,
    interval: Nanos,
    silence: Option<String>,
    evaluated: &'a EvaluatedRecording,
    clients: &'a [Client],
    /// What was received; `None` when it was too much to keep.
    kept: Option<&'a Bytes>,
    regressions: Option<&'a Suite>,
}

impl FinishedRun<'_> {
    /// Writes the results, with what shorter windows would have given.
    fn report(&self, output: &mut ResultFiles, terminal: &Terminal) -> Result<()> {
        let (args, scale) = (self.args, self.args.scale.window_scale);
        let EvaluatedRecording { definitions, report, .. } = self.evaluated;
        let mut too_short = gate::too_short(definitions, report, self.options);
        let sent_every = self.kept.map(memory::longest_interval).transpose()?.flatten().unwrap_or(self.interval);
        // The command may set an interval of its own.
        let has_its_own = sent_every > self.interval + self.interval / 2;
        let interval = if has_its_own { sent_every } else { self.interval };
        let mut shrunk = None;
        if let Some(kept) = self.kept {
            let written = &self.rules.definitions;
            let run = ShortRun { written, scale, options: self.options, open: &|| memory::open(kept) };
            run.refine(definitions, &mut too_short)?;
            shrunk = run.shrink(&too_short, interval)?;
        } else if !too_short.is_empty() {
            terminal.warn("more was received than is kept in memory, so shorter windows were not tried");
        }
        if args.scale.is_less() && has_its_own {
            let (given, found) = (self.interval / MS, sent_every / MS);
            terminal.warn(&format!(
                "the command exports every {found} ms, not every {given} ms: windows may hold few points"
            ));
        }
        let again = shrunk.as_ref().map(|shrunk| typed_again(self.typed, shrunk.scale));
        let command: Vec<String> = args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let run = CommandRun {
            command: &command,
            exit_code: self.ran.code(),
            interval,
            window_scale: scale,
            too_short: &too_short,
            preview: shrunk.as_ref().zip(again.as_deref()).map(|(shrunk, again)| Preview {
                window_scale: shrunk.scale,
                definitions: &shrunk.definitions,
                report: &shrunk.report,
                command: again,
            }),
            depend_on_interval: &depend_on_interval(definitions, report),
            silence: self.silence.as_deref(),
        };
        if let (Some(silence), false) = (&self.silence, args.results.format == Format::Text) {
            terminal.warn(silence);
        }
        let results = EvaluationResults {
            evaluated: self.evaluated,
            clients: self.clients,
            sources: std::slice::from_ref(&self.evaluated.name),
            damage: &[],
            is_damaged: false,
            run: Some(run),
            gate: &args.gate,
            places: &self.rules.places,
            recording: None,
            regressions: self.regressions,
        };
        args.results.write(output, &results, terminal)
    }
}

/// The status to end with; the last line says whose it is.
fn finish(
    ran: ExitStatus,
    reported: Result<()>,
    (own, why): (ExitStatus, &str),
    command: &[OsString],
    terminal: &Terminal,
) -> Result<ExitStatus> {
    let name = child::shown(command.get(..1).unwrap_or_default());
    if ran == ExitStatus::Passed {
        reported?;
        if own != ExitStatus::Passed {
            let code = own.code();
            terminal.note(&format!("foreshock failed the run (exit {code}): {why}; {name} itself succeeded"));
        }
        return Ok(own);
    }
    if let Err(error) = reported {
        terminal.error(&error);
    }
    let (code, of) = (ran.code(), if ran.code() > 128 { ", ended by a signal" } else { "" });
    let own = match own {
        ExitStatus::Passed => "foreshock alone would exit with 0".to_string(),
        _ => format!("foreshock alone would exit with {}: {why}", own.code()),
    };
    terminal.note(&format!("{name} failed the run (exit {code}){of}; {own}"));
    Ok(ran)
}

/// Definitions that evaluate how fast a metric changes whose changes depend on how often one looks.
fn depend_on_interval(definitions: &[EventDefinition], report: &EvaluationReport) -> Vec<String> {
    let depends = |definition: &EventDefinition| {
        definition.rules.iter().any(|rule| {
            let Some(threshold) = rule.threshold() else { return false };
            let metric = rule.metric_ids().first().and_then(|id| catalog::python().metric_of_path(id.path()));
            matches!(threshold.aggregation, Aggregation::Rate | Aggregation::Delta)
                && metric.is_some_and(|metric| metric.depends_on_interval)
        })
    };
    let matched = definitions.iter().zip(&report.definitions).filter(|(_, report)| report.matched_series > 0);
    matched.filter(|(definition, _)| depends(definition)).map(|(definition, _)| definition.name.clone()).collect()
}

/// What was typed, with another scale.
fn typed_again(typed: &[OsString], scale: f64) -> String {
    let end = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    let (before, command) = typed.split_at(end);
    let mut words = Vec::new();
    let mut before = before.iter().map(|word| word.to_string_lossy());
    while let Some(word) = before.next() {
        if word == "--window-scale" {
            before.next();
        } else if !word.starts_with("--window-scale=") {
            words.push(child::quoted(&word));
        }
    }
    words.extend(["--window-scale".to_string(), scale.to_string()]);
    words.extend(command.iter().map(|word| child::quoted(&word.to_string_lossy())));
    words.join(" ")
}

/// Why nothing may have arrived, and what to do.
fn silence(variables: &Variables) -> String {
    let mut text = "The command sent no metrics. A Python program sends them when it is started like this:\n  \
        pip install opentelemetry-distro opentelemetry-exporter-otlp opentelemetry-instrumentation-system-metrics\n  \
        foreshock run -- opentelemetry-instrument python app.py\n\
        Metrics go out once an interval and at a clean end: a program that is killed, or ends by SIGTERM without a\n\
        handler, sends nothing at its end."
        .to_string();
    let set: Vec<&str> = variables.elsewhere.iter().chain(&variables.hindrances).copied().collect();
    if !set.is_empty() {
        text += &format!("\nSet in the environment, and possibly the reason: {}", set.join(", "));
    }
    text
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = span(text)?;
    if interval < Duration::from_millis(10) { Err("an export interval is at least 10ms".into()) } else { Ok(interval) }
}
