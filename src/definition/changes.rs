//! Rules with one parameter changed: what somebody can write by mistake, and a scenario should notice.
//!
//! Values move by a twentieth and spans of time by a factor of two. Each kind of rule lists its own changes with these; those of
//! a condition are the same for every kind.

use super::comparison::{CompareOp, Condition};

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
    pub(super) fn new(field: &'static str, change: impl Into<String>, to: T) -> Self {
        RuleChange { field, change: change.into(), to }
    }

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
        RuleChange::new("conditionOperator", change, Condition { operator, ..condition })
    });
    let values = other_numbers(condition.value).map(|(change, value)| {
        let to = Condition { value, ..condition };
        RuleChange::new("conditionValue", change, to)
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
