//! Threshold rules: an aggregate of a metric over a window, compared with a value.

use crate::definition::comparison::{
    Condition, RuleChange, condition, malformed_metric, other_spans, pattern_operator,
};
use crate::definition::metric_id::{MetricId, MetricPattern};
use crate::definition::object::{Field, Keys, Object};
use crate::definition::problem::{Checked, Reported};
use crate::definition::wildcard::MatchOperator;
use crate::model::Aggregation::{AbsoluteDiff, Avg, Count, Delta, Max, Min, Percentile, Rate, RelativeDiff, Sum};
use crate::model::{Aggregation, Attributes, MetricIdentity};

/// The keys of such a rule.
pub(super) const KEYS: Keys =
    Keys::of("metricName aggregation window rollup conditionOperator conditionValue", "metricPattern");

/// The keys of a `metricPattern`.
pub(super) const PATTERN: Keys = Keys::of("prefix operator placeholder postfix", "");

/// Aggregations of the published format.
const PUBLISHED: [Aggregation; 6] = [Sum, Avg, Min, Max, AbsoluteDiff, RelativeDiff];

/// Aggregations that are evaluated although the published format does not list them; shipped packages use these, and not the
/// percentiles.
const EXTENSIONS: [Aggregation; 3] = [Rate, Delta, Count];
const PERCENTILES: [f64; 7] = [0.25, 0.50, 0.75, 0.90, 0.95, 0.98, 0.99];

/// A threshold rule.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// Which series it looks at.
    pub selector: Selector,
    /// How the points of the window become one value.
    pub aggregation: Aggregation,
    /// Length of the window, in milliseconds; above 0.
    pub window_ms: i64,
    /// Length of the roll-up buckets, in milliseconds; 0 means none.
    pub rollup_ms: i64,
    /// The comparison that violates.
    pub condition: Condition,
}

/// Which series a threshold rule looks at.
#[derive(Clone, Debug)]
pub enum Selector {
    /// `metricName`.
    Id(MetricId),
    /// `metricPattern`.
    Pattern(MetricPattern),
}

impl Selector {
    /// The id, when it is one.
    pub(super) fn ids(&self) -> &[MetricId] {
        match self {
            Selector::Id(id) => std::slice::from_ref(id),
            Selector::Pattern(_) => &[],
        }
    }

    /// Whether it means the series.
    pub fn selects(&self, metric: &MetricIdentity, attributes: &Attributes) -> bool {
        match self {
            Selector::Id(id) => id.selects(metric, attributes),
            Selector::Pattern(pattern) => pattern.selects(metric, attributes),
        }
    }

    /// Whether it means the metric, whatever the attributes of its series.
    pub fn selects_metric(&self, metric: &MetricIdentity) -> bool {
        match self {
            Selector::Id(id) => id.selects_metric(metric),
            Selector::Pattern(pattern) => pattern.selects_metric(metric),
        }
    }
}

impl Threshold {
    /// The rule with another window, roll-up, aggregation or metric.
    pub(super) fn changes(&self) -> Vec<RuleChange<Threshold>> {
        let mut all = Vec::new();
        let mut add = |field, change, to| all.push(RuleChange { field, change, to });
        for (change, window_ms) in other_spans(self.window_ms) {
            add("window", change, Threshold { window_ms, ..self.clone() });
        }
        if self.rollup_ms > 0 && self.rollup_ms != self.window_ms {
            add("rollup", format!("{} to 0", self.rollup_ms), Threshold { rollup_ms: 0, ..self.clone() });
        }
        for &aggregation in other_aggregations(self.aggregation) {
            let change = format!("{} to {}", self.aggregation.name(), aggregation.name());
            add("aggregation", change, Threshold { aggregation, ..self.clone() });
        }
        for (change, wider) in self.selector.ids().iter().filter_map(MetricId::wider) {
            add("metricName", change, Threshold { selector: Selector::Id(wider), ..self.clone() });
        }
        all
    }
}

