//! The room's owner: findings in, transitions of events out.
//!
//! An event is opened by a violation and kept open by violations only. The state of a definition stands until the next
//! finding about it, so the end of the grace period is known beforehand and is the one time this room asks to be called at.

use super::event::{Event, EventLife, EventState, Observation, Peak, Transition};
use crate::engine::evaluate::evaluation::Evaluate;
use crate::engine::evaluate::finding::{About, Finding, Opening, Violation};
use crate::engine::evaluate::schedule::multiple_before;
use crate::engine::evaluate::state::{ConditionState, NO_SERIES};
use crate::engine::ingest::entity::{EntityLabel, SeriesLabel};
use crate::engine::ingest::resources::Ingest;
use crate::engine::rules::{CompiledDefinition, Rules};
use crate::model::Nanos;
use crate::series::Renumbering;
use std::collections::BTreeMap;

/// All events that are open, and those that were closed.
#[derive(Debug, Default)]
pub(in crate::engine) struct Alerts {
    /// By what they are about, and the definition: the order of transitions at one time.
    open: BTreeMap<(About, usize), OpenEvent>,
    /// When the first of them is closed, unless a violation comes.
    pub next_close: Nanos,
    closed: Vec<Event>,
    keeps_closed: bool,
    /// Per definition how many events were opened.
    pub opened: Vec<u64>,
}

/// An event that is not closed yet.
#[derive(Debug)]
struct OpenEvent {
    event: Event,
    life: EventLife,
    /// Of the peak.
    margin: f64,
    /// The state that stands.
    state: ConditionState,
    /// When it is closed; `Nanos::MAX` while the definition is violated.
    closes_at: Nanos,
}

impl Alerts {
    pub fn new(definitions: usize, keeps_closed: bool) -> Self {
        Alerts { next_close: Nanos::MAX, keeps_closed, opened: vec![0; definitions], ..Alerts::default() }
    }

    /// Turns what was found at a time into transitions.
    pub fn apply(&mut self, at: Nanos, evaluate: &mut Evaluate, ingest: &mut Ingest, emit: &mut dyn FnMut(Transition)) {
        if evaluate.findings.is_empty() && self.next_close > at {
            return;
        }
        let mut opened = Vec::new();
        let mut findings = std::mem::take(&mut evaluate.findings);
        for Finding { about, definition: d, state, violation } in findings.drain(..) {
            let key = (about, d);
            match (violation, self.open.get_mut(&key)) {
                (Some(violation), Some(open)) => open.violate(at, about, violation, ingest),
                (Some(mut violation), None) => {
                    let opening = match (violation.opening.take(), about) {
                        (Some(opening), _) => opening,
                        (None, About::Entity(entity)) => evaluate.opening(entity, d, at, ingest),
                        (None, About::Fleet | About::Trend { .. }) => continue,
                    };
                    let mut open = OpenEvent::new(d, &ingest.rules.definitions[d].name, opening, at);
                    open.violate(at, about, violation, ingest);
                    self.opened[d] += 1;
                    self.open.insert(key, open);
                    opened.push(key);
                }
                (None, Some(open)) => open.rest(at, state, about, &ingest.rules.compiled[d]),
                (None, None) => {}
            }
        }
        evaluate.findings = findings;
        opened.sort_unstable();
        self.emit(at, &opened, emit);
    }

    /// Emits the events that were opened or are over, in the order of all events.
    fn emit(&mut self, at: Nanos, opened: &[(About, usize)], emit: &mut dyn FnMut(Transition)) {
        let mut opened = opened.iter().peekable();
        let mut over = Vec::new();
        self.next_close = Nanos::MAX;
        for (key, open) in &mut self.open {
            if opened.next_if(|opened| *opened == key).is_some() {
                emit(Transition { evaluation_time: at, event: open.event.clone() });
            }
            if open.closes_at <= at {
                open.event.state = open.life.close(at);
                emit(Transition { evaluation_time: at, event: open.event.clone() });
                over.push(*key);
            } else {
                self.next_close = self.next_close.min(open.closes_at);
            }
        }
        for key in over {
            let event = self.open.remove(&key).map(|open| open.event);
            self.closed.extend(event.filter(|_| self.keeps_closed));
        }
    }

