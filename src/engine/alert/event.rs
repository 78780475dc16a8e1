//! Events and their transitions, as every output gets them, and when an event ends.

use crate::engine::evaluate::schedule::multiple_from;
use crate::engine::evaluate::trend::Evidence;
use crate::engine::ingest::entity::{EntityLabel, SeriesLabel};
use crate::model::{Attributes, MetricIdentity, Nanos};
use std::sync::Arc;

/// An event was opened or closed.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When it was evaluated.
    pub evaluation_time: Nanos,
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
    /// First violating evaluation.
    pub start: Nanos,
    /// Newest violating evaluation.
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
        /// First evaluation after the last violation that did not violate.
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
    /// At least one evaluation after the last violation was clear.
    Recovered,
    /// Nothing could be evaluated after the last violation.
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
    /// Its violating series, ordered by metric, attributes, first sight. Empty for presence rules.
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

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The aggregate.
    pub value: f64,
    /// When it was evaluated.
    pub evaluation_time: Nanos,
}

/// The worst value of an event.
#[derive(Clone, Debug)]
pub struct Peak {
    /// Value and time.
    pub observation: Observation,
    /// Index of the rule.
    pub rule: usize,
    /// The series; `None` for presence rules.
    pub series: Option<SeriesLabel>,
}

/// The life of an event, from the first violation on: kept open by violations only, closed after the grace period. This is the
/// whole of the rule, so that `tune` lets events live by the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLife {
    /// First violating time.
    pub start: Nanos,
    /// Newest violating time.
    pub last_violation: Nanos,
    /// Highest severity of a rule that violated so far.
    pub severity: i64,
    /// First time after the last violation that did not violate.
    end: Option<Nanos>,
    /// At some time after the last violation the definition was clear.
    recovered: bool,
}

impl EventLife {
    /// It begins with a violation.
    pub fn open(at: Nanos) -> Self {
        EventLife { start: at, last_violation: at, severity: i64::MIN, end: None, recovered: false }
    }

    /// A violation; of several in a row the last one is enough.
    pub fn violate(&mut self, at: Nanos, severity: i64) {
        self.last_violation = at;
        self.severity = self.severity.max(severity);
        self.end = None;
        self.recovered = false;
    }

    /// From a time of evaluation on there is no violation. When the event is closed, unless one comes.
    pub fn rest(&mut self, at: Nanos, clear: bool, grace: Nanos, step: Nanos) -> Nanos {
        self.end.get_or_insert(at);
        self.recovered |= clear;
        multiple_from(self.last_violation.saturating_add(grace), step).max(at)
    }

    /// The event is over.
    pub fn close(&self, at: Nanos) -> EventState {
        let reason = if self.recovered { CloseReason::Recovered } else { CloseReason::NoData };
        EventState::Closed { end: self.end.unwrap_or(at), closed_at: at, reason }
    }
}
