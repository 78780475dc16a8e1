//! The typed form of one event definition.

use super::entity::{entity_labels, has_entity_type, is_entity_type};
use super::metric_id::{MetricId, MetricPattern};
use super::query::Query;
use super::tag_filter::TagFilter;
use super::trend::Trend;
use super::wildcard::{MatchOperator, fold};
use crate::model::{Aggregation, Attributes};

/// One event definition, ready to be evaluated or with the reason why it cannot be.
#[derive(Clone, Debug)]
pub struct EventDefinition {
    /// The definition's name in outputs and options: the file name without `.json`, made unique among loaded files.
    pub name: String,
    /// The file it came from, as the caller named it.
    pub file: String,
    /// Its index in a file that holds a list.
    pub index: Option<usize>,
    /// The `name` field: the title people see.
    pub title: String,
    /// The `description` field.
    pub description: String,
    /// The `entityType` field; shown, never a condition.
    pub entity_type: String,
    /// The dynamic focus query; an absent or blank one selects every resource.
    pub query: Query,
    /// False when the definition is switched off.
    pub enabled: bool,
    /// True when an incident is raised instead of an issue.
    pub triggering: bool,
    /// Grace period until the event is closed, in milliseconds.
    pub expiration_ms: i64,
    /// How several rules combine.
    pub operator: LogicalOperator,
    /// The rules; empty only when there is a `problem`.
    pub rules: Vec<Rule>,
    /// Why the definition cannot be evaluated, when it cannot.
    pub problem: Option<String>,
}

impl EventDefinition {
    /// True when the engine evaluates it: enabled and without a problem.
    pub fn is_evaluated(&self) -> bool {
        self.enabled && self.problem.is_none()
    }

    /// The definition for runs that are shorter than its windows: windows, roll-ups and grace period at `scale` (above 0, at
    /// most 1) of their length, none longer than before and none shorter than the minimum. Thresholds stay.
    pub fn shrunk(&self, scale: f64, minimum_ms: i64) -> EventDefinition {
        let shrink = |ms: i64| if ms <= 0 { ms } else { ((ms as f64 * scale) as i64).max(minimum_ms).clamp(1, ms) };
        let mut definition = self.clone();
        definition.expiration_ms = shrink(definition.expiration_ms);
        for rule in &mut definition.rules {
            match &mut rule.kind {
                // A trend cannot be shortened. The engine's options tell that windows are scaled, and the rule is
                // inconclusive.
                RuleKind::Trend(_) => {}
                RuleKind::Threshold(threshold) => {
                    threshold.window_ms = shrink(threshold.window_ms);
                    threshold.rollup_ms = shrink(threshold.rollup_ms).min(threshold.window_ms);
                }
                RuleKind::Presence(Presence::Count { .. } | Presence::Offline) => {}
                RuleKind::Presence(
                    Presence::CountVerification { offline_ms, .. } | Presence::Verification { offline_ms, .. },
                ) => *offline_ms = shrink(*offline_ms),
                RuleKind::Presence(Presence::Availability { offline_ms, close_after_ms, .. }) => {
                    *offline_ms = shrink(*offline_ms);
                    *close_after_ms = shrink(*close_after_ms);
                }
            }
        }
        definition
    }

    /// A path inside the definition as a path inside its file: with the index in front when the file holds a list.
    pub fn path_in_file(&self, path: &str) -> String {
        path_in_file(self.index, path)
    }
}

pub(super) fn path_in_file(index: Option<usize>, path: &str) -> String {
    match index {
        Some(i) if path.is_empty() => format!("[{i}]"),
        Some(i) => format!("[{i}].{path}"),
        None => path.to_string(),
    }
}

/// How the rules of a definition combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalOperator {
    /// All rules must be violated.
    And,
    /// One violated rule is enough.
    Or,
}

/// One entry of a definition's `rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The `ruleType` as written.
    pub rule_type: String,
    /// 5 is a warning, 10 critical.
    pub severity: i64,
    /// What the rule evaluates.
    pub kind: RuleKind,
    /// How the rule was spelled.
    pub written: Written,
}

/// The spellings of a rule that documents repeat as they stand in the definition (after overrides). Each is `None` when
/// the rule has no such key. The metric's name stands in [`MetricId::text`], the window in [`Threshold::window_ms`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// `aggregation`.
    pub aggregation: Option<String>,
    /// `conditionOperator`; `==` stays `==`.
    pub operator: Option<String>,
    /// `conditionValue`; an integer stays an integer.
    pub value: Option<serde_json::Number>,
    /// The `metricPattern` object with the keys it was written with.
    pub pattern: Option<serde_json::Value>,
}

