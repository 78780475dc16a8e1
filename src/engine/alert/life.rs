//! The life of an event: opened by a violation, kept alive by violations only, closed after the grace period.
//!
//! [`EventLife`] is the whole of the rule and nothing else, so that who asks what another threshold would have done lives by the
//! same code; [`OpenEvent`] is a life with what people are told of it.

use crate::engine::evaluate::judge::multiple_from;
use crate::engine::report::{
    CloseReason, EntityLabel, Event, EventState, Observation, Peak, SeriesLabel, ViolatedRule,
};
use crate::model::Nanos;
use std::sync::Arc;

/// What a definition says of an entity at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionState {
    /// It is violated.
    Violating,
    /// It was judged and is not.
    Clear,
    /// It could not be judged.
    Unknown,
}

/// AND and OR over the states of rules.
pub fn combine(or: bool, states: impl Iterator<Item = ConditionState>) -> ConditionState {
    let (decides, decided, needs) = if or {
        (ConditionState::Violating, ConditionState::Violating, ConditionState::Clear)
    } else {
        (ConditionState::Clear, ConditionState::Clear, ConditionState::Violating)
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
    if any && all { needs } else { ConditionState::Unknown }
}

/// An event's times and severity, from the first violation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLife {
    /// First violating instant.
    pub start: Nanos,
    /// Newest violating instant.
    pub last_violation: Nanos,
    /// Highest severity of a rule that violated so far.
    pub severity: i64,
    /// First instant after the last violation that did not violate.
    end: Option<Nanos>,
    /// An instant after the last violation was clear.
    recovered: bool,
}

impl EventLife {
    /// It begins with a violating instant.
    pub fn open(at: Nanos) -> Self {
        EventLife { start: at, last_violation: at, severity: i64::MIN, end: None, recovered: false }
    }

    /// A violating instant; of several in a row the last one says it all.
    pub fn violate(&mut self, at: Nanos, severity: i64) {
        self.last_violation = at;
        self.severity = self.severity.max(severity);
        self.end = None;
        self.recovered = false;
    }

    /// An instant that does not violate; how the event is closed when it is over with it.
    pub fn rest(&mut self, at: Nanos, clear: bool, expiration: Nanos) -> Option<EventState> {
        let end = *self.end.get_or_insert(at);
        self.recovered |= clear;
        if at - self.last_violation < expiration {
            return None;
        }
        let reason = if self.recovered { CloseReason::Recovered } else { CloseReason::NoData };
        Some(EventState::Closed { end, closed_at: at, reason })
    }

    /// The instants `from`, `from + step`, … to `to`, none of which violates: only the first of them and the one that closes
    /// have something to say.
    pub fn rest_until(
        &mut self,
        (from, to): (Nanos, Nanos),
        step: Nanos,
        clear: bool,
        expiration: Nanos,
    ) -> Option<EventState> {
        self.rest(from, clear, expiration).or_else(|| {
            let over = multiple_from(self.expires(expiration), step);
            if over <= to { self.rest(over, clear, expiration) } else { None }
        })
    }

    /// The first instant from which on it is closed unless it violates.
    fn expires(&self, expiration: Nanos) -> Nanos {
        self.last_violation.saturating_add(expiration)
    }
}

/// An event that is not closed yet.
#[derive(Clone, Debug)]
pub(in crate::engine) struct OpenEvent {
    pub event: Event,
    life: EventLife,
    /// Margin of the peak.
    peak_margin: f64,
}

/// The worst value of a definition on an entity at an instant.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Worst {
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
        OpenEvent { event, life: EventLife::open(at), peak_margin: f64::INFINITY }
    }

    /// A violating instant.
    pub fn violate(&mut self, at: Nanos, severity: i64, worst: Worst, series: impl FnOnce() -> Option<SeriesLabel>) {
        self.life.violate(at, severity);
        (self.event.last_violation, self.event.severity) = (at, self.life.severity);
        if worst.margin < self.peak_margin {
            self.peak_margin = worst.margin;
            let observation = Observation { value: worst.value, at };
            self.event.peak = Some(Peak { observation, rule: worst.rule, series: series() });
        }
    }

    /// Violating instants of which nothing new is to be told, up to this one.
    pub fn violate_until(&mut self, at: Nanos) {
        self.life.violate(at, self.life.severity);
        self.event.last_violation = at;
    }

    /// An instant that does not violate; true when the event is over with it.
    pub fn rest(&mut self, at: Nanos, clear: bool, expiration: Nanos) -> bool {
        let Some(closed) = self.life.rest(at, clear, expiration) else { return false };
        self.event.state = closed;
        true
    }

    /// Whether nothing was said since the last violation: the next judged instant decides the end.
    pub fn is_fresh(&self) -> bool {
        self.life.end.is_none()
    }

    /// The first instant from which on a silent event is closed.
    pub fn expires(&self, expiration: Nanos) -> Nanos {
        self.life.expires(expiration)
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
    use super::{ConditionState, combine};
    use ConditionState::{Clear, Unknown, Violating};

    #[test]
    fn and_needs_all_or_needs_one() {
        let and = |states: &[ConditionState]| combine(false, states.iter().copied());
        let or = |states: &[ConditionState]| combine(true, states.iter().copied());
        assert_eq!(and(&[Violating, Violating]), Violating);
        assert_eq!(and(&[Violating, Unknown]), Unknown);
        assert_eq!(and(&[Unknown, Clear]), Clear);
        assert_eq!(or(&[Unknown, Violating]), Violating);
        assert_eq!(or(&[Unknown, Clear]), Unknown);
        assert_eq!(or(&[Clear, Clear]), Clear);
        assert_eq!(and(&[]), Unknown);
    }
}
