//! Events and their transitions, as every output gets them. Data only.

use crate::engine::evaluate::trend::Evidence;
use crate::engine::label::{EntityLabel, SeriesLabel};
use crate::model::{Attributes, MetricIdentity, Nanos};
use std::sync::Arc;

/// An event was opened or closed.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The instant of the transition.
    pub at: Nanos,
    /// The event as it stands after it.
    pub event: Event,
}

/// One event: a definition was violated on an entity.
#[derive(Clone, Debug)]
pub struct Event {
    /// Deterministic: the same input gives the same id.
    pub id: String,
    /// Index of the definition.
    pub definition: usize,
    /// The entity; `None` for rules that are not about one (counts, verification of a named label).
    pub entity: Option<Arc<EntityLabel>>,
    /// Open or closed.
    pub state: EventState,
    /// First violating instant.
    pub start: Nanos,
    /// Newest violating instant.
    pub last_violation: Nanos,
    /// Highest severity of a rule that violated so far.
    pub severity: i64,
    /// The rules violated at `start`, with all their violating series.
    pub rules: Vec<ViolatedRule>,
    /// The worst margin so far.
    pub peak: Option<Peak>,
}

/// Whether an event is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Not closed yet.
    Open,
    /// Over.
    Closed {
        /// First judged instant after the last violation that did not violate.
        end: Nanos,
        /// When the grace period was over.
        closed_at: Nanos,
        /// Why it was closed.
        reason: CloseReason,
    },
}

/// Why an event was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// At least one instant after the last violation was clear.
    Recovered,
    /// Nothing could be judged after the last violation.
    NoData,
}

impl CloseReason {
    /// Both, each with its name in documents.
    pub const NAMES: [(&str, CloseReason); 2] =
        [("recovered", CloseReason::Recovered), ("no_data", CloseReason::NoData)];

    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// A rule violated at the opening of an event.
#[derive(Clone, Debug)]
pub struct ViolatedRule {
    /// Index in the definition's rules.
    pub index: usize,
    /// Its violating series, ordered by metric, attributes, first arrival. Empty for presence rules.
    pub series: Vec<ViolatingSeries>,
    /// What a presence rule counted, when it counts.
    pub observed: Option<f64>,
}

/// A series that violated a rule.
#[derive(Clone, Debug)]
pub struct ViolatingSeries {
    /// Its metric.
    pub metric: Arc<MetricIdentity>,
    /// Its attributes; empty for a merged series.
    pub attributes: Arc<Attributes>,
    /// The aggregate.
    pub value: f64,
    /// Points inside the window.
    pub points: usize,
    /// Of a trend rule the evidence; the value is then the slope in bytes a second.
    pub trend: Option<Box<Evidence>>,
}

/// A value at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The aggregate.
    pub value: f64,
    /// When it was judged.
    pub at: Nanos,
}

/// The worst value of an event.
#[derive(Clone, Debug)]
pub struct Peak {
    /// Value and instant.
    pub observation: Observation,
    /// Index of the rule.
    pub rule: usize,
    /// The series; `None` for presence rules.
    pub series: Option<SeriesLabel>,
}
