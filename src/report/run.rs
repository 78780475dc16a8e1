//! What there is to say of a run beside its report: the command, and what a longer one would have told.

use crate::definition::EventDefinition;
use crate::engine::Report;
use crate::model::Nanos;

/// A command that was run while it was judged.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// What was run.
    pub command: &'a [String],
    /// How it ended: its exit code, or 128 and the number of the signal.
    pub exit_code: u8,
    /// The export interval that it was given.
    pub interval: Nanos,
    /// The fraction of their length that windows and grace periods had.
    pub window_scale: f64,
    /// The rules it was too short for.
    pub too_short: &'a [TooShort],
    /// What shorter windows would have given.
    pub would_have_been: Option<WouldHaveBeen<'a>>,
    /// Definitions whose values are others at another export interval.
    pub depend_on_interval: &'a [String],
    /// Why nothing may have arrived, and what to do, when nothing did.
    pub silence: Option<&'a str>,
}

/// A rule that never had enough points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// The definition's name.
    pub definition: String,
    /// Index of the rule.
    pub rule: usize,
    /// Its window; `None` when it is about a trend, which takes the time it takes.
    pub window: Option<Nanos>,
    /// How often it is judged.
    pub step: Nanos,
    /// How long points must come so that it is surely judged.
    pub needed: Nanos,
    /// How long they came.
    pub covered: Nanos,
}

/// The same points, judged with shorter windows.
#[derive(Clone, Copy, Debug)]
pub struct WouldHaveBeen<'a> {
    /// The fraction of their length that windows and grace periods had; the largest that fits.
    pub window_scale: f64,
    /// The definitions with those windows.
    pub definitions: &'a [EventDefinition],
    /// What came out.
    pub report: &'a Report,
    /// The command that judges like this.
    pub command: &'a str,
}
