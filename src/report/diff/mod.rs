//! What `diff` answers: a line per definition, then every event that differs.

mod json;
mod markdown;
mod text;

pub use json::diff as json;
pub use markdown::diff as markdown;
pub use text::diff as text;

use super::words::{Clock, clean, duration};
use crate::engine::{Event, EventState};
use crate::model::{Nanos, SECOND};
use crate::tune::{Behaviour, Change, ChangeKind, Compared, Comparison};

/// What there is to show.
#[derive(Clone, Copy, Debug)]
pub struct Diff<'a> {
    /// What differs.
    pub comparison: &'a Comparison,
    /// How the old rules were named.
    pub old: &'a str,
    /// How the new rules were named.
    pub new: &'a str,
    /// The recordings.
    pub sources: &'a [String],
    /// What of the recordings could not be read, one sentence each.
    pub damage: &'a [String],
    /// The first and the last instant.
    pub coverage: (Option<Nanos>, Option<Nanos>),
}

const WEEK: f64 = (7 * 24 * 3600 * SECOND) as f64;

/// `1 → 0`, or one value when both are the same.
fn both(of: &Compared, value: impl Fn(&Behaviour) -> String) -> String {
    match (of.old.as_ref().map(&value), of.new.as_ref().map(&value)) {
        (Some(old), Some(new)) if old == new => old,
        (old, new) => {
            let text = |side: Option<String>| side.unwrap_or_else(|| "-".to_string());
            format!("{} → {}", text(old), text(new))
        }
    }
}

fn per_week(comparison: &Comparison, of: &Behaviour) -> f64 {
    if comparison.span > 0 { of.events as f64 * WEEK / comparison.span as f64 } else { 0.0 }
}

fn per_week_text(comparison: &Comparison, of: &Behaviour) -> String {
    let week = per_week(comparison, of);
    if week == 0.0 || week >= 10.0 { super::quantity::count(week.round() as u64) } else { format!("{week:.1}") }
}

fn firing(of: &Behaviour) -> String {
    duration(of.firing / SECOND * SECOND)
}

/// What happens, in a word.
fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Appears => "appears",
        ChangeKind::Vanishes => "vanishes",
        ChangeKind::Moves => "moves",
        ChangeKind::Severity => "severity",
    }
}

/// `06:49:30 to 06:55:00, critical`.
fn times(clock: Clock, event: &Event) -> String {
    let end = match event.state {
        EventState::Open => "the end".to_string(),
        EventState::Closed { end, .. } => clock.time(end),
    };
    format!("{} to {end}, {}", clock.time(event.start), severity(event.severity))
}

fn severity(severity: i64) -> String {
    match severity {
        10.. => "critical".to_string(),
        5..10 => "warning".to_string(),
        other => format!("severity {other}"),
    }
}

/// What happens to an event, with its times.
fn sentence(clock: Clock, change: &Change) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{}; was {}", times(clock, new), times(clock, old)),
        (Some(one), None) | (None, Some(one)) => times(clock, one),
        (None, None) => String::new(),
    }
}

/// One sentence over everything.
fn summary(comparison: &Comparison) -> String {
    let count = |wanted: ChangeKind| {
        comparison.definitions.iter().flat_map(|of| &of.changes).filter(|change| change.kind() == wanted).count()
    };
    let same: usize = comparison.definitions.iter().map(|of| of.unchanged).sum();
    let parts = [
        (count(ChangeKind::Appears), "appear"),
        (count(ChangeKind::Vanishes), "vanish"),
        (count(ChangeKind::Moves), "move"),
        (count(ChangeKind::Severity), "change severity"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let same = match same {
        0 => String::new(),
        n => format!("; {n} stay as they are"),
    };
    match parts.is_empty() {
        true => format!("No event differs{same}."),
        false => format!("Events: {}{same}.", parts.join(", ")),
    }
}

fn entity(change: &Change) -> String {
    clean(&change.entity).into_owned()
}

/// What there is on which side, when it is not on both.
fn presence(of: &Compared) -> Option<&'static str> {
    match (&of.old, &of.new) {
        (Some(_), None) => Some("removed"),
        (None, Some(_)) => Some("added"),
        _ => None,
    }
}
