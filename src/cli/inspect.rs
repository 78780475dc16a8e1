//! `foreshock inspect`: what is in recordings.

use super::exit::ExitStatus;
use super::output::{Output, Terminal, formats, keep_apart};
use super::recordings::{Recordings, RecordingsArgs};
use crate::engine::Inputs;
use crate::inspect::Inspection;
use crate::report::{Format, Inspected, Outcome, OutcomeKind};
use anyhow::Result;
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recordings: RecordingsArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Inspection))]
    format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command. No point, or damage, is exit code 4: nothing was found out.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    let mut recordings = Recordings::open(&args.recordings, terminal)?;
    keep_apart(args.output.as_deref(), args.recordings.files())?;
    let mut output = Output::open(args.output.as_deref(), terminal)?;
    let mut inspection = Inspection::default();
    while let Some(input) = recordings.next() {
        if let Some(export) = input.export {
            inspection.add(export, input.received_at);
        }
    }
    let findings = inspection.finish();
    let damage = recordings.damage();
    let inspected = Inspected {
        findings: &findings,
        sources: recordings.names(),
        forms: &recordings.forms(),
        damage: &damage,
        detail: terminal.detail,
    };
    output.write_outcome(args.format, &Outcome::Inspection(&inspected))?;
    if args.format != Format::Text {
        damage.iter().for_each(|sentence| terminal.warn(sentence));
    }
    let nothing = findings.points == 0 || recordings.is_damaged();
    Ok(if nothing { ExitStatus::Inconclusive } else { ExitStatus::Passed })
}
