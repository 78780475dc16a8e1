//! The room's owner: when each entity is evaluated, and what its rules said last.
//!
//! An entity is evaluated when samples of it came or when its last evaluation has run out. In between its states stand: what
//! is computed depends on the samples, not on how often the schedule comes round. An entity that reports once between two
//! evaluations is evaluated for the coming one as soon as its samples are in, while they are at hand; more samples before
//! that time merely make the result void.

use super::evaluator::Target;
use super::finding::{About, Finding, Opening};
use super::fleet::FleetCount;
use super::schedule::{Schedule, multiple_from};
use super::state::{ConditionState, NO_SERIES, RuleState, combine};
use super::tally::Tally;
use super::threshold;
use super::trace::Recorder;
use super::trend::minima::BUCKET;
use super::trend::trends::Trends;
use crate::definition::LogicalOperator;
use crate::engine::alert::event::Observation;
use crate::engine::ingest::admit::count_not_kept;
use crate::engine::ingest::changes::ReceivedFrom;
use crate::engine::ingest::resources::Ingest;
use crate::engine::options::Options;
use crate::engine::report::Nearest;
use crate::engine::rules::Rules;
use crate::model::Nanos;
use crate::series::{Renumbered, Renumbering};

/// All states of rules and definitions, by entity.
#[derive(Debug)]
pub(in crate::engine) struct Evaluate {
    pub schedule: Schedule,
    clocks: Vec<EntityClock>,
    /// By entity and rule.
    rule_states: Vec<RuleState>,
    /// By entity and definition.
    states: Vec<ConditionState>,
    fleet: Vec<FleetCount>,
    pub trends: Trends,
    tally: Tally,
    /// Records what decides, in place of findings about entities.
    pub recorder: Option<Recorder>,
    /// What the last evaluation found, until it is taken.
    pub findings: Vec<Finding>,
    /// Per definition whether it is due at the time of evaluation.
    due: Vec<bool>,
}

/// When an entity must be evaluated.
#[derive(Clone, Copy, Debug)]
struct EntityClock {
    /// Its rule states hold since here and are not in the tally yet.
    since: Nanos,
    /// When its windows were evaluated last.
    evaluated_at: Nanos,
    /// Its windows hold until here (exclusive).
    valid_until: Nanos,
    /// Nothing changes before; `Nanos::MIN` after samples came.
    wake: Nanos,
    /// How often samples came since the last evaluation, and before that one.
    received: (u8, u8),
}

impl EntityClock {
    const NEW: EntityClock = EntityClock {
        since: Nanos::MAX,
        evaluated_at: Nanos::MIN,
        valid_until: Nanos::MIN,
        wake: Nanos::MIN,
        received: (0, 0),
    };

    /// What holds of it does not hold any more.
    fn void(&mut self) {
        (self.wake, self.valid_until) = (Nanos::MIN, Nanos::MIN);
    }

    /// Samples came. True when they are likely to be the only ones before the next evaluation.
    fn receive(&mut self) -> bool {
        self.void();
        let (now, before) = &mut self.received;
        *now = now.saturating_add(1);
        *now == 1 && *before <= 1
    }
}

