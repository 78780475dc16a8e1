//! Threshold rules: the windows of an entity's series, and which of them violate.
//!
//! The windows say until when the same samples give the same result, so an entity is evaluated when samples have come or
//! that time is over, and not in between.

use super::finding::{Opening, Violation};
use super::state::{ConditionState, NO_SERIES, RuleState};
use crate::engine::alert::event::{ViolatedRule, ViolatingSeries};
use crate::engine::ingest::resources::Ingest;
use crate::engine::rules::Rules;
use crate::model::Nanos;
use crate::series::{RuleResult, SeriesId};

/// Evaluates all windows of an entity at a time; until when (exclusive) the states hold if no sample comes.
pub(super) fn evaluate(ingest: &mut Ingest, at: (usize, Nanos), states: &mut [RuleState]) -> Nanos {
    states.fill(RuleState::EMPTY);
    let mut valid_until = Nanos::MAX;
    ingest.results(at, |rules, result| {
        valid_until = valid_until.min(result.frame.valid_until);
        states[result.rule as usize].add(rules.conditions[result.rule as usize], result);
    });
    for (state, condition) in states.iter_mut().zip(&ingest.rules.conditions) {
        state.violating = state.evaluations > 0 && condition.holds(state.value);
    }
    valid_until
}

/// What violates of a definition. `states` are those of its rules.
pub(super) fn violation(rules: &Rules, d: usize, states: &[RuleState]) -> Option<Violation> {
    let violated = || violated(rules, d, states);
    let (rule, worst) = violated().reduce(|a, b| if b.1.margin < a.1.margin { b } else { a })?;
    let severity = violated().map(|(number, _)| rules.rules[number].severity).max()?;
    let RuleState { margin, value, series, .. } = *worst;
    Some(Violation { severity, margin, value, rule, series, opening: None })
}

/// What an event of a definition on an entity says that begins at this time.
pub(super) fn opening(ingest: &mut Ingest, d: usize, at: (usize, Nanos), states: &[RuleState]) -> Opening {
    let found = violating_series(ingest, d, at);
    Opening { entity: Some(ingest.label(at.0)), rules: violated_rules(&ingest.rules, d, states, found) }
}

/// The rules of a definition that violate, each with its violating series, or with what it observed when it is not about any.
pub(super) fn violated_rules(
    rules: &Rules,
    d: usize,
    states: &[RuleState],
    mut found: Vec<(usize, ViolatingSeries)>,
) -> Vec<ViolatedRule> {
    let of_rule = |(number, state): (usize, &RuleState)| ViolatedRule {
        index: rules.rules[number].index,
        observed: (state.series == NO_SERIES).then_some(state.value),
        series: found.extract_if(.., |(rule, _)| *rule == number).map(|(_, series)| series).collect(),
    };
    violated(rules, d, states).map(of_rule).collect()
}

/// The rules of a definition that violate, by their numbers.
fn violated<'a>(rules: &Rules, d: usize, states: &'a [RuleState]) -> impl Iterator<Item = (usize, &'a RuleState)> {
    let numbered = rules.compiled[d].rules.clone().zip(states);
    numbered.filter(|(_, state)| state.state() == ConditionState::Violating)
}

/// All violating series of a definition's rules on an entity, by rule, metric and attributes.
fn violating_series(ingest: &mut Ingest, d: usize, at: (usize, Nanos)) -> Vec<(usize, ViolatingSeries)> {
    let mut found: Vec<(usize, SeriesId, f64, usize)> = Vec::new();
    ingest.results(at, |rules, result| {
        let RuleResult { frame, values, series, .. } = result;
        let number = result.rule as usize;
        if rules.compiled[d].rules.contains(&number) {
            let violates = |value: f64| value.is_finite() && rules.conditions[number].holds(value);
            let violating = values.iter().enumerate().filter(|(_, value)| violates(**value));
            found.extend(violating.map(|(i, &value)| (number, series.get(i), value, frame.points())));
        }
    });
    let named = found.into_iter().map(|(number, series, value, points)| {
        let (metric, attributes) = ingest.series_name(at.0, number, series);
        let key = (number, metric.id(), attributes.to_json().to_string(), series);
        (key, ViolatingSeries { metric, attributes, value, points, trend: None })
    });
    let mut named: Vec<_> = named.collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    named.into_iter().map(|((number, ..), series)| (number, series)).collect()
}
