//! `foreshock record`: receives metrics and records them, without evaluating anything.

use super::error::CliError;
use super::exit::ExitStatus;
use super::head;
use super::output::Terminal;
use super::receiving::{ClockArg, KeepingArgs, Receiving, ReceivingArgs, Recording};
use crate::engine::Inputs;
use crate::model::SECOND;
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
    #[arg(long, value_name = "WHICH", default_value = "wall", help_heading = "Recording")]
    clock: ClockArg,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let recording = Recording { path: &args.output, head: head::write(None, None), args: &args.keeping };
    let receiving = Receiving {
        args: &args.receiving,
        clock: args.clock,
        timestamps: None,
        step: SECOND,
        recording: Some(recording),
        memory: None,
    };
    let (mut exports, mut points) = (0u64, 0);
    let status = receiving.run(terminal, |_, mut inputs| {
        while let Some(input) = inputs.next() {
            if let Some(export) = input.export {
                exports += 1;
                points += export.points.len() as u64;
            }
        }
        Ok(())
    })?;
    terminal.note(&format!("{exports} exports with {points} data points written to {}", args.output.display()));
    Ok(status)
}
