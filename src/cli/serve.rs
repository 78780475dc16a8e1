//! `foreshock serve`: receives metrics, judges them as they come, and prints events as they open and close.

use super::error::CliError;
use super::exit::ExitStatus;
use super::head;
use super::judging::JudgingArgs;
use super::output::{Output, Terminal};
use super::receiving::{ClockArg, KeepingArgs, Receiving, ReceivingArgs, Recording};
use super::rules::RulesArgs;
use crate::engine::{Engine, EventState, Transition, drive};
use crate::event::EventDefinition;
use crate::model::SECOND;
use crate::receive::{Arrivals, Reception};
use crate::render;
use crate::render::Style;
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
The first SIGINT or SIGTERM ends it: no more is accepted, everything accepted is judged, exit code 0.
The second one ends it at once.

Examples:
  foreshock serve
  foreshock serve --rules my-package --format jsonl --record live.foreshock
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
    judging: JudgingArgs,
    /// What gives an arrival its instant
    #[arg(long, value_name = "WHICH", default_value = "wall", help_heading = "Judging")]
    clock: ClockArg,
    /// Keeps everything that is accepted, for replays
    #[arg(long, value_name = "FILE", help_heading = "Recording")]
    record: Option<PathBuf>,
    #[command(flatten)]
    keeping: KeepingArgs,
    /// Shape of the events
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Answer")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line to read for each event that opens or closes
    Text,
    /// The same as JSON
    Jsonl,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let rules = args.rules.load(terminal)?;
    let options = args.judging.resolve();
    let head = head::write(Some((&rules.digest, &options)));
    let recording = args.record.as_deref().map(|path| Recording { path, head, args: &args.keeping });
    let timestamps = options.timestamps;
    let mut engine = Engine::new(rules.definitions, options);
    let receiving = Receiving {
        args: &args.receiving,
        clock: args.clock,
        timestamps: Some(timestamps),
        step: engine.finest_step().unwrap_or(SECOND),
        recording,
    };
    let status =
        receiving.run(terminal, |reception, arrivals| judge(&mut engine, arrivals, reception, &args, terminal))?;
    terminal.note(&render::text::verdict(&engine.report()));
    Ok(status)
}

/// Judges what arrives until there will be no more.
fn judge(
    engine: &mut Engine,
    mut arrivals: Arrivals,
    reception: &Reception,
    args: &Args,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let mut output = Output::open(None)?;
    let style = terminal.answer_style(None);
    drive(engine, &mut arrivals, |engine, transitions| {
        let opened = transitions.iter().filter(|t| t.event.state == EventState::Open).count();
        reception.publish(engine.counts(), opened as u64, (transitions.len() - opened) as u64);
        if transitions.is_empty() {
            return Ok(());
        }
        // This is where every event leaves.
        output.write_with(|out| {
            transitions
                .iter()
                .try_for_each(|transition| print(out, engine.definitions(), transition, args.format, style))
        })
    })
}

fn print(
    out: &mut impl Write,
    definitions: &[EventDefinition],
    transition: &Transition,
    format: Format,
    style: Style,
) -> std::io::Result<()> {
    match format {
        Format::Text => render::text::transition_line(out, definitions, transition, style),
        Format::Jsonl => {
            render::json::event(out, definitions, &transition.event)?;
            out.write_all(b"\n")
        }
    }
}
