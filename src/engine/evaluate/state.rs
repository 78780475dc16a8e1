//! What the last evaluation found: of a rule on an entity, and of a definition on an entity.

use crate::definition::Condition;
use crate::model::MS;
use crate::series::RuleResult;

/// The series of a rule state that is not about one.
pub(in crate::engine) const NO_SERIES: u32 = u32::MAX;

/// What a definition, or one of its rules, says of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionState {
    /// It is violated.
    Violating,
    /// It was evaluated and is not.
    Clear,
    /// It could not be evaluated.
    Unknown,
}

/// AND and OR over the states of rules.
pub fn combine(or: bool, states: impl Iterator<Item = ConditionState>) -> ConditionState {
    use ConditionState::{Clear, Unknown, Violating};
    let (decides, needs) = if or { (Violating, Clear) } else { (Clear, Violating) };
    let mut all = true;
    let mut any = false;
    for state in states {
        any = true;
        if state == decides {
            return decides;
        }
        all &= state == needs;
    }
    if any && all { needs } else { Unknown }
}

/// What the last evaluation of a rule on an entity found, over all its series.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct RuleState {
    /// Series with a value.
    pub evaluations: u32,
    /// Series whose window is not covered well enough.
    pub warming_up: u32,
    /// A window was covered, but the aggregate had no value.
    pub no_value: bool,
    /// In milliseconds.
    pub best_covered: u32,
    /// The smallest margin, and the value that has it, its series and the points in its window.
    pub margin: f64,
    pub value: f64,
    pub series: u32,
    pub points: u32,
    /// Whether the value violates. When the one with the smallest margin does not, none does.
    pub violating: bool,
}

impl RuleState {
    pub const EMPTY: RuleState = RuleState {
        evaluations: 0,
        warming_up: 0,
        no_value: false,
        best_covered: 0,
        margin: f64::INFINITY,
        value: 0.0,
        series: NO_SERIES,
        points: 0,
        violating: false,
    };

    /// A value that is not about a series.
    pub fn of(condition: Condition, value: f64) -> Self {
        let violating = condition.holds(value);
        RuleState { evaluations: 1, margin: condition.margin(value), value, violating, ..RuleState::EMPTY }
    }

    pub fn state(&self) -> ConditionState {
        match self {
            RuleState { evaluations: 0, .. } => ConditionState::Unknown,
            RuleState { violating: true, .. } => ConditionState::Violating,
            RuleState { .. } => ConditionState::Clear,
        }
    }

    /// Adds the result of one or several series.
    #[inline]
    pub fn add(&mut self, condition: Condition, result: &RuleResult<'_>) {
        let RuleResult { frame, values, series, .. } = result;
        self.best_covered = self.best_covered.max(u32::try_from(frame.covered / MS).unwrap_or(u32::MAX));
        if !frame.is_covered {
            self.warming_up += if frame.points() > 0 { values.len() as u32 } else { 0 };
            return;
        }
        let (nearest, finite) = condition.nearest(values);
        self.evaluations += finite as u32;
        self.no_value |= finite < values.len();
        let Some((margin, i)) = nearest else { return };
        if margin > self.margin {
            return;
        }
        let series = series.get(i);
        if margin < self.margin || series < self.series {
            (self.margin, self.value) = (margin, values[i]);
            (self.series, self.points) = (series, frame.points() as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConditionState, combine};
    use ConditionState::{Clear, Unknown, Violating};

    #[test]
    fn and_needs_all_or_needs_one() {
        let and = |states: &[ConditionState]| combine(false, states.iter().copied());
        let or = |states: &[ConditionState]| combine(true, states.iter().copied());
        assert_eq!(and(&[Violating, Violating]), Violating);
        assert_eq!(and(&[Violating, Unknown]), Unknown);
        assert_eq!(and(&[Unknown, Clear]), Clear);
        assert_eq!(or(&[Unknown, Violating]), Violating);
        assert_eq!(or(&[Unknown, Clear]), Unknown);
        assert_eq!(or(&[Clear, Clear]), Clear);
        assert_eq!(and(&[]), Unknown);
    }
}
