//! `foreshock record`: receives metrics and records them, without evaluating anything.

use super::evaluation::{Head, words};
use super::exit::ExitStatus;
use super::output::Terminal;
use super::receiving::{CLOCKS, KeepingArgs, Receiving, ReceivingArgs, Recording};
use crate::clock::Clock;
use crate::engine::Inputs;
use crate::model::SECOND;
use crate::receive::ShutdownTrigger;
use anyhow::Result;
use std::path::PathBuf;

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording; an existing file is renamed, with the time in its name
    #[arg(short, long, value_name = "FILE", required = true)]
    output: PathBuf,
    #[command(flatten)]
    receiving: ReceivingArgs,
    #[command(flatten)]
    keeping: KeepingArgs,
    /// What the receive time is taken from
    #[arg(long, value_name = "WHICH", default_value = "wall", value_parser = words(CLOCKS), help_heading = "Recording")]
    clock: Clock,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    let recording = Recording { path: &args.output, head: Head::unevaluated(), args: &args.keeping };
    let receiving = Receiving {
        args: &args.receiving,
        clock: args.clock,
        timestamps: None,
        step: SECOND,
        recording: Some(recording),
    };
    let (mut exports, mut points) = (0u64, 0);
    receiving.open()?.run(ShutdownTrigger::Signal, *terminal, |_, mut inputs| {
        while let Some(input) = inputs.next() {
            if let Some(export) = input.export {
                exports += 1;
                points += export.points.len() as u64;
            }
        }
    })?;
    terminal.note(&format!("{exports} exports with {points} data points written to {}", args.output.display()));
    Ok(ExitStatus::Passed)
}
