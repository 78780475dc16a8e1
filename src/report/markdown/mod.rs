//! Markdown for pull requests and job summaries.

mod cases;
mod diff;
mod escape;
mod tune;

pub use cases::write as suites;

use super::outcome::Outcome;
use std::io::{self, Write};

/// Writes the page.
pub(super) fn write(out: &mut dyn Write, outcome: &Outcome<'_>) -> io::Result<()> {
    match outcome {
        Outcome::Tune(tune) => tune::write(out, tune),
        Outcome::Diff(diff) => diff::write(out, diff),
        _ => cases::write(out, outcome.suites()?, usize::MAX),
    }
}
