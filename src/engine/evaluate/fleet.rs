//! Definitions that only count entities: each has one event at a time, about all entities together.

use super::evaluator::Target;
use super::finding::{About, Finding, Opening, Violation};
use super::state::{ConditionState, RuleState, combine};
use super::tally::Tally;
use super::threshold::{violated_rules, violation};
use crate::definition::LogicalOperator;
use crate::engine::ingest::resources::Ingest;
use crate::engine::rules::Rules;
use crate::model::Nanos;

/// A definition that only counts entities.
#[derive(Debug)]
pub(super) struct FleetCount {
    definition: usize,
    /// Of its rules, and of itself: they hold from `since` on and are not in the tally yet.
    rule_states: Vec<RuleState>,
    state: ConditionState,
    since: Nanos,
    /// Nothing changes before; `Nanos::MIN` after samples came.
    pub wake: Nanos,
}

impl FleetCount {
    /// All of them.
    pub fn all(rules: &Rules) -> Vec<Self> {
        let counting = (0..rules.compiled.len()).filter(|&d| rules.compiled[d].target == Target::Fleet);
        let new = |definition| FleetCount {
            definition,
            rule_states: Vec::new(),
            state: ConditionState::Unknown,
            since: Nanos::MIN,
            wake: Nanos::MIN,
        };
        counting.map(new).collect()
    }

    /// Evaluates the definition when it is due.
    pub fn run(&mut self, at: Nanos, ingest: &Ingest, tally: &mut Tally) -> Option<Finding> {
        if self.wake > at || at % ingest.rules.compiled[self.definition].step != 0 {
            return None;
        }
        self.settle(at, &ingest.rules, tally);
        self.evaluate(at, ingest, tally)
    }

    /// Adds what stood until a time to a tally.
    pub fn settle(&self, until: Nanos, rules: &Rules, tally: &mut Tally) {
        if !self.rule_states.is_empty() {
            let definition = &rules.compiled[self.definition];
            tally.add((self.definition, definition), &(self.since..until), &self.rule_states, self.state);
        }
    }

    fn evaluate(&mut self, at: Nanos, ingest: &Ingest, tally: &mut Tally) -> Option<Finding> {
        let (rules, d) = (&ingest.rules, self.definition);
        let definition = &rules.compiled[d];
        (self.since, self.wake) = (at, Nanos::MAX);
        self.rule_states.clear();
        for number in definition.rules.clone() {
            let (state, valid_until) = rules.rules[number].evaluator.evaluate_fleet(number, &ingest.entities, at);
            self.wake = self.wake.min(valid_until);
            // Before the first entity it is not known that one is missing.
            self.rule_states.push(if ingest.counts.entities == 0 { RuleState::EMPTY } else { state });
        }
        tally.note_nearest(d, definition.rules.start, &self.rule_states, at, u32::MAX);
        let or = definition.operator == LogicalOperator::Or;
        let state = combine(or, self.rule_states.iter().map(RuleState::state));
        let before = std::mem::replace(&mut self.state, state);
        Finding::of(About::Fleet, d, before, state, || self.violation(rules, before != state))
    }

    fn violation(&self, rules: &Rules, opens: bool) -> Option<Violation> {
        let (d, states) = (self.definition, &self.rule_states);
        let opening = || Opening { entity: None, rules: violated_rules(rules, d, states, Vec::new()) };
        Some(Violation { opening: opens.then(opening), ..violation(rules, d, states)? })
    }
}
