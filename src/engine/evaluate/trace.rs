//! What decides each rule, recorded as it changes, for those who ask what another threshold would have done.
//!
//! The aggregate of a rule does not depend on its threshold. So of every rule on every entity the one value is kept that
//! decides at a time of evaluation: the most violating one over its series. It stands until the next change. An engine that
//! traces opens no events for rules about entities: whoever reads the trace lets events live by [`crate::engine::EventLife`].
//! Everything before that, from the bytes to the state of a rule, is the same code on the same path.
//!
//! Memory is bounded: when there is too much, the entities that came last are given up, for another pass to begin with.

use super::schedule::multiple_from;
use super::state::RuleState;
use crate::definition::{CompareOp, Condition};
use crate::engine::ingest::entity::{EntityLabel, SeriesLabel};
use crate::engine::ingest::resources::Ingest;
use crate::engine::rules::{CompiledDefinition, Rules};
use crate::model::{MS, Nanos};
use std::ops::Range;
use std::sync::Arc;

/// Room for at least so many changes is added at a time.
const GROWTH: usize = 1 << 10;
/// Gaps between reports that the interval of an entity is the median of.
const GAPS: usize = 15;
/// Bytes that a change takes while the trace is put in order.
const BYTES_A_CHANGE: u64 = (size_of::<Change>() + size_of::<TracePoint>()) as u64;

/// What to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// The first entity of this pass, in the order of their first export.
    pub first_entity: usize,
    /// Memory that the trace may take, in bytes.
    pub most_bytes: u64,
}

/// The trace while it is recorded.
#[derive(Debug)]
pub(in crate::engine) struct Recorder {
    first: usize,
    /// Entities from here on are given up.
    end: usize,
    rules: usize,
    most_changes: usize,
    /// By entity and rule what was noted last.
    last: Vec<LastChange>,
    changes: Vec<Change>,
    intervals: Vec<Interval>,
    /// What violates each rule, as it is written.
    conditions: Vec<Condition>,
}

/// What was noted last of a rule on an entity.
#[derive(Clone, Copy, Debug)]
struct LastChange {
    /// The bits of the value.
    bits: u64,
    /// How many changes there were.
    changes: u32,
}

/// The value of a rule on an entity changes.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Nanos,
    value: f64,
    /// By entity and rule.
    place: u32,
    series: u32,
}

/// How often an entity reports.
#[derive(Clone, Copy, Debug)]
struct Interval {
    newest: Nanos,
    reports: u32,
    /// The newest gaps, in milliseconds.
    gaps: [u32; GAPS],
}

impl Interval {
    const NONE: Interval = Interval { newest: Nanos::MIN, reports: 0, gaps: [0; GAPS] };

    fn report(&mut self, time: Nanos) {
        if time <= self.newest {
            return;
        }
        if self.reports > 0 {
            self.gaps[(self.reports as usize - 1) % GAPS] =
                u32::try_from((time - self.newest) / MS).unwrap_or(u32::MAX);
        }
        self.newest = time;
        self.reports = self.reports.saturating_add(1);
    }

    /// The lower median of the newest gaps.
    fn median(&self) -> Option<Nanos> {
        let mut gaps = self.gaps;
        let gaps = &mut gaps[..(self.reports as usize).saturating_sub(1).min(GAPS)];
        gaps.sort_unstable();
        gaps.get(gaps.len().checked_sub(1)? / 2).map(|&gap| Nanos::from(gap) * MS)
    }
}

impl Recorder {
    /// Records the rules as they are; their conditions become such that the deciding value is found whatever the threshold is.
    pub fn new(rules: &mut Rules, limits: TraceLimits) -> Self {
        let conditions = rules.conditions.clone();
        for (rule, condition) in rules.rules.iter().zip(&mut rules.conditions) {
            let is_ordered = !matches!(condition.operator, CompareOp::Equal | CompareOp::NotEqual);
            if rule.evaluator.window().is_some() && is_ordered {
                // Of two values the more violating one must be found, and a margin is exact only against zero.
                condition.value = 0.0;
            }
        }
        let most_changes = usize::try_from(limits.most_bytes / BYTES_A_CHANGE).unwrap_or(usize::MAX);
        Recorder {
            first: limits.first_entity,
            end: usize::MAX,
            rules: conditions.len(),
            most_changes,
            last: Vec::new(),
            changes: Vec::new(),
            intervals: Vec::new(),
            conditions,
        }
    }

