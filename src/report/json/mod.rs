//! JSON: one document of each kind of results, and a line for each event. Timestamps and spans are whole milliseconds.

mod cases;
mod diff;
mod inspection;
mod replay;
mod tune;

pub use replay::event;

use super::document::pretty;
use super::outcome::Outcome;
use std::io::{self, Write};

/// Writes the line of an event that opens or closes, while it happens. The end of a replay adds nothing.
pub(super) fn write_line(out: &mut dyn Write, outcome: &Outcome<'_>) -> io::Result<()> {
    match outcome {
        Outcome::Transition(definitions, transition) => {
            event(&mut *out, definitions, &transition.event)?;
            out.write_all(b"\n")
        }
        Outcome::Replay(_) => Ok(()),
        _ => outcome.unsupported(),
    }
}

/// Writes the document.
pub(super) fn write(out: &mut dyn Write, outcome: &Outcome<'_>) -> io::Result<()> {
    let document = match outcome {
        Outcome::Replay(replay) => replay::document(replay),
        Outcome::Check(check) => cases::document(check.suites),
        Outcome::Tune(tune) => tune::document(tune),
        Outcome::Diff(diff) => diff::document(diff),
        Outcome::Inspection(inspected) => inspection::document(inspected.findings),
        Outcome::Transition(..) => return outcome.unsupported(),
    };
    pretty(out, &document)
}