/// Those somebody may have meant.
fn other_aggregations(aggregation: Aggregation) -> &'static [Aggregation] {
    match aggregation {
        Avg => &[Max, Min, Sum],
        Sum => &[Avg, Max],
        Min | Max | Percentile(_) => &[Avg],
        Rate => &[Delta, Avg],
        Delta => &[Rate, Sum],
        Count => &[Sum, Avg],
        AbsoluteDiff => &[RelativeDiff, Delta],
        RelativeDiff => &[AbsoluteDiff, Delta],
    }
}

/// Reads a threshold rule.
pub(super) fn read(object: &Object<'_>) -> Checked<Threshold> {
    let selector = selector(object);
    let aggregation = aggregation(object);
    let window = window(object);
    let condition = condition(object);
    let (window_ms, rollup_ms) = window?;
    Ok(Threshold { selector: selector?, aggregation: aggregation?, window_ms, rollup_ms, condition: condition? })
}

fn selector(object: &Object<'_>) -> Checked<Selector> {
    let name = object.text("metricName");
    let pattern = object.read("metricPattern", Field::object);
    match (name?.filter(|name| !name.trim().is_empty()), pattern?) {
        (Some(_), Some(pattern)) => {
            let message = format!("`{}` and `{}` exclude each other", object.path_of("metricName"), pattern.path);
            Err(pattern.place().refuse_whole("two-metrics", message, None))
        }
        (Some(_), None) => object.required("metricName", metric_id).map(Selector::Id),
        (None, Some(pattern)) => metric_pattern(&pattern).map(Selector::Pattern),
        (None, None) => {
            let what = "is missing, and so is `metricPattern`: the rule has no metric";
            Err(object.at("metricName").refuse("no-metric", what, None))
        }
    }
}

/// A text that is a metric id.
pub(super) fn metric_id(field: &Field<'_>) -> Checked<MetricId> {
    let text = field.json.as_str().ok_or_else(|| field.wrong_type("a text"))?;
    MetricId::parse(text).map_err(|error| malformed_metric(field.part((error.offset, error.offset + 1)), &error))
}

fn metric_pattern(object: &Object<'_>) -> Checked<MetricPattern> {
    object.check_keys(&[PATTERN], |_| None);
    let prefix = object.required_text("prefix");
    let operator = pattern_operator(object);
    let placeholder = object.text("placeholder");
    let postfix = object.text("postfix");
    let (prefix, operator, placeholder) = (prefix?, operator?, placeholder?.unwrap_or(""));
    if placeholder.is_empty() && operator != MatchOperator::Any {
        let effect = if operator == MatchOperator::Is { "nothing" } else { "everything between prefix and postfix" };
        let what = format!("is empty, so the pattern selects {effect}");
        object.at("placeholder").warn("empty-placeholder", what, None);
    }
    MetricPattern::parse(prefix, operator, placeholder, postfix?.unwrap_or("")).map_err(|error| {
        let part = |field: Field<'_>| malformed_metric(field.part((error.offset, error.offset + 1)), &error);
        object.get("postfix").map_or(Reported, part)
    })
}

fn aggregation(object: &Object<'_>) -> Checked<Aggregation> {
    const KEY: &str = "aggregation";
    let known = PUBLISHED.into_iter().chain(EXTENSIONS).chain(PERCENTILES.map(Percentile));
    let known: Vec<_> = known.map(|one| (one.name(), one)).collect();
    let found = object.one_of(KEY, &known, "unknown-aggregation")?;
    if !PUBLISHED.contains(&found) {
        let what = format!("is `{}`, which the published format does not list", found.name());
        let help = format!("it lists {}", PUBLISHED.map(Aggregation::name).join(", "));
        object.at(KEY).warn("unpublished-aggregation", what, Some(help));
    }
    Ok(found)
}

/// Window and roll-up; the roll-up is the window when there is none.
fn window(object: &Object<'_>) -> Checked<(i64, i64)> {
    let window = object.read("window", Field::milliseconds);
    let rollup = object.read("rollup", Field::milliseconds);
    match (window?.unwrap_or(0), rollup?.unwrap_or(0)) {
        (0, 0) => {
            let what = "is missing or 0, and so is `rollup`: the rule has no window";
            Err(object.at("window").refuse("no-window", what, None))
        }
        (0, rollup) => Ok((rollup, rollup)),
        both => Ok(both),
    }
}
