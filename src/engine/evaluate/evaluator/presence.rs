//! Presence rules: an entity is present while its newest point is younger than a given time.
//!
//! A rule about each entity compares its silence in seconds; a rule about how many there are compares their number. So both
//! have a value and a condition like a threshold, and everything else (margins, nearest, events) is the same.

use crate::definition::{CompareOp, Condition, MatchOperator, Presence};
use crate::engine::evaluate::state::RuleState;
use crate::engine::ingest::entity::Entity;
use crate::model::{Attributes, MINUTE, MS, Nanos, SECOND};

/// Time without a point after which an entity is absent, where the rule says nothing.
const OFFLINE: Nanos = 5 * MINUTE;
/// Time without a point after which an absent entity is of no interest any more, where the rule says nothing.
const CLOSE_AFTER: Nanos = 24 * 60 * MINUTE;

/// How long an absent entity is still of interest to a rule.
pub(in crate::engine) fn interest(presence: &Presence) -> Nanos {
    close_after(presence).max(offline_after(presence))
}

/// Whether a rule is about how many entities there are.
pub(in crate::engine) fn counts(presence: &Presence) -> bool {
    match presence {
        Presence::Count { .. } | Presence::CountVerification { .. } => true,
        Presence::Verification { matching, .. } => matching.operator == MatchOperator::Is,
        Presence::Availability { .. } | Presence::Offline => false,
    }
}

/// The comparison that violates: of a number of entities, or of a silence in seconds.
pub(in crate::engine) fn condition_of(presence: &Presence) -> Condition {
    match presence {
        Presence::Count { condition } | Presence::CountVerification { condition, .. } => *condition,
        Presence::Verification { .. } if counts(presence) => Condition { operator: CompareOp::Less, value: 1.0 },
        _ => Condition { operator: CompareOp::GreaterOrEqual, value: offline_after(presence) as f64 / SECOND as f64 },
    }
}

/// Time without a point after which an entity is absent.
fn offline_after(presence: &Presence) -> Nanos {
    match presence {
        Presence::CountVerification { offline_ms, .. }
        | Presence::Verification { offline_ms, .. }
        | Presence::Availability { offline_ms, .. } => offline_ms.saturating_mul(MS),
        Presence::Count { .. } | Presence::Offline => OFFLINE,
    }
}

fn close_after(presence: &Presence) -> Nanos {
    match presence {
        Presence::Availability { close_after_ms, .. } => close_after_ms.saturating_mul(MS),
        _ => CLOSE_AFTER,
    }
}

/// Whether a rule is about an entity with this resource.
pub(in crate::engine) fn means(presence: &Presence, resource: &Attributes) -> bool {
    match presence {
        Presence::Count { .. } | Presence::Offline => true,
        Presence::CountVerification { matching, .. } | Presence::Verification { matching, .. } => {
            matching.selects(resource)
        }
        Presence::Availability { tag_filter, .. } => tag_filter.as_ref().is_none_or(|filter| filter.selects(resource)),
    }
}

/// Whether OTLP can say anything about the entities that a rule is about.
fn is_supported(presence: &Presence) -> bool {
    match presence {
        Presence::CountVerification { matching, .. } | Presence::Verification { matching, .. } => {
            matching.is_supported()
        }
        _ => true,
    }
}

/// Evaluates a rule on an entity; with it whether the next evaluation may say something else although no sample comes.
pub(in crate::engine) fn evaluate(
    presence: &Presence,
    number: usize,
    entities: &[Entity],
    entity: usize,
    evaluation_time: Nanos,
) -> (RuleState, bool) {
    if counts(presence) {
        return (count(presence, number, entities, evaluation_time).0, true);
    }
    let silence = evaluation_time - entities[entity].newest;
    if !entities[entity].is_meant_by(number) || silence > interest(presence) {
        return (RuleState::EMPTY, false);
    }
    (RuleState::of(condition_of(presence), silence.max(0) as f64 / SECOND as f64), true)
}

/// Counts the entities that are present by a rule. Until when (exclusive) it holds if no sample comes.
pub(in crate::engine) fn count(
    presence: &Presence,
    number: usize,
    entities: &[Entity],
    evaluation_time: Nanos,
) -> (RuleState, Nanos) {
    let meant = entities.iter().filter(|entity| entity.is_meant_by(number));
    let until = meant.map(|entity| entity.newest.saturating_add(offline_after(presence)));
    let (mut present, mut valid_until) = (0, Nanos::MAX);
    for until in until.filter(|&until| until > evaluation_time) {
        present += 1;
        valid_until = valid_until.min(until);
    }
    if !is_supported(presence) {
        return (RuleState::EMPTY, valid_until);
    }
    (RuleState::of(condition_of(presence), f64::from(present)), valid_until)
}
