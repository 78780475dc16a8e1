//! What a change of rules changes, in words.

use super::event::severity;
use crate::engine::{Event, EventState};
use crate::model::SECOND;
use crate::report::quantity::per_week_text;
use crate::report::time::{Times, WEEK, duration};
use crate::tune::{Behaviour, ChangeKind, Compared, Comparison, EventChange};

/// The columns of the table.
pub(in crate::report) const HEAD: [&str; 6] = ["definition", "verdict", "events", "a week", "firing", "flaps"];

/// The row of a definition.
pub(in crate::report) fn cells(comparison: &Comparison, of: &Compared) -> [String; 6] {
    let name = match presence(of) {
        Some(word) => format!("{} ({word})", of.name),
        None => of.name.clone(),
    };
    [
        name,
        both(of, |side| side.verdict.as_str().to_string()),
        both(of, |side| side.events.to_string()),
        both(of, |side| per_week_text(per_week(comparison, side))),
        both(of, firing),
        both(of, |side| side.flaps.to_string()),
    ]
}

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

pub(in crate::report) fn per_week(comparison: &Comparison, of: &Behaviour) -> f64 {
    if comparison.span > 0 { of.events as f64 * WEEK / comparison.span as f64 } else { 0.0 }
}

fn firing(of: &Behaviour) -> String {
    duration(of.firing / SECOND * SECOND)
}

/// What happens, as people read it.
pub(in crate::report) fn label(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Appears => "new",
        ChangeKind::Vanishes => "removed",
        ChangeKind::Moves => "moved",
        ChangeKind::Severity => "severity",
    }
}

/// What happens, as documents spell it.
pub(in crate::report) fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Appears => "appears",
        ChangeKind::Vanishes => "vanishes",
        ChangeKind::Moves => "moves",
        ChangeKind::Severity => "severity",
    }
}

/// `06:49:30 to 06:55:00, critical`.
fn span(times: Times, event: &Event) -> String {
    let end = match event.state {
        EventState::Open => "the end".to_string(),
        EventState::Closed { end, .. } => times.time(end),
    };
    format!("{} to {end}, {}", times.time(event.start), severity(event.severity).to_lowercase())
}

/// What happens to an event, with its times.
pub(in crate::report) fn sentence(times: Times, change: &EventChange) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{}; was {}", span(times, new), span(times, old)),
        (Some(one), None) | (None, Some(one)) => span(times, one),
        (None, None) => String::new(),
    }
}

/// One sentence over everything: `1 new, 0 removed, 2 unchanged`.
pub(in crate::report) fn summary(comparison: &Comparison) -> String {
    let changes = || comparison.definitions.iter().flat_map(|of| &of.changes);
    let number = |wanted: ChangeKind| changes().filter(|change| change.kind() == wanted).count();
    let unchanged: usize = comparison.definitions.iter().map(|of| of.unchanged).sum();
    let mut text = format!("{} new, {} removed, ", number(ChangeKind::Appears), number(ChangeKind::Vanishes));
    for (n, what) in [(number(ChangeKind::Moves), "moved"), (number(ChangeKind::Severity), "with another severity")] {
        if n > 0 {
            text += &format!("{n} {what}, ");
        }
    }
    text + &format!("{unchanged} unchanged")
}

/// What there is on which side, when it is not on both.
pub(in crate::report) fn presence(of: &Compared) -> Option<&'static str> {
    match (&of.old, &of.new) {
        (Some(_), None) => Some("removed"),
        (None, Some(_)) => Some("added"),
        _ => None,
    }
}
