//! Presence rules: an entity is present while its newest point is younger than a given time.
//!
//! A rule about each entity compares its silence in seconds; a rule about how many there are compares their number. So both
//! have a value and a condition like a threshold, and everything else (margins, nearest, events) is the same.

use super::state::RuleState;
use crate::engine::ingest::entity::Entity;
use crate::engine::ingest::resources::Ingest;
use crate::engine::presence_rule::{counts, interest, is_supported, offline_after};
use crate::engine::rules::{Evaluator, Rules};
use crate::model::{Nanos, SECOND};

/// Evaluates a presence rule on an entity; with it whether the next evaluation may say something else although no sample
/// comes.
pub(super) fn evaluate(
    ingest: &Ingest,
    rules: &Rules,
    number: usize,
    (entity, at): (usize, Nanos),
) -> Option<(RuleState, bool)> {
    let Evaluator::Presence(presence) = &rules.rules[number].evaluator else { return None };
    if counts(presence) {
        return Some((count(ingest, rules, number, at).0, true));
    }
    let entity = &ingest.entities()[entity];
    let silence = at - entity.newest();
    if !entity.is_meant_by(number) || silence > interest(presence) {
        return Some((RuleState::EMPTY, false));
    }
    let seconds = silence.max(0) as f64 / SECOND as f64;
    Some((RuleState::of(rules.conditions[number], seconds), true))
}

/// Counts the entities that are present by a rule. Until when (exclusive) it holds if no sample comes.
pub(super) fn count(ingest: &Ingest, rules: &Rules, number: usize, at: Nanos) -> (RuleState, Nanos) {
    let Evaluator::Presence(presence) = &rules.rules[number].evaluator else { return (RuleState::EMPTY, Nanos::MAX) };
    let until = |entity: &Entity| entity.newest().saturating_add(offline_after(presence));
    let meant = ingest.entities().iter().filter(|entity| entity.is_meant_by(number));
    let (mut present, mut valid_until) = (0, Nanos::MAX);
    for until in meant.map(until).filter(|&until| until > at) {
        present += 1;
        valid_until = valid_until.min(until);
    }
    if ingest.counts().entities == 0 || !is_supported(presence) {
        return (RuleState::EMPTY, valid_until);
    }
    (RuleState::of(rules.conditions[number], f64::from(present)), valid_until)
}
