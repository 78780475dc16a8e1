//! A transition as one line, for whoever watches events as they happen: when, what, how severe, where, and why, so that a log of
//! them can be searched, counted and cut like any other.

use super::Detail;
use super::events::{absence, entity_name, severity, violation, worst};
use crate::definition::{EventDefinition, RuleKind};
use crate::engine::{CloseReason, Event, EventState, Transition};
use crate::model::Nanos;
use crate::report::Style;
use crate::report::trend;
use crate::report::words::{clean, date_time, duration};
use std::io::{self, Write};

/// Writes the line.
pub fn transition(
    out: &mut impl Write,
    definitions: &[EventDefinition],
    transition: &Transition,
    style: Style,
) -> io::Result<()> {
    let event = &transition.event;
    let Some(definition) = definitions.get(event.definition) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the event names no definition of this run"));
    };
    let severity = severity(event.severity);
    let (word, why) = match event.state {
        EventState::Open => ("opened", why(definition, event)),
        EventState::Closed { end, reason, .. } => ("closed", over(definition, event, end, reason)),
    };
    let severity = match (event.state, event.severity) {
        (EventState::Open, 10..) => style.critical(&severity),
        (EventState::Open, 5..=9) => style.warning(&severity),
        (EventState::Open | EventState::Closed { .. }, _) => style.strong(&severity),
    };
    let title = format!("{}  {}", style.strong(&clean(&definition.title)), clean(&definition.name));
    let entity = clean(&entity_name(event.entity.as_deref())).into_owned();
    writeln!(out, "{}  {word}  {severity}  {title}  {entity}  {why}", date_time(transition.at))
}

/// The worst of what violates at the opening.
pub(in crate::report) fn why(definition: &EventDefinition, event: &Event) -> String {
    let mut sentences = Vec::new();
    for violated in &event.rules {
        let Some(rule) = definition.rules.get(violated.index) else { continue };
        match &rule.kind {
            RuleKind::Threshold(threshold) => {
                let margin = |value: f64| threshold.condition.margin(value);
                let worst = violated.series.iter().min_by(|a, b| margin(a.value).total_cmp(&margin(b.value)));
                sentences.extend(worst.into_iter().flat_map(|series| violation(threshold, series, Detail::Brief)));
            }
            RuleKind::Presence(presence) => sentences.extend(absence(presence, violated.observed)),
            RuleKind::Trend(_) => {
                let steepest = violated.series.iter().max_by(|a, b| a.value.total_cmp(&b.value));
                sentences.extend(steepest.and_then(|series| series.trend.as_deref()).map(trend::leak));
            }
        }
    }
    clean(&sentences.join("; ")).into_owned()
}

/// How long it was, and how bad it became.
pub(in crate::report) fn over(definition: &EventDefinition, event: &Event, end: Nanos, reason: CloseReason) -> String {
    let held = duration(end - event.start);
    let how = match reason {
        CloseReason::Recovered => format!("recovered after {held}"),
        CloseReason::NoData => format!("nothing to judge any more after {held} (no data)"),
    };
    match &event.peak {
        Some(peak) => clean(&format!("{how}; worst {}", worst(definition, event, peak))).into_owned(),
        None => how,
    }
}
