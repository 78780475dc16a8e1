//! Events in words: how severe, of what, how far from the threshold, why opened and how ended.

use super::rule::{self, short_series};
use crate::definition::EventDefinition;
use crate::engine::{CloseReason, EntityLabel, Event, Peak};
use crate::model::{Attributes, Nanos, Value};
use crate::report::layout::clean;
use crate::report::time::duration;
use std::io;

pub(in crate::report) fn entity_name(entity: Option<&EntityLabel>) -> String {
    match entity {
        Some(entity) if entity.label.is_empty() => "a resource without a service name".to_string(),
        Some(entity) => entity.label.clone(),
        None => "no single entity".to_string(),
    }
}

/// The definition that an event is of.
pub(in crate::report) fn definition_of<'a>(
    definitions: &'a [EventDefinition],
    event: &Event,
) -> io::Result<&'a EventDefinition> {
    let error = || io::Error::new(io::ErrorKind::InvalidInput, "the event names no definition of this run");
    definitions.get(event.definition).ok_or_else(error)
}

/// `CRITICAL`, `WARNING`, or the number for a severity that has no name.
pub(in crate::report) fn severity(severity: i64) -> String {
    match severity {
        10 => "CRITICAL".to_string(),
        5 => "WARNING".to_string(),
        -1 => "CHANGE".to_string(),
        other => format!("SEVERITY {other}"),
    }
}

/// What the furthest value of an event is called.
pub(in crate::report) fn extreme_word(definition: &EventDefinition, peak: &Peak) -> &'static str {
    rule::extreme_word(definition.rules.get(peak.rule))
}

/// The furthest value of an event, and which series it was when several violated.
pub(in crate::report) fn extreme_value(definition: &EventDefinition, event: &Event, peak: &Peak) -> String {
    let rule = definition.rules.get(peak.rule);
    let series = peak.series.as_ref();
    let several = event.rules.iter().map(|rule| rule.series.len()).sum::<usize>() > 1;
    let is_named = several && rule.is_some_and(|rule| rule.threshold().is_some());
    let whose = series.filter(|_| is_named).map(|of| format!(" ({})", short_series(&of.metric, &of.attributes)));
    format!("{}{}", rule::observed(rule, peak.observation.value, series), whose.unwrap_or_default())
}

/// The worst of what violates at the opening.
pub(in crate::report) fn why(definition: &EventDefinition, event: &Event) -> String {
    let rules = event.rules.iter().filter_map(|violated| Some((definition.rules.get(violated.index)?, violated)));
    let sentences: Vec<String> = rules.flat_map(|(rule, violated)| rule::worst(rule, violated)).collect();
    clean(&sentences.join("; ")).into_owned()
}

/// Why it ended, and how long it was.
pub(in crate::report) fn ended(event: &Event, end: Nanos, reason: CloseReason) -> String {
    let how = match reason {
        CloseReason::Recovered => "recovered",
        CloseReason::NoData => "no more data",
    };
    format!("{how} after {}", duration(end - event.start))
}

/// The same, and the furthest value.
pub(in crate::report) fn over(definition: &EventDefinition, event: &Event, end: Nanos, reason: CloseReason) -> String {
    let ended = ended(event, end, reason);
    let Some(peak) = &event.peak else { return ended };
    let (word, value) = (extreme_word(definition, peak), extreme_value(definition, event, peak));
    clean(&format!("{ended}; {word} {value}")).into_owned()
}

/// The pairs of a resource: the ones that identify an entity first, the others by key.
pub(in crate::report) fn identifying_first(resource: &Attributes) -> Vec<(&str, &Value)> {
    const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];
    let first = IDENTIFYING.into_iter().filter_map(|key| Some((key, resource.get(key)?)));
    first.chain(resource.iter().filter(|(key, _)| !IDENTIFYING.contains(key))).collect()
}
