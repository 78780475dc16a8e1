//! What a rule says, and what is said of it: its text, what violated, what it saw, and why it was silent.
//!
//! The only file of the room that tells kinds of rules apart: a new one gets its sentences here.

use super::{no_match, trend};
use crate::catalog;
use crate::definition::{EventDefinition, MatchOperator, Presence, Rule, RuleKind, Selector, Threshold};
use crate::engine::{SeriesLabel, ViolatedRule, ViolatingSeries};
use crate::model::{Attributes, MetricIdentity, Nanos, SECOND};
use crate::report::outcome::{Detail, Replay};
use crate::report::quantity::{Measure, against, counted, extreme};
use crate::report::time::{duration, span_ms};

/// More violating series of a rule than this are only counted in the brief text.
const MOST_SERIES: usize = 3;

/// What it evaluates: `avg of process.x over 5m > 0.8`; `None` when its definition's name says as much.
pub(in crate::report) fn text(rule: &Rule) -> Option<String> {
    match &rule.kind {
        RuleKind::Threshold(threshold) => {
            let metric = match &threshold.selector {
                Selector::Id(id) => id.text.clone(),
                Selector::Pattern(pattern) => {
                    let operator = match_operator(pattern.operator);
                    format!("{}.{{{operator} {}}}.{}", pattern.prefix, pattern.placeholder, pattern.postfix)
                }
            };
            let (aggregation, window) = (threshold.aggregation.name(), span_ms(threshold.window_ms));
            let limit = Measure::plain().exact(threshold.condition.value);
            Some(format!("{aggregation} of {metric} over {window} {} {limit}", threshold.condition.operator.as_str()))
        }
        RuleKind::Trend(trend) => {
            let metrics: Vec<&str> = trend.metrics.iter().map(|id| id.text.as_str()).collect();
            let windows: Vec<String> = trend.parameters.ladder.iter().map(|level| span_ms(level.window_ms)).collect();
            Some(format!("trend of {} over {}", metrics.join(" or "), windows.join(", ")))
        }
        RuleKind::Presence(_) => None,
    }
}

/// What violates at the opening, the worst series first.
pub(in crate::report) fn violations(rule: &Rule, violated: &ViolatedRule, detail: Detail) -> Vec<String> {
    let most = detail.limit(MOST_SERIES);
    let shown = worst_first(rule, violated).into_iter().take(most);
    let mut sentences: Vec<String> = match &rule.kind {
        RuleKind::Threshold(threshold) => shown.flat_map(|series| violation(threshold, series, detail)).collect(),
        RuleKind::Trend(_) => {
            let lines = |series: &ViolatingSeries| {
                let what = format!("bucket minimum of {}", short_series(&series.metric, &series.attributes));
                [series.trend.as_deref().map(|trend| trend::leak(trend, detail)).unwrap_or_default(), what]
            };
            shown.flat_map(lines).collect()
        }
        RuleKind::Presence(presence) => absence(presence, violated.observed),
    };
    if violated.series.len() > most {
        let rest = counted((violated.series.len() - most) as u64, "more series", "more series");
        sentences.push(format!("and {rest} (-v shows them)"));
    }
    sentences
}

/// The worst of what violates at the opening, in brief.
pub(super) fn worst(rule: &Rule, violated: &ViolatedRule) -> Vec<String> {
    let worst = worst_first(rule, violated).into_iter().take(1);
    match &rule.kind {
        RuleKind::Threshold(threshold) => worst.flat_map(|of| violation(threshold, of, Detail::Brief)).collect(),
        RuleKind::Trend(_) => worst.filter_map(|of| Some(trend::leak(of.trend.as_deref()?, Detail::Brief))).collect(),
        RuleKind::Presence(presence) => absence(presence, violated.observed),
    }
}

