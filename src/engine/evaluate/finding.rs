//! What an evaluation finds, as `alert` gets it: states of definitions as they change, and every violation.

use super::state::ConditionState;
use crate::engine::alert::event::ViolatedRule;
use crate::engine::ingest::entity::EntityLabel;
use crate::series::SeriesId;
use std::sync::Arc;

/// From the time of evaluation on a definition has this state, until the next finding about it.
#[derive(Debug)]
pub(in crate::engine) struct Finding {
    pub about: About,
    pub definition: usize,
    pub state: ConditionState,
    /// With the state `Violating`.
    pub violation: Option<Violation>,
}

impl Finding {
    /// There is something to tell when the state changes, or is a violation, which is asked for then.
    pub fn of(
        about: About,
        definition: usize,
        before: ConditionState,
        state: ConditionState,
        violation: impl FnOnce() -> Option<Violation>,
    ) -> Option<Finding> {
        let violates = state == ConditionState::Violating;
        let violation = if violates { violation() } else { None };
        (violates || state != before).then_some(Finding { about, definition, state, violation })
    }
}

/// What a finding is about. Transitions at one time come in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum About {
    Entity(u32),
    Fleet,
    /// The processes of an entity; `order` says which came first.
    Trend {
        order: u32,
        entity: u32,
    },
}

impl About {
    /// The entity, when it is about one.
    pub fn entity(&self) -> Option<u32> {
        match *self {
            About::Entity(entity) | About::Trend { entity, .. } => Some(entity),
            About::Fleet => None,
        }
    }
}

/// What violates.
#[derive(Debug)]
pub(in crate::engine) struct Violation {
    /// The highest of the violated rules.
    pub severity: i64,
    /// The value that violates by the most, with its rule and its series, if it is about one.
    pub margin: f64,
    pub value: f64,
    pub rule: usize,
    pub series: SeriesId,
    /// What an event that begins here says; of a finding about an entity it is asked for when it begins.
    pub opening: Option<Opening>,
}

/// The beginning of an event.
#[derive(Debug)]
pub(in crate::engine) struct Opening {
    pub entity: Option<Arc<EntityLabel>>,
    pub rules: Vec<ViolatedRule>,
}
