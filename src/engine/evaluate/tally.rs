//! What was evaluated so far, summed up for the report.
//!
//! A rule state stands until the next evaluation. It counts once for each time of the definition's schedule at which it
//! stood, and is added when it is replaced.

use super::schedule::multiple_from;
use super::state::{ConditionState, RuleState};
use crate::engine::label::SeriesLabel;
use crate::engine::rules::{CompiledDefinition, Rules};
use crate::model::{MS, Nanos};
use std::ops::Range;

/// Sums over all entities.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Tally {
    pub rules: Vec<RuleTotals>,
    pub definitions: Vec<DefinitionTotals>,
}

/// Sums of a rule.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct RuleTotals {
    pub evaluations: u64,
    pub warming_up: u64,
    pub no_value: bool,
    pub best_covered: Nanos,
}

/// Sums of a definition.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct DefinitionTotals {
    /// Times at which it was violated, summed over entities.
    pub violating: u64,
    pub nearest: Option<NearestSeen>,
}

/// The nearest a definition came to being violated.
#[derive(Clone, Debug)]
pub(in crate::engine) struct NearestSeen {
    pub margin: f64,
    pub at: Nanos,
    pub rule: u32,
    /// `u32::MAX` when it is not about one.
    pub entity: u32,
    pub value: f64,
    pub series: u32,
    pub points: u32,
    /// The name of a series that is evicted.
    pub label: Option<Box<SeriesLabel>>,
}

impl RuleTotals {
    /// Whether windows were covered without ever giving a value.
    pub fn never_had_a_value(&self) -> bool {
        self.no_value && self.evaluations == 0
    }
}

impl Tally {
    pub fn new(rules: &Rules) -> Self {
        Tally {
            rules: vec![RuleTotals::default(); rules.rules.len()],
            definitions: vec![DefinitionTotals::default(); rules.definitions.len()],
        }
    }

    /// Adds what stood for a definition from the begin of a span to before its end.
    #[inline]
    pub fn add(
        &mut self,
        (d, definition): (usize, &CompiledDefinition),
        span: &Range<Nanos>,
        states: &[RuleState],
        state: ConditionState,
    ) {
        let first = multiple_from(span.start, definition.step);
        if first >= span.end {
            return;
        }
        let times = ((span.end - 1 - first) / definition.step + 1) as u64;
        for (total, state) in self.rules[definition.rules.clone()].iter_mut().zip(states) {
            total.evaluations += u64::from(state.evaluations) * times;
            total.warming_up += u64::from(state.warming_up) * times;
            total.no_value |= state.no_value;
            total.best_covered = total.best_covered.max(Nanos::from(state.best_covered) * MS);
        }
        if state == ConditionState::Violating {
            self.definitions[d].violating += times;
        }
    }

    /// Notes the rule states of a definition at a time: one of them may be the nearest so far.
    #[inline]
    pub fn note_nearest(&mut self, d: usize, first_rule: usize, states: &[RuleState], at: Nanos, entity: u32) {
        let nearest = &mut self.definitions[d].nearest;
        for (state, rule) in states.iter().zip(first_rule as u32..) {
            let is_nearest = state.evaluations > 0
                && nearest.as_ref().is_none_or(|n| {
                    state.margin < n.margin
                        || (state.margin == n.margin && at == n.at && (rule, state.series) < (n.rule, n.series))
                });
            if is_nearest {
                let RuleState { margin, value, series, points, .. } = *state;
                *nearest = Some(NearestSeen { margin, at, rule, entity, value, series, points, label: None });
            }
        }
    }
}