impl Evaluate {
    /// With a recorder what decides each rule on each entity is recorded.
    pub fn new(rules: &Rules, options: &Options, recorder: Option<Recorder>) -> Self {
        Evaluate {
            schedule: Schedule::new(),
            clocks: Vec::new(),
            rule_states: Vec::new(),
            states: Vec::new(),
            fleet: FleetCount::all(rules),
            trends: Trends::new(options),
            tally: Tally::new(rules),
            recorder,
            findings: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Takes in what an export has changed.
    pub fn receive(&mut self, ingest: &mut Ingest) {
        let mut changes = std::mem::take(&mut ingest.changes);
        if let Some(at) = ingest.now {
            self.schedule.start(at, &ingest.rules);
        }
        self.add_entities(ingest.entities.len(), &ingest.rules);
        for series in changes.trend_series.drain(..) {
            self.trends.add_series(series, ingest, &mut self.tally);
        }
        let closing = multiple_from(self.schedule.from, BUCKET);
        for (series, sample) in changes.trend_samples.drain(..) {
            if let Err(reason) = self.trends.add(series, sample, closing, ingest) {
                count_not_kept(ingest, series, reason);
            }
        }
        for received in changes.received.drain(..) {
            self.receive_entity(received, ingest);
        }
        ingest.changes = changes;
    }

    fn add_entities(&mut self, entities: usize, rules: &Rules) {
        if entities > self.clocks.len() {
            self.clocks.resize(entities, EntityClock::NEW);
            self.states.resize(entities * rules.definitions.len(), ConditionState::Unknown);
            let states = entities * rules.rules.len();
            if self.rule_states.capacity() < states {
                // By a quarter: of a large fleet's states half a doubling would lie idle.
                self.rule_states.reserve_exact((states / 4).max(states - self.rule_states.len()));
            }
            self.rule_states.resize(states, RuleState::EMPTY);
        }
    }

    fn receive_entity(&mut self, ReceivedFrom { entity, newest }: ReceivedFrom, ingest: &mut Ingest) {
        let entity = entity as usize;
        if let Some(recorder) = &mut self.recorder {
            recorder.receive(entity, newest);
        }
        self.schedule.wake();
        self.fleet.iter_mut().for_each(|counted| counted.wake = Nanos::MIN);
        if self.clocks[entity].receive() && self.schedule.upcoming != Nanos::MAX {
            self.evaluate_windows(entity, self.schedule.upcoming, ingest);
        }
    }

    /// Evaluates everything at a time.
    pub fn run(&mut self, at: Nanos, ingest: &mut Ingest) {
        self.due.clear();
        self.due.extend(ingest.rules.compiled.iter().map(|definition| at % definition.step == 0));
        let mut wake = Nanos::MAX;
        for entity in 0..self.clocks.len() {
            if self.clocks[entity].wake <= at {
                self.run_entity(entity, at, ingest);
            }
            wake = wake.min(self.clocks[entity].wake);
        }
        for counted in &mut self.fleet {
            self.findings.extend(counted.run(at, ingest, &mut self.tally));
            wake = wake.min(counted.wake);
        }
        if at % BUCKET == 0 {
            self.trends.close(at, ingest, &mut self.tally, &mut self.findings);
        }
        self.schedule.evaluated(at, wake.min(self.trends.wake()));
    }

    fn run_entity(&mut self, entity: usize, at: Nanos, ingest: &mut Ingest) {
        if self.clocks[entity].valid_until <= at {
            self.evaluate_windows(entity, at, ingest);
        } else {
            self.settle(entity, at, ingest);
        }
        let received = &mut self.clocks[entity].received;
        if received.0 > 0 {
            *received = (0, received.0);
        }
        let EntityClock { evaluated_at, mut valid_until, .. } = self.clocks[entity];
        for &d in ingest.definitions_of(entity) {
            let definition = &ingest.rules.compiled[d];
            if definition.target != Target::Entity {
                continue;
            }
            if self.evaluate_presence(entity, d, at, ingest) {
                valid_until = at + 1;
            }
            if self.due[d] {
                self.find(entity, d, at, &ingest.rules);
            } else {
                let next = multiple_from(evaluated_at, definition.step);
                valid_until = valid_until.min(if next > at { next } else { Nanos::MAX });
            }
        }
        self.clocks[entity].wake = valid_until.max(at + 1);
    }

    /// Evaluates the windows of an entity, for a time before which nothing else is due.
    fn evaluate_windows(&mut self, entity: usize, at: Nanos, ingest: &mut Ingest) {
        self.settle(entity, at, ingest);
        let width = ingest.rules.rules.len();
        let states = &mut self.rule_states[entity * width..][..width];
        let valid_until = threshold::evaluate(ingest, (entity, at), states);
        let clock = &mut self.clocks[entity];
        (clock.since, clock.evaluated_at, clock.valid_until) = (at, at, valid_until);
    }

    /// Adds the states of an entity that stood until a time to the tally.
    fn settle(&mut self, entity: usize, until: Nanos, ingest: &Ingest) {
        if self.clocks[entity].since < until {
            let mut tally = std::mem::take(&mut self.tally);
            self.add_standing(&mut tally, entity, until, ingest);
            self.tally = tally;
            self.clocks[entity].since = until;
        }
    }

    fn add_standing(&self, tally: &mut Tally, entity: usize, until: Nanos, ingest: &Ingest) {
        let rules = &ingest.rules;
        let rule_states = &self.rule_states[entity * rules.rules.len()..];
        let states = &self.states[entity * rules.definitions.len()..];
        let span = self.clocks[entity].since..until;
        for &d in ingest.definitions_of(entity) {
            let definition = &rules.compiled[d];
            if definition.target == Target::Entity {
                tally.add((d, definition), &span, &rule_states[definition.rules.clone()], states[d]);
            }
        }
    }

    /// Evaluates the rules of a definition that look at no windows; true when the next evaluation may say something else.
    fn evaluate_presence(
        &mut self,
        entity: usize,
        d: usize,
        at: Nanos,
        Ingest { rules, entities, .. }: &Ingest,
    ) -> bool {
        let mut changes = false;
        for number in rules.compiled[d].rules.clone() {
            if let Some((state, changing)) = rules.rules[number].evaluator.evaluate(number, entities, entity, at) {
                self.rule_states[entity * rules.rules.len() + number] = state;
                changes |= changing;
            }
        }
        changes
    }

    /// What the rule states of an entity mean for a definition that is due.
    fn find(&mut self, entity: usize, d: usize, at: Nanos, rules: &Rules) {
        let definition = &rules.compiled[d];
        let range = definition.rules.clone();
        let states = &self.rule_states[entity * rules.rules.len()..][range.clone()];
        if let Some(recorder) = &mut self.recorder {
            recorder.note(entity, range.start, at, states);
            return;
        }
        self.tally.note_nearest(d, range.start, states, at, entity as u32);
        let state = combine(definition.operator == LogicalOperator::Or, states.iter().map(RuleState::state));
        let standing = &mut self.states[entity * rules.definitions.len() + d];
        let before = std::mem::replace(standing, state);
        let violation = || threshold::violation(rules, d, states);
        self.findings.extend(Finding::of(About::Entity(entity as u32), d, before, state, violation));
    }

    /// What an event says that begins with a finding about an entity. It is asked for only then, because it names every
    /// series, and a violation within the grace period of an event begins none.
    pub fn opening(&mut self, entity: u32, d: usize, at: Nanos, ingest: &mut Ingest) -> Opening {
        let Rules { compiled, rules, .. } = &ingest.rules;
        let states = &self.rule_states[entity as usize * rules.len()..][compiled[d].rules.clone()];
        threshold::opening(ingest, d, (entity as usize, at), states)
    }

    /// What was evaluated so far.
    pub fn tally(&self, ingest: &Ingest) -> Tally {
        let mut tally = self.tally.clone();
        let until = self.schedule.from;
        for entity in (0..self.clocks.len()).filter(|&entity| self.clocks[entity].since < until) {
            self.add_standing(&mut tally, entity, until, ingest);
        }
        self.fleet.iter().for_each(|counted| counted.settle(until, &ingest.rules, &mut tally));
        tally
    }

    /// The nearest evaluation of a definition, with names.
    pub fn nearest(&self, d: usize, ingest: &Ingest) -> Option<Nearest> {
        let seen = self.tally.definitions[d].nearest.as_ref()?;
        let RuleState { margin, value, series, points, .. } = seen.state;
        let label = || ingest.label_on(seen.entity as usize, seen.rule, series);
        Some(Nearest {
            observation: Observation { value, evaluation_time: seen.at },
            rule: ingest.rules.rules[seen.rule].index,
            margin,
            points: points as usize,
            series: seen.label.as_deref().cloned().or_else(|| (series != NO_SERIES).then(label)),
        })
    }

    /// Keeps what the report says of series and entities that are about to be evicted.
    pub fn prepare_eviction(&mut self, gone: &[bool], ingest: &Ingest) {
        for entity in 0..self.clocks.len() {
            self.settle(entity, self.schedule.from, ingest);
        }
        for nearest in self.tally.definitions.iter_mut().filter_map(|definition| definition.nearest.as_mut()) {
            if gone.get(nearest.state.series as usize) == Some(&true) {
                let label = ingest.label_on(nearest.entity as usize, nearest.rule, nearest.state.series);
                nearest.label = Some(Box::new(label));
            }
        }
        self.trends.prepare_eviction(gone, ingest);
    }

    /// Series, resources and entities have new numbers, or are gone.
    pub fn renumber(&mut self, new: &Renumbered, entities: &Renumbering, rules: &Rules) {
        self.clocks = entities.keep(std::mem::take(&mut self.clocks));
        self.states = keep_rows(entities, &self.states, rules.definitions.len());
        self.rule_states = keep_rows(entities, &self.rule_states, rules.rules.len());
        for (i, state) in self.rule_states.iter_mut().enumerate().filter(|(_, state)| state.series != NO_SERIES) {
            match new.series.get(state.series) {
                Some(new) => state.series = new,
                // The series behind the state is no more: the windows are evaluated again.
                None => self.clocks[i / rules.rules.len()].void(),
            }
        }
        for nearest in self.tally.definitions.iter_mut().filter_map(|definition| definition.nearest.as_mut()) {
            nearest.entity = entities.get(nearest.entity).unwrap_or(u32::MAX);
            nearest.state.series = new.series.get(nearest.state.series).unwrap_or(NO_SERIES);
        }
        self.trends.renumber(new, entities);
        self.schedule.wake();
    }
}

/// The rows of entities that stay.
fn keep_rows<T: Copy>(entities: &Renumbering, rows: &[T], width: usize) -> Vec<T> {
    let mut kept = Vec::with_capacity(entities.remaining() * width);
    for (row, entity) in rows.chunks_exact(width.max(1)).zip(0..) {
        if entities.get(entity).is_some() {
            kept.extend_from_slice(row);
        }
    }
    kept
}
