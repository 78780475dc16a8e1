//! The life of an event: opened by a violation, kept open by violations only, closed after the grace period.
//!
//! This is the whole of the rule and nothing else, so that `tune` lets events live by the same code.

use super::event::{CloseReason, EventState};
use crate::engine::evaluate::schedule::multiple_from;
use crate::model::Nanos;

/// An event's times and severity, from the first violation on.
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