    /// All events in their state before a time: open ones, then closed ones that are kept.
    pub fn events(&self, until: Nanos, rules: &Rules) -> Vec<Event> {
        let open = self.open.iter().map(|((_, d), open)| {
            let mut event = open.event.clone();
            if open.state == ConditionState::Violating {
                event.last_violation = event.last_violation.max(multiple_before(until, rules.compiled[*d].step));
            }
            event
        });
        open.chain(self.closed.iter().cloned()).collect()
    }

    /// The entities that open events are about.
    pub fn entities(&self) -> impl Iterator<Item = u32> {
        self.open.keys().filter_map(|(about, _)| about.entity())
    }

    /// Entities have new numbers; those with an open event stay.
    pub fn renumber(&mut self, entities: &Renumbering) {
        let new = |entity| entities.get(entity).unwrap_or(entity);
        let renumbered = std::mem::take(&mut self.open).into_iter().map(|((about, d), open)| {
            let about = match about {
                About::Entity(entity) => About::Entity(new(entity)),
                About::Trend { order, entity } => About::Trend { order, entity: new(entity) },
                About::Fleet => About::Fleet,
            };
            ((about, d), open)
        });
        self.open = renumbered.collect();
    }
}

impl OpenEvent {
    fn new(definition: usize, name: &str, opening: Opening, at: Nanos) -> Self {
        let event = Event {
            id: event_id(name, opening.entity.as_deref(), at),
            definition,
            entity: opening.entity,
            state: EventState::Open,
            start: at,
            last_violation: at,
            severity: i64::MIN,
            rules: opening.rules,
            peak: None,
        };
        OpenEvent {
            event,
            life: EventLife::open(at),
            margin: f64::INFINITY,
            state: ConditionState::Violating,
            closes_at: Nanos::MAX,
        }
    }

    fn violate(&mut self, at: Nanos, about: About, violation: Violation, ingest: &Ingest) {
        let Violation { severity, margin, value, rule, series, .. } = violation;
        (self.state, self.closes_at) = (ConditionState::Violating, Nanos::MAX);
        self.life.violate(at, severity);
        (self.event.last_violation, self.event.severity) = (at, self.life.severity);
        if margin < self.margin {
            self.margin = margin;
            let name =
                about.entity().filter(|_| series != NO_SERIES).map(|of| ingest.series_name(of as usize, rule, series));
            let series = name.zip(self.event.entity.clone()).map(|((metric, attributes), entity)| SeriesLabel {
                entity,
                metric,
                attributes,
            });
            let observation = Observation { value, evaluation_time: at };
            self.event.peak = Some(Peak { observation, rule: ingest.rules.rules[rule].index, series });
        }
    }

    /// From a time on the definition is not violated.
    fn rest(&mut self, at: Nanos, state: ConditionState, about: About, definition: &CompiledDefinition) {
        if self.state == ConditionState::Violating {
            // The violation stood until the time before.
            let last = multiple_before(at, definition.step).max(self.event.last_violation);
            self.life.violate(last, self.life.severity);
            self.event.last_violation = last;
        }
        self.state = state;
        let is_clear = state == ConditionState::Clear;
        // Growth that has ended needs no grace: the leak was looked at long enough before it was called over.
        let grace = if matches!(about, About::Trend { .. }) && is_clear { 0 } else { definition.grace };
        self.closes_at = self.life.rest(at, is_clear, grace, definition.step);
    }
}

/// The same definition, entity and start give the same id: a name-based UUID (RFC 9562, version 5).
fn event_id(definition: &str, entity: Option<&EntityLabel>, start: Nanos) -> String {
    let resource = entity.map(|entity| entity.resource.to_json().to_string()).unwrap_or_default();
    let name = format!("foreshock\0{definition}\0{resource}\0{start}");
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
