//! What a change of the rules changes in behaviour: two reports on the same recordings, definition by definition and entity by
//! entity.

use crate::definition::{EventDefinition, Rule};
use crate::engine::{DefinitionReport, EvaluationReport, Event, EventState, Verdict};
use crate::model::{MS, Nanos};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that differs, and what does not.
#[derive(Debug)]
pub struct Comparison {
    /// One per name that either side has, by name.
    pub definitions: Vec<Compared>,
    /// How long the recordings are.
    pub span: Nanos,
}

/// One definition on both sides.
#[derive(Debug)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What the old one did; `None` when there was none.
    pub old: Option<Behaviour>,
    /// What the new one did; `None` when there is none.
    pub new: Option<Behaviour>,
    /// What differs, by entity and time.
    pub changes: Vec<EventChange>,
    /// Events that are the same on both sides.
    pub unchanged: usize,
}

/// What a definition did.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its events.
    pub events: usize,
    /// Entities with an event.
    pub entities: usize,
    /// How long it was violated, all entities together.
    pub firing: Nanos,
    /// Events that opened within a window after the one before on the same entity was closed.
    pub flaps: usize,
}

/// An event that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct EventChange {
    /// The entity; empty for rules that are not about one.
    pub entity: String,
    /// As it was.
    pub old: Option<Event>,
    /// As it is.
    pub new: Option<Event>,
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only the new rules give it.
    Appears,
    /// Only the old rules gave it.
    Vanishes,
    /// It begins or ends at another time.
    Moves,
    /// At the same time, with another severity.
    Severity,
}

impl EventChange {
    /// What happens to it. A severity that changes with the times counts as a move.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if times(old) == times(new) => ChangeKind::Severity,
            (Some(_), Some(_)) => ChangeKind::Moves,
            (Some(_), None) => ChangeKind::Vanishes,
            (None, _) => ChangeKind::Appears,
        }
    }
}

/// One side: definitions and what became of them.
#[derive(Clone, Copy, Debug)]
pub struct RulesOutcome<'a> {
    /// The definitions, in the order of the report.
    pub definitions: &'a [EventDefinition],
    /// What came out.
    pub report: &'a EvaluationReport,
}

/// Compares two sides of the same recordings.
pub fn compare(old: RulesOutcome<'_>, new: RulesOutcome<'_>) -> Comparison {
    let mut names: BTreeMap<&str, (Option<usize>, Option<usize>)> = BTreeMap::new();
    for (number, definition) in old.definitions.iter().enumerate() {
        names.entry(&definition.name).or_default().0 = Some(number);
    }
    for (number, definition) in new.definitions.iter().enumerate() {
        names.entry(&definition.name).or_default().1 = Some(number);
    }
    let definitions = names.into_iter().map(|(name, (before, after))| {
        let olds = before.map(|d| old.events(d)).unwrap_or_default();
        let news = after.map(|d| new.events(d)).unwrap_or_default();
        let (changes, unchanged) = changes(&olds, &news);
        Compared {
            name: name.to_string(),
            old: before.map(|d| old.behaviour(d, &olds)),
            new: after.map(|d| new.behaviour(d, &news)),
            changes,
            unchanged,
        }
    });
    let coverage = new.report.coverage;
    let span = coverage.to.zip(coverage.from).map_or(0, |(to, from)| to - from);
    Comparison { definitions: definitions.collect(), span }
}

impl<'a> RulesOutcome<'a> {
    fn events(self, definition: usize) -> Vec<&'a Event> {
        self.report.events.iter().filter(|event| event.definition == definition).collect()
    }

    fn behaviour(self, d: usize, events: &[&Event]) -> Behaviour {
        let DefinitionReport { verdict, violating, step, .. } = &self.report.definitions[d];
        let windows = self.definitions[d].rules.iter().filter_map(Rule::window_ms);
        let window = windows.max().unwrap_or(0).saturating_mul(MS);
        let by_entity = by_entity(events);
        let is_flap = |pair: &&[&Event]| match pair[0].state {
            EventState::Closed { closed_at, .. } => pair[1].start - closed_at <= window,
            EventState::Open => false,
        };
        Behaviour {
            verdict: *verdict,
            events: events.len(),
            entities: by_entity.len(),
            firing: step.saturating_mul(i64::try_from(*violating).unwrap_or(i64::MAX)),
            flaps: by_entity.values().map(|events| events.windows(2).filter(is_flap).count()).sum(),
        }
    }
}

/// The label of an entity, and its identity: two entities may have the same label.
type EntityKey = (String, String);

/// Events by entity, each list by start.
fn by_entity<'a>(events: &[&'a Event]) -> BTreeMap<EntityKey, Vec<&'a Event>> {
    let mut found: BTreeMap<EntityKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let key = event.entity.as_ref().map(|entity| (entity.label.clone(), entity.resource.to_suffix()));
        found.entry(key.unwrap_or_default()).or_default().push(event);
    }
    found.values_mut().for_each(|events| events.sort_by_key(|event| event.start));
    found
}

/// What differs, and how many events do not.
fn changes(old: &[&Event], new: &[&Event]) -> (Vec<EventChange>, usize) {
    let (mut olds, mut news) = (by_entity(old), by_entity(new));
    let keys: BTreeSet<EntityKey> = olds.keys().chain(news.keys()).cloned().collect();
    let (mut found, mut unchanged) = (Vec::new(), 0);
    for key in keys {
        let (old, new) = (olds.remove(&key).unwrap_or_default(), news.remove(&key).unwrap_or_default());
        for (old, new) in pairs(&old, &new) {
            if let (Some(old), Some(new)) = (old, new)
                && times(old) == times(new)
                && old.severity == new.severity
            {
                unchanged += 1;
                continue;
            }
            found.push(EventChange { entity: key.0.clone(), old: old.cloned(), new: new.cloned() });
        }
    }
    (found, unchanged)
}

/// Events of one entity side by side: those with the same start, then those that overlap, the rest alone. By time.
fn pairs<'a>(old: &[&'a Event], new: &[&'a Event]) -> Vec<(Option<&'a Event>, Option<&'a Event>)> {
    let mut left = old.to_vec();
    let mut all: Vec<(Option<&Event>, Option<&Event>)> = new.iter().map(|event| (None, Some(*event))).collect();
    let rules: [fn(&Event, &Event) -> bool; 2] = [|a, b| a.start == b.start, overlap];
    for fits in rules {
        for (old, new) in all.iter_mut().filter(|(old, _)| old.is_none()) {
            let partner = left.iter().position(|old| new.is_some_and(|new| fits(old, new)));
            *old = partner.map(|place| left.remove(place));
        }
    }
    all.extend(left.into_iter().map(|event| (Some(event), None)));
    all.sort_by_key(|(old, new)| old.or(*new).map(|event| event.start));
    all
}

fn overlap(a: &Event, b: &Event) -> bool {
    a.start <= over(b) && b.start <= over(a)
}

fn over(event: &Event) -> Nanos {
    match event.state {
        EventState::Open => Nanos::MAX,
        EventState::Closed { closed_at, .. } => closed_at,
    }
}

fn times(event: &Event) -> (Nanos, Nanos, EventState) {
    (event.start, event.last_violation, event.state)
}
