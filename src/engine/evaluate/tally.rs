//! What was evaluated so far, summed up for the report.
//!
//! A rule state stands until the next evaluation. It counts once for each time of the definition's schedule at which it
//! stood, and is added when it is replaced.

use super::schedule::multiple_from;
use super::state::{ConditionState, RuleState};
use crate::engine::ingest::entity::SeriesLabel;
use crate::engine::report::RuleReport;
use crate::engine::rules::{CompiledDefinition, Rules};
use crate::model::{MS, Nanos};
use std::ops::Range;

/// Sums over all entities.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Tally {
    /// As the report has them, without the number of series.
    pub rules: Vec<RuleReport>,
    pub definitions: Vec<DefinitionTotals>,
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
    pub state: RuleState,
    pub at: Nanos,
    /// Number of its rule.
    pub rule: usize,
    /// `u32::MAX` when it is not about one.
    pub entity: u32,
    /// The name of a series that is evicted.
    pub label: Option<Box<SeriesLabel>>,
}

impl Tally {
    pub fn new(rules: &Rules) -> Self {
        Tally {
            rules: vec![RuleReport::default(); rules.rules.len()],
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
        for (state, rule) in states.iter().zip(first_rule..) {
            let is_nearer = |than: &NearestSeen| {
                let is_first = at == than.at && (rule, state.series) < (than.rule, than.state.series);
                state.margin < than.state.margin || (state.margin == than.state.margin && is_first)
            };
            if state.evaluations > 0 && nearest.as_ref().is_none_or(is_nearer) {
                *nearest = Some(NearestSeen { state: *state, at, rule, entity, label: None });
            }
        }
    }
}
