//! JSON: one document of each kind of results, and one event.
//!
//! The order of the keys is part of the contract, so everything is a struct written in that order. Doubles are the
//! shortest text that reads back as the same value; timestamps and spans are whole milliseconds.

mod cases;
mod diff;
mod inspection;
mod replay;
mod trend;
mod tune;

pub use replay::event;

use super::outcome::Outcome;
use serde::Serialize;
use std::io::{self, Write};

/// Writes the document: indented, one line's end behind it.
pub(super) fn write(out: &mut dyn Write, outcome: &Outcome<'_>) -> io::Result<()> {
    match outcome {
        Outcome::Replay(replay) => match replay.run {
            Some(run) => pretty(out, &replay::RunDocument::new(&replay.replay, run)),
            None => pretty(out, &replay::ReplayDocument::new(&replay.replay)),
        },
        Outcome::Check(check) => pretty(out, &cases::CheckDocument::new(check.suites)),
        Outcome::Tune(tune) => pretty(out, &tune::TuneDocument::new(tune)),
        Outcome::Diff(diff) => pretty(out, &diff::DiffDocument::new(diff)),
        Outcome::Inspection(inspected) => pretty(out, &inspection::InspectionDocument::new(inspected.findings)),
        Outcome::Transition(..) => outcome.unsupported(),
    }
}

/// Writes an indented document, and one line's end behind it.
pub(super) fn pretty(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}
