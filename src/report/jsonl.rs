//! A line of JSON for each event that opens or closes, written while it happens.

use super::json;
use super::outcome::Outcome;
use std::io::{self, Write};

/// Writes the line of a transition. The end of a replay adds nothing.
pub(super) fn write(out: &mut dyn Write, outcome: &Outcome<'_>) -> io::Result<()> {
    match outcome {
        Outcome::Transition(definitions, transition) => {
            json::event(&mut *out, definitions, &transition.event)?;
            out.write_all(b"\n")
        }
        Outcome::Replay(_) => Ok(()),
        _ => outcome.unsupported(),
    }
}
