//! What several rule types have in common: conditions, operators on texts, metric ids that cannot be read, and what somebody
//! can write by mistake, which a scenario should notice: values move by a twentieth and spans of time by a factor of two. Each kind
//! of rule lists its own changes with these.

use super::metric_id::MetricIdError;
use super::object::{Field, Object};
use super::problem::{Checked, Place, Reported};
use super::wildcard::MatchOperator;

const MATCH_OPERATORS: [(&str, MatchOperator); 5] = [
    ("is", MatchOperator::Is),
    ("contains", MatchOperator::Contains),
    ("startsWith", MatchOperator::StartsWith),
    ("endsWith", MatchOperator::EndsWith),
    ("any", MatchOperator::Any),
];

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
    /// All of them, as the format spells them.
    const ALL: [(&str, CompareOp); 6] = [
        (">", CompareOp::Greater),
        (">=", CompareOp::GreaterOrEqual),
        ("<", CompareOp::Less),
        ("<=", CompareOp::LessOrEqual),
        ("=", CompareOp::Equal),
        ("!=", CompareOp::NotEqual),
    ];

    /// The published spelling.
    pub fn as_str(self) -> &'static str {
        CompareOp::ALL[self as usize].0
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

/// `conditionOperator` and `conditionValue`.
pub(super) fn condition(object: &Object<'_>) -> Checked<Condition> {
    let operator = compare_operator(object);
    let value = object.required("conditionValue", |field| field.json.as_f64().ok_or_else(|| not_a_number(field)));
    Ok(Condition { operator: operator?, value: value? })
}

fn not_a_number(field: &Field<'_>) -> Reported {
    let quoted = field.json.as_str().filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
    let help = quoted.map(|text| format!("write {text} without quotes"));
    field.at().refuse("not-a-number", "is not a number", help)
}

fn compare_operator(object: &Object<'_>) -> Checked<CompareOp> {
    const KEY: &str = "conditionOperator";
    if object.required_text(KEY)? == "==" {
        let what = "is `==`, which the published format spells `=`";
        object.at(KEY).warn("old-operator", what, Some("write `=`".to_string()));
        return Ok(CompareOp::Equal);
    }
    object.one_of(KEY, &CompareOp::ALL, "unknown-operator")
}

/// The operator of a metric pattern.
pub(super) fn pattern_operator(object: &Object<'_>) -> Checked<MatchOperator> {
    object.one_of("operator", &MATCH_OPERATORS, "unknown-operator")
}

/// The operator of a verification rule: all but `any`.
pub(super) fn label_operator(object: &Object<'_>) -> Checked<MatchOperator> {
    object.one_of("matchingOperator", &MATCH_OPERATORS[..4], "unknown-operator")
}

/// Reports a metric id, or the attributes of a pattern, that cannot be read.
pub(super) fn malformed_metric(place: Place<'_>, error: &MetricIdError) -> Reported {
    let help = Some("attributes are written as {key=\"value\",other=\"value\"}".to_string());
    place.refuse("malformed-metric", format!("is malformed: {error}"), help)
}

/// How far a value is moved.
pub(super) const FAR: f64 = 0.05;

/// A rule with one parameter changed.
#[derive(Clone, Debug)]
pub struct RuleChange<T> {
    /// The changed field of the rule, as in problems: `conditionValue`.
    pub field: &'static str,
    /// From what to what: `0.8 to 0.84`.
    pub change: String,
    /// The rule as it is then.
    pub to: T,
}

impl<T> RuleChange<T> {
    /// The same change of what holds the rule.
    pub(super) fn map<U>(self, hold: impl FnOnce(T) -> U) -> RuleChange<U> {
        RuleChange { field: self.field, change: self.change, to: hold(self.to) }
    }
}

/// A span of time, twice and half as long; one of no length becomes five minutes. Each with from what to what.
pub fn other_spans(ms: i64) -> Vec<(String, i64)> {
    let others = if ms > 0 { vec![ms.saturating_mul(2), ms / 2] } else { vec![300_000] };
    others.into_iter().map(|other| (format!("{ms} to {other}"), other)).collect()
}

/// A number, a twentieth higher and lower.
pub(super) fn other_numbers(value: f64) -> [(String, f64); 2] {
    let by = if value == 0.0 { 1.0 } else { value.abs() * FAR };
    [value + by, value - by].map(|other| (format!("{value} to {other}"), other))
}

/// The changes of a condition: at the limit and the other way round, then another value.
pub(super) fn of_condition(condition: Condition) -> Vec<RuleChange<Condition>> {
    let operators = other_operators(condition.operator).iter().map(|&operator| {
        let change = format!("{} to {}", condition.operator.as_str(), operator.as_str());
        RuleChange { field: "conditionOperator", change, to: Condition { operator, ..condition } }
    });
    let values = other_numbers(condition.value).map(|(change, value)| {
        let to = Condition { value, ..condition };
        RuleChange { field: "conditionValue", change, to }
    });
    operators.chain(values).collect()
}

fn other_operators(operator: CompareOp) -> &'static [CompareOp] {
    match operator {
        CompareOp::Greater => &[CompareOp::GreaterOrEqual, CompareOp::Less],
        CompareOp::GreaterOrEqual => &[CompareOp::Greater, CompareOp::Less],
        CompareOp::Less => &[CompareOp::LessOrEqual, CompareOp::Greater],
        CompareOp::LessOrEqual => &[CompareOp::Less, CompareOp::Greater],
        CompareOp::Equal => &[CompareOp::NotEqual],
        CompareOp::NotEqual => &[CompareOp::Equal],
    }
}
