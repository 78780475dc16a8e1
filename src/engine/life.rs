//! The life of an event: opened by a violation, kept alive by violations only, closed after the grace period.

use super::report::{CloseReason, EntityLabel, Event, EventState, Observation, Peak, SeriesLabel, ViolatedRule};
use crate::model::Nanos;
use std::sync::Arc;

/// What a definition says of an entity at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Violating,
    Clear,
    Unknown,
}

/// AND and OR over the states of rules.
pub(super) fn combine(or: bool, states: impl Iterator<Item = State>) -> State {
    let (decides, decided, needs) = if or {
        (State::Violating, State::Violating, State::Clear)
    } else {
        (State::Clear, State::Clear, State::Violating)
    };
    let mut all = true;
    let mut any = false;
    for state in states {
        any = true;
        if state == decides {
            return decided;
        }
        all &= state == needs;
    }
    if any && all { needs } else { State::Unknown }
}

/// An event that is not closed yet.
#[derive(Clone, Debug)]
pub(super) struct OpenEvent {
    pub event: Event,
    /// Margin of the peak.
    peak_margin: f64,
    /// First instant after the last violation that did not violate.
    end: Option<Nanos>,
    /// An instant after the last violation was clear.
    recovered: bool,
}

/// The worst value of a definition on an entity at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worst {
    pub margin: f64,
    pub value: f64,
    pub rule: usize,
    pub series: Option<u32>,
}

impl OpenEvent {
    pub fn open(
        definition: usize,
        definition_name: &str,
        entity: Option<Arc<EntityLabel>>,
        at: Nanos,
        rules: Vec<ViolatedRule>,
    ) -> Self {
        let id = event_id(definition_name, entity.as_deref(), at);
        let event = Event {
            id,
            definition,
            entity,
            state: EventState::Open,
            start: at,
            last_violation: at,
            severity: i64::MIN,
            rules,
            peak: None,
        };
        OpenEvent { event, peak_margin: f64::INFINITY, end: None, recovered: false }
    }

    /// A violating instant.
    pub fn violate(&mut self, at: Nanos, severity: i64, worst: Worst, series: impl FnOnce() -> Option<SeriesLabel>) {
        self.event.last_violation = at;
        self.event.severity = self.event.severity.max(severity);
        self.end = None;
        self.recovered = false;
        if worst.margin < self.peak_margin {
            self.peak_margin = worst.margin;
            let observation = Observation { value: worst.value, at };
            self.event.peak = Some(Peak { observation, rule: worst.rule, series: series() });
        }
    }

    /// An instant that does not violate; true when the event is over with it.
    pub fn rest(&mut self, at: Nanos, clear: bool, expiration: Nanos) -> bool {
        let end = *self.end.get_or_insert(at);
        self.recovered |= clear;
        if at - self.event.last_violation < expiration {
            return false;
        }
        let reason = if self.recovered { CloseReason::Recovered } else { CloseReason::NoData };
        self.event.state = EventState::Closed { end, closed_at: at, reason };
        true
    }

    /// Whether nothing was said since the last violation: the next judged instant decides the end.
    pub fn is_fresh(&self) -> bool {
        self.end.is_none()
    }

    /// The first instant from which on a silent event is closed.
    pub fn expires(&self, expiration: Nanos) -> Nanos {
        self.event.last_violation.saturating_add(expiration)
    }
}

/// The same definition, entity and start give the same id: a name-based UUID (RFC 9562, version 5).
fn event_id(definition: &str, entity: Option<&EntityLabel>, start: Nanos) -> String {
    let resource = entity.map(|entity| entity.resource.to_json().to_string()).unwrap_or_default();
    let name = format!("foreshock\0{definition}\0{resource}\0{start}");
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::{State, combine};
    use State::{Clear, Unknown, Violating};

    #[test]
    fn and_needs_all_or_needs_one() {
        let and = |states: &[State]| combine(false, states.iter().copied());
        let or = |states: &[State]| combine(true, states.iter().copied());
        assert_eq!(and(&[Violating, Violating]), Violating);
        assert_eq!(and(&[Violating, Unknown]), Unknown);
        assert_eq!(and(&[Unknown, Clear]), Clear);
        assert_eq!(or(&[Unknown, Violating]), Violating);
        assert_eq!(or(&[Unknown, Clear]), Unknown);
        assert_eq!(or(&[Clear, Clear]), Clear);
        assert_eq!(and(&[]), Unknown);
    }
}
