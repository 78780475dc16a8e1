//! Text for people.
//!
//! Written for the one who is woken by it: the verdict is a word at the start of a line, numbers have units, timestamps are
//! UTC and count from the start of the recording. Lines are at most 96 columns wide, names longer than that excepted.

mod cases;
mod definitions;
mod diff;
mod events;
mod inspection;
mod losses;
mod problems;
mod replay;
mod tune;

pub use cases::coverage_and_mutants;
pub use events::event_ids;
pub use problems::problems;

use super::outcome::Outcome;
use super::style::Style;
use std::io::{self, Write};

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, outcome: &Outcome<'_>, style: Style) -> io::Result<()> {
    match outcome {
        Outcome::Replay(replay) => replay::write(out, replay, style),
        Outcome::Check(check) => cases::write(out, check, style),
        Outcome::Tune(tune) => tune::write(out, tune, style),
        Outcome::Diff(diff) => diff::write(out, diff, style),
        Outcome::Inspection(inspected) => inspection::write(out, inspected, style),
        Outcome::Transition(definitions, transition) => events::transition(out, definitions, transition, style),
    }
}
