//! `foreshock run -- CMD`: runs a command, evaluates the metrics it sends meanwhile, and gives the verdict when it has ended.

use super::baseline::{self, BaselineArgs};
use super::child::{self, Protocol, Variables};
use super::error::CliError;
use super::evaluation::EvaluationArgs;
use super::exit::ExitStatus;
use super::gate::{FailOn, Gate, GateArgs};
use super::head;
use super::memory::{self, KeptInputs, Memory};
use super::output::{Terminal, differ, keep_apart};
use super::receiving::{self, ClockArg, KeepingArgs, LimitArgs, Receiving, ReceivingArgs, Recording};
use super::results::{EvaluationResults, ResultArgs, ResultFiles, WithClients};
use super::rules::{Places, RulesArgs};
use super::scale::ScaleArgs;
use super::sinks::{self, SinkArgs};
use crate::catalog;
use crate::definition::{Aggregation, EventDefinition};
use crate::engine::{Engine, EvaluationReport, EventState, Options, drive};
use crate::gate::{self, Aggregates, EvaluatedRecording, ShortRun, Suite, TracedInputs};
use crate::inspect::{Client, Clients};
use crate::model::{MS, Nanos, SECOND};
use crate::receive::{IngestService, InputStream, ShutdownTrigger};
use crate::report::{CommandRun, Preview};
use crate::sink::{Sinks, WhenFull};
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
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = receiving::span)]
    flush_timeout: Duration,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    judging: EvaluationArgs,
    #[command(flatten)]
    scale: ScaleArgs,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    answer: ResultArgs,
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
pub(super) fn run(args: Args, typed: &[OsString], terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let Args {
        interval,
        protocol,
        flush_timeout,
        rules,
        judging,
        scale,
        baseline,
        gate,
        answer,
        sinks,
        record,
        keeping,
        limits,
        command,
    } = args;
    let specs = sinks.parse()?;
    sinks.keep_apart(&specs, answer.output.as_deref())?;
    if let Some(record) = &record {
        sinks::keep_apart_from(&specs, record)?;
    }
    let outputs = || answer.files().chain(record.as_deref());
    differ(outputs())?;
    keep_apart(outputs().chain(sinks::files(&specs)), baseline.files())?;
    // Before anything is opened, and an existing recording renamed.
    child::find(&command)?;
    let gate = gate.resolve(if rules.are_named() { FailOn::Critical } else { FailOn::Never });
    let rules = rules.load(terminal)?;
    let options = scale.options(judging.resolve());
    // A variable that is set stays, whatever was typed.
    let exports_every = child::interval_there().unwrap_or(interval);
    let interval = Nanos::try_from(exports_every.as_nanos()).unwrap_or(Nanos::MAX);
    let memory = Memory::new().map_err(|source| CliError::Convert { to: "memory".into(), source })?;
    let head = head::write(Some((&rules.digest, scale.typed(&options))), scale.is_less().then_some(interval));
    let receiving = Receiving {
        args: &ReceivingArgs::on_free_ports(limits, SHUTDOWN),
        clock: ClockArg::Wall,
        timestamps: Some(options.timestamps),
        step: SECOND,
        recording: record.as_deref().map(|path| Recording { path, head, args: &keeping }),
        memory: Some(memory.writer()),
    };
    let mut output = answer.open()?;
    let open = receiving.open()?;
    let variables = Variables::new((open.grpc, open.http), protocol, exports_every);
    if !variables.elsewhere.is_empty() {
        let names = variables.elsewhere.join(", ");
        terminal.warn(&format!("in the environment already, and left as it is: {names}; metrics may go elsewhere"));
    }
    let definitions = scale.definitions(&rules.definitions, interval);
    let before = baseline.evaluate(&definitions, &options)?;
    let traced = TraceWanted { definitions: definitions.clone(), options: &options, is_wanted: before.is_some() };
    let mut sinks = sinks.open(&specs, &definitions, WhenFull::Drop, RETRY_FOR, terminal)?;
    let mut engine = Engine::new(definitions, options.clone());

    let (ended, command_ended) = oneshot::channel();
    let mut broken = None;
    let (mut clients, mut aggregates) = (Vec::new(), Aggregates::default());
    let (ran, received) = thread::scope(|scope| {
        let child = scope.spawn(|| child::run(&command, &variables, ended));
        let received = open.run(
            ShutdownTrigger::Other { ended: command_ended, linger: flush_timeout },
            terminal,
            |_| (),
            |ingest, inputs| {
                let to = (&answer, &mut output, &mut sinks);
                (clients, aggregates) = judge(&mut engine, inputs, ingest, &traced, to, &mut broken);
                Ok(())
            },
        );
        (child.join(), received)
    });
    let all_sent = sinks::close(sinks, None, terminal);
    let ran = ran.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let report = engine.report();
    let suite = before.map(|before| {
        let (definitions, name) = (engine.definitions().to_vec(), child::shown(&command));
        let now = EvaluatedRecording { definitions, report: report.clone(), aggregates, damage: Vec::new(), name };
        baseline.compare(&before, &now, terminal)
    });
    let results = RunResults {
        command: &command,
        typed,
        ran,
        interval,
        scale: &scale,
        // What could not be received, or not be answered, says why it cannot be judged.
        silence: (report.counts.points == 0).then(|| silence(&variables)),
        judged: (&engine, &report, clients),
        gate,
        places: &rules.places,
        worse: suite.as_ref(),
    };
    let answered = match (received, broken) {
        (Ok(()), None) => tell(results, (&rules.definitions, &options), &memory, (&answer, &mut output), terminal),
        (Err(error), _) | (Ok(()), Some(error)) => Err(error),
    };
    let judged = match baseline::status(suite.as_ref(), gate.status(&report, false)) {
        (status, _) if status != ExitStatus::Failed && !all_sent => {
            (ExitStatus::CouldNotRun, "a sink did not get every event")
        }
        judged => judged,
    };
    finish(ran, answered, judged, &command, terminal)
}