    fn is_traced(&self, entity: usize) -> bool {
        (self.first..self.end).contains(&entity)
    }

    /// Samples of an entity came; the newest one has this time.
    pub fn receive(&mut self, entity: usize, newest: Nanos) {
        if self.is_traced(entity) {
            let place = entity - self.first;
            if place >= self.intervals.len() {
                self.intervals.resize(place + 1, Interval::NONE);
            }
            self.intervals[place].report(newest);
        }
    }

    /// Notes the states of some rules on an entity.
    pub fn note(&mut self, entity: usize, first_rule: usize, at: Nanos, states: &[RuleState]) {
        for (i, state) in states.iter().enumerate() {
            // Looked up each time: a change may be the one too many, and the entity be given up.
            if self.is_traced(entity) {
                self.note_rule(entity, first_rule + i, at, state);
            }
        }
    }

    fn note_rule(&mut self, entity: usize, rule: usize, at: Nanos, state: &RuleState) {
        let value = if state.evaluations == 0 { f64::NAN } else { state.value };
        let place = (entity - self.first) * self.rules + rule;
        if place >= self.last.len() {
            let nothing = LastChange { bits: f64::NAN.to_bits(), changes: 0 };
            self.last.resize((entity - self.first + 1) * self.rules, nothing);
        }
        let last = &mut self.last[place];
        if last.bits == value.to_bits() {
            return;
        }
        *last = LastChange { bits: value.to_bits(), changes: last.changes + 1 };
        if self.changes.len() == self.changes.capacity() {
            // By a quarter, because memory is limited.
            self.changes.reserve_exact((self.changes.len() / 4).max(GROWTH));
        }
        self.changes.push(Change { at, value, place: place as u32, series: state.series });
        if self.changes.len() > self.most_changes {
            self.give_up();
        }
    }

    /// Gives up the entities that came last, so many that half of the changes are left; the first one only when it is too
    /// much by itself.
    fn give_up(&mut self) {
        let of_entity = self.last.chunks(self.rules.max(1));
        let changes: Vec<usize> = of_entity.map(|rules| rules.iter().map(|last| last.changes as usize).sum()).collect();
        let mut kept = 0;
        let stay = changes.iter().take_while(|n| {
            kept += **n;
            kept <= self.changes.len() / 2
        });
        let alone = changes.first().is_some_and(|&n| n <= self.most_changes);
        self.end = self.first + stay.count().max(usize::from(alone));
        let places = (self.end - self.first) * self.rules;
        self.changes.retain(|change| (change.place as usize) < places);
        self.last.truncate(places);
        self.intervals.truncate(self.end - self.first);
    }
}

/// What was recorded of the entities of one pass.
#[derive(Debug, Default)]
pub struct EvaluationTrace {
    /// The entities of this pass, in the order of their first export.
    pub entities: Vec<TracedEntity>,
    /// The first entity of the next pass; `None` when this was the last one.
    pub next: Option<usize>,
    /// Of each definition when it was evaluated; `None` when it never was.
    pub spans: Vec<Option<TraceSpan>>,
    rules_of: Vec<Range<usize>>,
    conditions: Vec<Condition>,
    /// By entity and rule where its points begin, and at the end where they all end.
    starts: Vec<usize>,
    points: Vec<TracePoint>,
    /// Of the entities of this pass.
    series: Vec<Option<SeriesLabel>>,
}

/// The times at which a definition was evaluated: from the first to the last in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceSpan {
    /// The first time.
    pub first: Nanos,
    /// The last time.
    pub last: Nanos,
    /// Between two of them.
    pub step: Nanos,
}

/// From a time on a rule has this value on an entity.
#[derive(Clone, Copy, Debug)]
pub struct TracePoint {
    /// From here.
    pub since: Nanos,
    /// The most violating value over the series; not a number where the rule is unknown.
    pub value: f64,
    /// The number of its series, see [`EvaluationTrace::series`].
    pub series: u32,
}