/// What a rule evaluates.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// An aggregate of a metric over a window, compared with a value.
    Threshold(Threshold),
    /// The presence of entities.
    Presence(Presence),
    /// Growth that does not come back; not in the published format.
    Trend(Trend),
}

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

/// A comparison with a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// How to compare.
    pub operator: CompareOp,
    /// What to compare with.
    pub value: f64,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`, also written `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl CompareOp {
    /// All of them.
    pub(super) const ALL: [CompareOp; 6] = [
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
        CompareOp::Equal,
        CompareOp::NotEqual,
    ];

    /// The published spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            CompareOp::Greater => ">",
            CompareOp::GreaterOrEqual => ">=",
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
            CompareOp::Equal => "=",
            CompareOp::NotEqual => "!=",
        }
    }
}

impl Condition {
    /// Whether larger values violate, where there is such an order.
    pub fn is_upper(&self) -> bool {
        !matches!(self.operator, CompareOp::Less | CompareOp::LessOrEqual)
    }

    /// True when `value` violates.
    #[inline]
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            CompareOp::Greater => value > self.value,
            CompareOp::GreaterOrEqual => value >= self.value,
            CompareOp::Less => value < self.value,
            CompareOp::LessOrEqual => value <= self.value,
            CompareOp::Equal => value == self.value,
            CompareOp::NotEqual => value != self.value,
        }
    }

    /// Distance to the threshold: negative on the violating side, `|v - c|` for `=`, `-|v - c|` for `!=`.
    #[inline]
    pub fn margin(&self, value: f64) -> f64 {
        match self.operator {
            CompareOp::Greater | CompareOp::GreaterOrEqual => self.value - value,
            CompareOp::Less | CompareOp::LessOrEqual => value - self.value,
            CompareOp::Equal => (value - self.value).abs(),
            CompareOp::NotEqual => -(value - self.value).abs(),
        }
    }

    /// The first of the finite values with the smallest margin: margin and index; and how many are finite.
    #[inline]
    pub fn nearest(&self, values: &[f64]) -> (Option<(f64, usize)>, usize) {
        let own = self.value;
        match self.operator {
            CompareOp::Greater | CompareOp::GreaterOrEqual => least(values, |value| own - value),
            CompareOp::Less | CompareOp::LessOrEqual => least(values, |value| value - own),
            CompareOp::Equal => least(values, |value| (value - own).abs()),
            CompareOp::NotEqual => least(values, |value| -(value - own).abs()),
        }
    }
}

#[inline(always)]
fn least(values: &[f64], margin: impl Fn(f64) -> f64) -> (Option<(f64, usize)>, usize) {
    let (mut least, mut nearest, mut finite) = (f64::INFINITY, None, 0);
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            continue;
        }
        finite += 1;
        let margin = margin(value);
        if margin < least || nearest.is_none() {
            (least, nearest) = (margin, Some(index));
        }
    }
    (nearest.map(|index| (least, index)), finite)
}

/// A rule about the presence of entities. Text matching ignores case.
#[derive(Clone, Debug)]
pub enum Presence {
    /// `entity_count`: how many entities are present.
    Count {
        /// The comparison that violates.
        condition: Condition,
    },
    /// `entity_count_verification`: how many matching entities are present.
    CountVerification {
        /// Which entities count.
        matching: EntityMatch,
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
        /// The comparison that violates.
        condition: Condition,
    },
    /// `entity_verification`: a matching entity must be present.
    Verification {
        /// Which entities are meant.
        matching: EntityMatch,
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
    },
    /// `host_availability`: entities seen before must stay present.
    Availability {
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
        /// An absent entity is evicted this long after its newest point, in milliseconds.
        close_after_ms: i64,
        /// Only entities whose resource passes the filter are meant.
        tag_filter: Option<TagFilter>,
    },
    /// `system` with `entity.offline`: as availability, with the defaults.
    Offline,
}

/// Which entities a verification rule means.
#[derive(Clone, Debug)]
pub struct EntityMatch {
    /// The `matchingEntityType`.
    pub entity_type: String,
    /// The text to compare an entity's label with.
    pub label: String,
    /// How to compare.
    pub operator: MatchOperator,
}

impl EntityMatch {
    /// Whether a resource is meant: by its type, and by its label with or without the instance, whatever their case.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let wanted = fold(&self.label);
        has_entity_type(resource, &self.entity_type)
            && entity_labels(resource).iter().any(|label| self.operator.matches(&fold(label), &wanted))
    }

    /// Whether resources of OTLP can have the type at all.
    pub fn is_supported(&self) -> bool {
        is_entity_type(&self.entity_type)
    }
}