/// Judges what arrives until there will be no more. A reader that leaves does not end it: the command goes on.
fn judge(
    engine: &mut Engine,
    received: InputStream,
    ingest: &IngestService,
    traced: &TraceWanted<'_>,
    (answer, output, sinks): (&ResultArgs, &mut ResultFiles, &mut Sinks),
    broken: &mut Option<CliError>,
) -> (Vec<Client>, Aggregates) {
    let observed = TracedInputs::new(received, traced.is_wanted, &traced.definitions, traced.options);
    let mut inputs = WithClients { inputs: observed, clients: Clients::default() };
    let Ok(()) = drive(engine, &mut inputs, |engine, transitions| {
        let opened = transitions.iter().filter(|t| t.event.state == EventState::Open).count();
        ingest.publish(engine.counts(), opened as u64, (transitions.len() - opened) as u64);
        transitions.iter().for_each(|transition| sinks.send(transition));
        if broken.is_none() {
            *broken = answer.transitions(output, engine, transitions).err();
        }
        Ok::<(), Infallible>(())
    });
    (inputs.clients.finish(), inputs.inputs.finish().1)
}

/// What the values are traced with that a baseline is compared by.
struct TraceWanted<'a> {
    definitions: Vec<EventDefinition>,
    options: &'a Options,
    is_wanted: bool,
}

/// What there is to tell.
struct RunResults<'a> {
    command: &'a [OsString],
    typed: &'a [OsString],
    ran: ExitStatus,
    interval: Nanos,
    scale: &'a ScaleArgs,
    silence: Option<String>,
    judged: (&'a Engine, &'a EvaluationReport, Vec<Client>),
    gate: Gate,
    places: &'a Places,
    worse: Option<&'a Suite>,
}