/// One entity of a pass.
#[derive(Clone, Debug)]
pub struct TracedEntity {
    /// What identifies it, and how it is called.
    pub label: Arc<EntityLabel>,
    /// How often it reports; `None` when it did only once.
    pub interval: Option<Nanos>,
}

impl EvaluationTrace {
    /// Puts what was recorded in order of entity, rule and time, with names, so that the engine can go.
    pub(in crate::engine) fn new(recorder: Recorder, ingest: &Ingest) -> Self {
        let (all, rules) = (ingest.entities.len(), &ingest.rules);
        let traced = recorder.first.min(all)..recorder.end.min(all);
        let entities = traced.clone().map(|entity| TracedEntity {
            label: ingest.label(entity),
            interval: recorder.intervals.get(entity - recorder.first).and_then(Interval::median),
        });
        let mut trace = EvaluationTrace {
            entities: entities.collect(),
            next: (recorder.end < all).then_some(recorder.end),
            spans: (0..rules.definitions.len()).map(|d| span(d, ingest)).collect(),
            rules_of: rules.compiled.iter().map(|definition| definition.rules.clone()).collect(),
            conditions: recorder.conditions,
            ..EvaluationTrace::default()
        };
        trace.sort(&recorder.last, recorder.changes);
        let named = ingest.store.series_ids().map(|series| {
            // A label is read from the bytes of a resource: that of an entity is read once and shared.
            let entity = trace.entities.get((ingest.entity_of(series) as usize).checked_sub(recorder.first)?)?;
            let attributes = if ingest.merges() { Arc::default() } else { ingest.store.attributes_of(series).clone() };
            let metric = ingest.store.metric_of(series).clone();
            Some(SeriesLabel { entity: entity.label.clone(), metric, attributes })
        });
        trace.series = named.collect();
        trace
    }

    fn sort(&mut self, last: &[LastChange], changes: Vec<Change>) {
        let places = self.entities.len() * self.conditions.len();
        let mut next = Vec::with_capacity(places + 1);
        let mut begin = 0;
        for place in 0..places {
            next.push(begin);
            begin += last.get(place).map_or(0, |last| last.changes as usize);
        }
        next.push(begin);
        self.starts = next.clone();
        self.points = vec![TracePoint { since: 0, value: 0.0, series: 0 }; begin];
        for Change { at, value, place, series } in changes {
            let to = &mut next[place as usize];
            self.points[*to] = TracePoint { since: at, value, series };
            *to += 1;
        }
    }

    /// The values of a rule on an entity, by its place among the entities of this pass: every change, in order.
    pub fn track(&self, entity: usize, definition: usize, rule: usize) -> &[TracePoint] {
        let range =
            self.place(entity, definition, rule).map_or(0..0, |place| self.starts[place]..self.starts[place + 1]);
        &self.points[range]
    }

    /// The series with a number, when it is one of an entity of this pass.
    pub fn series(&self, number: u32) -> Option<&SeriesLabel> {
        self.series.get(number as usize)?.as_ref()
    }

    /// What violates a rule, as it is written; `None` when the definition is not evaluated.
    pub fn condition(&self, definition: usize, rule: usize) -> Option<Condition> {
        let of = self.rules_of.get(definition)?;
        self.conditions.get(of.clone().nth(rule)?).copied()
    }

    fn place(&self, entity: usize, definition: usize, rule: usize) -> Option<usize> {
        let of = self.rules_of.get(definition)?;
        (rule < of.len() && entity < self.entities.len()).then(|| entity * self.conditions.len() + of.start + rule)
    }
}

/// The times at which a definition was evaluated.
fn span(d: usize, ingest: &Ingest) -> Option<TraceSpan> {
    let CompiledDefinition { rules, step, .. } = &ingest.rules.compiled[d];
    let (from, to) = (ingest.started_at()?, ingest.now?);
    let (first, last) = (multiple_from(from, *step), to.div_euclid(*step).saturating_mul(*step));
    (first <= last && !rules.is_empty()).then_some(TraceSpan { first, last, step: *step })
}