fn worst_first<'a>(rule: &Rule, violated: &'a ViolatedRule) -> Vec<&'a ViolatingSeries> {
    let margin = |of: &ViolatingSeries| match &rule.kind {
        RuleKind::Threshold(threshold) => threshold.condition.margin(of.value),
        RuleKind::Trend(_) | RuleKind::Presence(_) => -of.value,
    };
    let mut series: Vec<&ViolatingSeries> = violated.series.iter().collect();
    series.sort_by(|a, b| margin(a).total_cmp(&margin(b)));
    series
}

/// The value of the series with its threshold, and which value of which series that is.
fn violation(threshold: &Threshold, series: &ViolatingSeries, detail: Detail) -> [String; 2] {
    let measure = measure(threshold, Some(&series.metric));
    let points = match detail {
        Detail::Brief => String::new(),
        Detail::Full => format!(" ({})", counted(series.points as u64, "data point", "data points")),
    };
    let (aggregation, window) = (threshold.aggregation.name(), span_ms(threshold.window_ms));
    let series_name = short_series(&series.metric, &series.attributes);
    [
        against(measure, threshold.condition, series.value),
        format!("{aggregation} over {window} of {series_name}{points}"),
    ]
}

/// What the furthest value of a rule is called.
pub(in crate::report) fn extreme_word(rule: Option<&Rule>) -> &'static str {
    rule.and_then(Rule::threshold).map_or("peak", |threshold| extreme(threshold.condition.operator))
}

/// A value it saw: `0.62 (threshold 0.8, 22% below)`, `1 entity present`.
pub(super) fn observed(rule: Option<&Rule>, value: f64, series: Option<&SeriesLabel>) -> String {
    match rule.map(|rule| &rule.kind) {
        Some(RuleKind::Threshold(threshold)) => {
            let measure = measure(threshold, series.map(|series| series.metric.as_ref()));
            against(measure, threshold.condition, value)
        }
        Some(RuleKind::Presence(presence)) => presence_seen(presence, value),
        Some(RuleKind::Trend(_)) => trend::slope(value),
        None => Measure::plain().text(value),
    }
}

/// Why no series matches it.
pub(super) fn no_series(rule: &Rule, definition: &EventDefinition, replay: &Replay<'_>) -> String {
    match &rule.kind {
        RuleKind::Threshold(_) | RuleKind::Trend(_) => no_match::no_series(rule, definition, replay),
        RuleKind::Presence(presence) => format!("no {} was seen, so none can be missing", meant(presence)),
    }
}

/// The measure of a threshold rule's values on a metric.
pub(super) fn measure(threshold: &Threshold, metric: Option<&MetricIdentity>) -> Measure {
    let known = metric.and_then(|metric| catalog::python().metric(&metric.name));
    Measure::of_rule(known.map(|known| known.quantity).unwrap_or_default(), threshold.aggregation, threshold.condition)
}

/// Name and attributes of a series without its scope, which the rule names already.
pub(super) fn short_series(metric: &MetricIdentity, attributes: &Attributes) -> String {
    if attributes.is_empty() { metric.name.clone() } else { format!("{}{}", metric.name, attributes.to_suffix()) }
}

/// What a presence rule saw. It compares a number of entities, or the seconds since the newest point of one.
fn presence_seen(presence: &Presence, observed: f64) -> String {
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

fn absence(presence: &Presence, observed: Option<f64>) -> Vec<String> {
    let mut sentences = vec![observed.map_or_else(|| "absent".to_string(), |seen| presence_seen(presence, seen))];
    if let Presence::Verification { .. } | Presence::CountVerification { .. } = presence {
        sentences.push(format!("expected: {}", meant(presence)));
    }
    sentences
}

/// What a presence rule means, as the subject of a sentence: `entity with the label "till"`.
fn meant(presence: &Presence) -> String {
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

/// The name of a match operator, as rules write it.
fn match_operator(operator: MatchOperator) -> &'static str {
    match operator {
        MatchOperator::Is => "is",
        MatchOperator::Contains => "contains",
        MatchOperator::StartsWith => "startsWith",
        MatchOperator::EndsWith => "endsWith",
        MatchOperator::Any => "any",
    }
}