/// Writes the answer, with what shorter windows would have said.
fn tell(
    results: RunResults<'_>,
    (definitions, options): (&[EventDefinition], &Options),
    memory: &Memory,
    (answer, output): (&ResultArgs, &mut ResultFiles),
    terminal: &Terminal,
) -> Result<(), CliError> {
    let (engine, report, clients) = results.judged;
    let kept = memory.take();
    let mut too_short = gate::too_short(engine.definitions(), report, options);
    let sent_every = match &kept {
        Some(kept) => memory::longest_interval(kept)?.unwrap_or(results.interval),
        None => results.interval,
    };
    // The command may set an interval of its own.
    let has_its_own = sent_every > results.interval + results.interval / 2;
    let interval = if has_its_own { sent_every } else { results.interval };
    let mut shrunk = None;
    if let Some(kept) = &kept {
        let open = || KeptInputs::open(kept);
        let run = ShortRun { written: definitions, scale: results.scale.fraction(), options, open: &open };
        run.refine(engine.definitions(), &mut too_short)?;
        shrunk = run.shrink(&too_short, interval)?;
    }
    if kept.is_none() && !too_short.is_empty() {
        terminal.warn("more was received than is kept in memory, so shorter windows were not tried");
    }
    if results.scale.is_less() && has_its_own {
        let (given, found) = (results.interval / MS, sent_every / MS);
        terminal
            .warn(&format!("the command exports every {found} ms, not every {given} ms: windows may hold few points"));
    }
    let again = shrunk.as_ref().map(|shrunk| typed_again(results.typed, shrunk.scale));
    let command: Vec<String> = results.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let run = CommandRun {
        command: &command,
        exit_code: results.ran.code(),
        interval,
        window_scale: results.scale.fraction(),
        too_short: &too_short,
        preview: shrunk.as_ref().zip(again.as_deref()).map(|(shrunk, again)| Preview {
            window_scale: shrunk.scale,
            definitions: &shrunk.definitions,
            report: &shrunk.report,
            command: again,
        }),
        depend_on_interval: &depend_on_interval(engine.definitions(), report),
        silence: results.silence.as_deref(),
    };
    if let (Some(silence), false) = (&results.silence, answer.is_text()) {
        terminal.warn(silence);
    }
    let sources = [child::shown(results.command)];
    let judged = EvaluationResults {
        engine,
        report,
        clients,
        sources: &sources,
        damage: &[],
        run: Some(run),
        fails: &|event| results.gate.fail_on.fails(event),
        place: &|definition, path| results.places.of(definition, path),
        input_findings: &results.gate.input_findings(report, &[], false),
        regressions: results.worse,
    };
    answer.write(output, &judged, terminal)
}

/// The status to end with; the last line says whose it is.
fn finish(
    ran: ExitStatus,
    answered: Result<(), CliError>,
    (judged, why): (ExitStatus, &str),
    command: &[OsString],
    terminal: &Terminal,
) -> Result<ExitStatus, CliError> {
    let name = child::shown(command.get(..1).unwrap_or_default());
    if ran == ExitStatus::Passed {
        answered?;
        if judged != ExitStatus::Passed {
            let code = judged.code();
            terminal.note(&format!("foreshock failed the run (exit {code}): {why}; {name} itself succeeded"));
        }
        return Ok(judged);
    }
    if let Err(error) = answered {
        terminal.error(&error);
    }
    let (code, of) = (ran.code(), if ran.code() > 128 { ", ended by a signal" } else { "" });
    let own = match judged {
        ExitStatus::Passed => "foreshock alone would exit with 0".to_string(),
        _ => format!("foreshock alone would exit with {}: {why}", judged.code()),
    };
    terminal.note(&format!("{name} failed the run (exit {code}){of}; {own}"));
    Ok(ran)
}

/// Definitions that judge how fast a metric changes whose changes depend on how often one looks.
fn depend_on_interval(definitions: &[EventDefinition], report: &EvaluationReport) -> Vec<String> {
    let depends = |definition: &EventDefinition| {
        definition.rules.iter().any(|rule| {
            let Some(threshold) = rule.threshold() else { return false };
            let metric = rule.metric_ids().first().and_then(|id| catalog::python().metric_of_path(id.path()));
            matches!(threshold.aggregation, Aggregation::Rate | Aggregation::Delta)
                && metric.is_some_and(|metric| metric.depends_on_interval)
        })
    };
    let judged = definitions.iter().zip(&report.definitions).filter(|(_, report)| report.matched_series > 0);
    judged.filter(|(definition, _)| depends(definition)).map(|(definition, _)| definition.name.clone()).collect()
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
    let interval = receiving::span(text)?;
    if interval < Duration::from_millis(10) { Err("an export interval is at least 10ms".into()) } else { Ok(interval) }
}
