//! Events in words: how severe, of what, how far from the threshold, why opened and how ended.

use super::trend;
use crate::catalog;
use crate::definition::{EventDefinition, MatchOperator, Presence, RuleKind, Threshold};
use crate::engine::{CloseReason, EntityLabel, Event, Peak, ViolatingSeries};
use crate::model::{Attributes, MetricIdentity, Nanos, SECOND, Value};
use crate::report::layout::clean;
use crate::report::outcome::Detail;
use crate::report::quantity::{Measure, against, counted, extreme};
use crate::report::time::{duration, span_ms};

pub(in crate::report) fn entity_name(entity: Option<&EntityLabel>) -> String {
    match entity {
        Some(entity) if entity.label.is_empty() => "a resource without a service name".to_string(),
        Some(entity) => entity.label.clone(),
        None => "no single entity".to_string(),
    }
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

/// The value of the series with its threshold, and which value of which series that is.
pub(in crate::report) fn violation(threshold: &Threshold, series: &ViolatingSeries, detail: Detail) -> [String; 2] {
    let measure = measure(threshold, Some(&series.metric));
    let condition = threshold.condition;
    let points = match detail {
        Detail::Brief => String::new(),
        Detail::Full => format!(" ({})", counted(series.points as u64, "data point", "data points")),
    };
    [
        against(measure, condition, series.value),
        format!(
            "{} over {} of {}{points}",
            threshold.aggregation.name(),
            span_ms(threshold.window_ms),
            short_series(&series.metric, &series.attributes),
        ),
    ]
}

/// What the furthest value of an event is called.
pub(in crate::report) fn extreme_word(definition: &EventDefinition, peak: &Peak) -> &'static str {
    match definition.rules.get(peak.rule).map(|rule| &rule.kind) {
        Some(RuleKind::Threshold(threshold)) => extreme(threshold.condition.operator),
        _ => "peak",
    }
}

/// The furthest value of an event, and which series it was when several violated.
pub(in crate::report) fn extreme_value(definition: &EventDefinition, event: &Event, peak: &Peak) -> String {
    let value = peak.observation.value;
    match definition.rules.get(peak.rule).map(|rule| &rule.kind) {
        Some(RuleKind::Threshold(threshold)) => {
            let series = peak.series.as_ref();
            let measure = measure(threshold, series.map(|series| series.metric.as_ref()));
            let several = event.rules.iter().map(|rule| rule.series.len()).sum::<usize>() > 1;
            let whose = match series.filter(|_| several) {
                Some(series) => format!(" ({})", short_series(&series.metric, &series.attributes)),
                None => String::new(),
            };
            format!("{}{whose}", against(measure, threshold.condition, value))
        }
        Some(RuleKind::Presence(presence)) => presence_seen(presence, value),
        Some(RuleKind::Trend(_)) => trend::slope(value),
        None => Measure::plain().text(value),
    }
}

/// The measure of a rule's values on a metric.
pub(in crate::report) fn measure(threshold: &Threshold, metric: Option<&MetricIdentity>) -> Measure {
    let known = metric.and_then(|metric| catalog::python().metric(&metric.name));
    Measure::of_rule(known.map(|known| known.quantity).unwrap_or_default(), threshold.aggregation, threshold.condition)
}

/// Name and attributes of a series without its scope, which the rule names already.
pub(in crate::report) fn short_series(metric: &MetricIdentity, attributes: &Attributes) -> String {
    if attributes.is_empty() { metric.name.clone() } else { format!("{}{}", metric.name, attributes.to_suffix()) }
}

/// What a presence rule saw. It compares a number of entities, or the seconds since the newest point of one.
pub(in crate::report) fn presence_seen(presence: &Presence, observed: f64) -> String {
    let number = counted(observed as u64, "entity", "entities");
    match presence {
        Presence::Count { condition } | Presence::CountVerification { condition, .. } => {
            let limit = Measure::plain().exact(condition.value);
            format!("{number} present, {} {limit} violates", condition.operator.as_str())
        }
        Presence::Verification { matching, .. } if matching.operator == MatchOperator::Is => {
            format!("{number} present")
        }
        Presence::Verification { .. } | Presence::Availability { .. } | Presence::Offline => {
            format!("no data for {}", duration((observed * SECOND as f64) as Nanos))
        }
    }
}

pub(in crate::report) fn absence(presence: &Presence, observed: Option<f64>) -> Vec<String> {
    let mut sentences = vec![observed.map_or_else(|| "absent".to_string(), |seen| presence_seen(presence, seen))];
    if let Presence::Verification { .. } | Presence::CountVerification { .. } = presence {
        sentences.push(format!("expected: {}", meant(presence)));
    }
    sentences
}

/// What a presence rule means, as the subject of a sentence: `entity with the label "till"`.
pub(in crate::report) fn meant(presence: &Presence) -> String {
    match presence {
        Presence::Verification { matching, .. } | Presence::CountVerification { matching, .. } => {
            let label = match matching.operator {
                MatchOperator::Is => format!("the label \"{}\"", matching.label),
                MatchOperator::Contains => format!("a label that contains \"{}\"", matching.label),
                MatchOperator::StartsWith => format!("a label that starts with \"{}\"", matching.label),
                MatchOperator::EndsWith => format!("a label that ends with \"{}\"", matching.label),
                MatchOperator::Any => "any label".to_string(),
            };
            format!("entity of the type {} with {label}", matching.entity_type)
        }
        Presence::Availability { tag_filter: Some(filter), .. } => {
            format!("entity with the tag {} {} {}", filter.key, filter.operator, filter.value)
        }
        Presence::Count { .. } | Presence::Availability { tag_filter: None, .. } | Presence::Offline => {
            "entity".to_string()
        }
    }
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
                sentences.extend(
                    steepest.and_then(|series| series.trend.as_deref()).map(|trend| trend::leak(trend, Detail::Brief)),
                );
            }
        }
    }
    clean(&sentences.join("; ")).into_owned()
}

/// How long it was, and the furthest value.
pub(in crate::report) fn over(definition: &EventDefinition, event: &Event, end: Nanos, reason: CloseReason) -> String {
    let held = duration(end - event.start);
    let how = match reason {
        CloseReason::Recovered => format!("recovered after {held}"),
        CloseReason::NoData => format!("no more data after {held}"),
    };
    match &event.peak {
        Some(peak) => {
            clean(&format!("{how}; {} {}", extreme_word(definition, peak), extreme_value(definition, event, peak)))
                .into_owned()
        }
        None => how,
    }
}
/// The pairs of a resource: the ones that identify an entity first, the others by key.
pub(in crate::report) fn identifying_first(resource: &Attributes) -> Vec<(&str, &Value)> {
    const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];
    let first = IDENTIFYING.into_iter().filter_map(|key| Some((key, resource.get(key)?)));
    first.chain(resource.iter().filter(|(key, _)| !IDENTIFYING.contains(key))).collect()
}

/// The name of a match operator, as rules write it.
pub(in crate::report) fn match_operator(operator: MatchOperator) -> &'static str {
    match operator {
        MatchOperator::Is => "is",
        MatchOperator::Contains => "contains",
        MatchOperator::StartsWith => "startsWith",
        MatchOperator::EndsWith => "endsWith",
        MatchOperator::Any => "any",
    }
}
