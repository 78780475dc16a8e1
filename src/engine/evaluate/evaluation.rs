//! The room's owner: when each entity is evaluated, and what its rules said last.
//!
//! An entity is evaluated when samples of it came or when its last evaluation has run out. In between its states stand: what
//! is computed depends on the samples, not on how often the schedule comes round. An entity that reports once between two
//! evaluations is evaluated for the coming one as soon as its samples are in, while they are at hand; more samples before
//! that time merely make the result void.

use super::finding::{About, Finding, Opening};
use super::fleet::Fleet;
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
use crate::engine::ingest::changes::{Changes, ReceivedFrom};
use crate::engine::ingest::evict::NewNumbers;
use crate::engine::ingest::resources::Ingest;
use crate::engine::options::Options;
use crate::engine::report::Nearest;
use crate::engine::rules::{Rules, Target};
use crate::model::Nanos;
use crate::series::{BlockWindows, Renumbering};

/// All states of rules and definitions, by entity.
#[derive(Debug)]
pub(in crate::engine) struct Evaluate {
    schedule: Schedule,
    clocks: Vec<EntityClock>,
    /// By entity and rule.
    rule_states: Vec<RuleState>,
    /// By entity and definition.
    states: Vec<ConditionState>,
    fleet: Fleet,
    trends: Trends,
    tally: Tally,
    /// Records what decides, in place of findings about entities.
    recorder: Option<Box<Recorder>>,
    frames: BlockWindows,
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
    pub fn new(rules: &Rules, options: &Options) -> Self {
        Evaluate {
            schedule: Schedule::new(),
            clocks: Vec::new(),
            rule_states: Vec::new(),
            states: Vec::new(),
            fleet: Fleet::new(rules),
            trends: Trends::new(options),
            tally: Tally::new(rules),
            recorder: None,
            frames: BlockWindows::default(),
            due: Vec::new(),
        }
    }

    /// The same, and what decides each rule on each entity is recorded.
    pub fn recording(rules: &Rules, options: &Options, recorder: Recorder) -> Self {
        Evaluate { recorder: Some(Box::new(recorder)), ..Evaluate::new(rules, options) }
    }

    /// When to evaluate next; `Nanos::MAX` when nothing can change unless samples come.
    pub fn next(&self) -> Nanos {
        self.schedule.next()
    }

    /// All times before `until` are over.
    pub fn pass(&mut self, until: Nanos) {
        self.schedule.pass(until);
    }

    /// Takes in what an export has changed.
    pub fn receive(&mut self, changes: &Changes, ingest: &mut Ingest, rules: &Rules) {
        if let Some(at) = ingest.now() {
            self.schedule.start(at, rules);
        }
        self.add_entities(ingest.entities().len(), rules);
        for &series in &changes.trend_series {
            self.trends.add_series(series, ingest, rules, &mut self.tally);
        }
        let closing = multiple_from(self.schedule.from(), BUCKET);
        for sample in &changes.trend_samples {
            if let Err(reason) = self.trends.add(sample, closing, ingest) {
                count_not_kept(ingest, sample.series, reason);
            }
        }
        for received in &changes.received {
            self.receive_entity(received, ingest, rules);
        }
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

    fn receive_entity(&mut self, received: &ReceivedFrom, ingest: &mut Ingest, rules: &Rules) {
        let entity = received.entity as usize;
        if let Some(recorder) = &mut self.recorder {
            recorder.receive(entity, received.newest);
        }
        self.schedule.wake();
        self.fleet.wake();
        if self.clocks[entity].receive() && self.schedule.upcoming() != Nanos::MAX {
            self.evaluate_windows(entity, self.schedule.upcoming(), ingest, rules);
        }
    }

    /// Evaluates everything at a time.
    pub fn run(&mut self, at: Nanos, ingest: &mut Ingest, rules: &Rules, findings: &mut Vec<Finding>) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.extend(rules.compiled.iter().map(|definition| at % definition.step == 0));
        let mut wake = Nanos::MAX;
        for entity in 0..self.clocks.len() {
            if self.clocks[entity].wake <= at {
                self.run_entity(entity, at, &due, ingest, rules, findings);
            }
            wake = wake.min(self.clocks[entity].wake);
        }
        self.due = due;
        wake = wake.min(self.fleet.run(at, ingest, rules, &mut self.tally, findings));
        if at % BUCKET == 0 {
            self.trends.close(at, ingest, rules, &mut self.tally, findings);
        }
        self.schedule.evaluated(at, wake.min(self.trends.wake()));
    }

    fn run_entity(
        &mut self,
        entity: usize,
        at: Nanos,
        due: &[bool],
        ingest: &mut Ingest,
        rules: &Rules,
        findings: &mut Vec<Finding>,
    ) {
        if self.clocks[entity].valid_until <= at {
            self.evaluate_windows(entity, at, ingest, rules);
        } else {
            self.settle(entity, at, ingest, rules);
        }
        let received = &mut self.clocks[entity].received;
        if received.0 > 0 {
            *received = (0, received.0);
        }
        let EntityClock { evaluated_at, mut valid_until, .. } = self.clocks[entity];
        for i in 0..ingest.definitions_of(entity).len() {
            let d = ingest.definitions_of(entity)[i];
            let definition = &rules.compiled[d];
            if definition.target != Target::Entity {
                continue;
            }
            if self.evaluate_presence(entity, d, at, ingest, rules) {
                valid_until = at + 1;
            }
            if due[d] {
                self.find(entity, d, at, ingest, rules, findings);
            } else {
                let next = multiple_from(evaluated_at, definition.step);
                valid_until = valid_until.min(if next > at { next } else { Nanos::MAX });
            }
        }
        self.clocks[entity].wake = valid_until.max(at + 1);
    }

    /// Evaluates the windows of an entity, for a time before which nothing else is due.
    fn evaluate_windows(&mut self, entity: usize, at: Nanos, ingest: &mut Ingest, rules: &Rules) {
        self.settle(entity, at, ingest, rules);
        let states = &mut self.rule_states[entity * rules.rules.len()..][..rules.rules.len()];
        let valid_until = threshold::evaluate(ingest, rules, (entity, at), &mut self.frames, states);
        let clock = &mut self.clocks[entity];
        (clock.since, clock.evaluated_at, clock.valid_until) = (at, at, valid_until);
    }

    /// Adds the states of an entity that stood until a time to the tally.
    fn settle(&mut self, entity: usize, until: Nanos, ingest: &Ingest, rules: &Rules) {
        let since = self.clocks[entity].since;
        if since < until {
            self.clocks[entity].since = until;
            add_standing(&mut self.tally, &self.rule_states, &self.states, (entity, since..until), ingest, rules);
        }
    }

    /// Evaluates the presence rules of a definition; true when the next evaluation may say something else.
    fn evaluate_presence(&mut self, entity: usize, d: usize, at: Nanos, ingest: &Ingest, rules: &Rules) -> bool {
        let mut changes = false;
        for number in rules.compiled[d].rules.clone() {
            if let Some((state, changing)) =
                rules.rules[number].evaluator.evaluate(number, ingest.entities(), entity, at)
            {
                self.rule_states[entity * rules.rules.len() + number] = state;
                changes |= changing;
            }
        }
        changes
    }

    /// What the rule states of an entity mean for a definition that is due.
    fn find(
        &mut self,
        entity: usize,
        d: usize,
        at: Nanos,
        ingest: &mut Ingest,
        rules: &Rules,
        findings: &mut Vec<Finding>,
    ) {
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
        let violates = state == ConditionState::Violating;
        if state != before || violates {
            let about = About::Entity(entity as u32);
            let violation = violates.then(|| threshold::violation(ingest, rules, (entity, d), states)).flatten();
            findings.push(Finding { about, definition: d, state, violation });
        }
    }

    /// What an event says that begins with a finding about an entity. It is asked for only then, because it names every
    /// series, and a violation within the grace period of an event begins none.
    pub fn opening(&mut self, (entity, d, at): (u32, usize, Nanos), ingest: &mut Ingest, rules: &Rules) -> Opening {
        let entity = entity as usize;
        let states = &self.rule_states[entity * rules.rules.len()..][rules.compiled[d].rules.clone()];
        threshold::opening(ingest, rules, (entity, d, at), &mut self.frames, states)
    }

    /// What was evaluated so far.
    pub fn tally(&self, ingest: &Ingest, rules: &Rules) -> Tally {
        let mut tally = self.tally.clone();
        let until = self.schedule.from();
        for (entity, clock) in self.clocks.iter().enumerate().filter(|(_, clock)| clock.since < until) {
            add_standing(&mut tally, &self.rule_states, &self.states, (entity, clock.since..until), ingest, rules);
        }
        self.fleet.settle(until, rules, &mut tally);
        tally
    }

    /// Every time before this is over.
    pub fn evaluated_until(&self) -> Nanos {
        self.schedule.from()
    }

    /// The nearest evaluation of a definition, with names.
    pub fn nearest(&self, d: usize, ingest: &Ingest, rules: &Rules) -> Option<Nearest> {
        let seen = self.tally.definitions[d].nearest.as_ref()?;
        let series = seen.label.as_deref().cloned().or_else(|| {
            (seen.series != NO_SERIES).then(|| ingest.label_on(seen.entity as usize, seen.rule, seen.series))
        });
        Some(Nearest {
            observation: Observation { value: seen.value, at: seen.at },
            rule: rules.rules[seen.rule as usize].index,
            margin: seen.margin,
            points: seen.points as usize,
            series,
        })
    }

    pub fn trends(&self) -> &Trends {
        &self.trends
    }

    pub fn take_recorder(&mut self) -> Option<Recorder> {
        self.recorder.take().map(|recorder| *recorder)
    }

    /// Keeps what the report says of series and entities that are about to be evicted.
    pub fn prepare_eviction(&mut self, gone: &[bool], ingest: &Ingest, rules: &Rules) {
        for entity in 0..self.clocks.len() {
            self.settle(entity, self.schedule.from(), ingest, rules);
        }
        let is_gone = |series: u32| gone.get(series as usize).copied().unwrap_or(false);
        for nearest in self.tally.definitions.iter_mut().filter_map(|definition| definition.nearest.as_mut()) {
            if is_gone(nearest.series) {
                let label = ingest.label_on(nearest.entity as usize, nearest.rule, nearest.series);
                nearest.label = Some(Box::new(label));
            }
        }
        self.trends.prepare_eviction(gone, ingest, rules);
    }

    /// Series, resources and entities have new numbers, or are gone.
    pub fn renumber(&mut self, new: &NewNumbers, rules: &Rules) {
        let NewNumbers { series, entities, .. } = new;
        self.clocks = entities.keep(std::mem::take(&mut self.clocks));
        self.states = keep_rows(entities, &self.states, rules.definitions.len());
        self.rule_states = keep_rows(entities, &self.rule_states, rules.rules.len());
        for (i, state) in self.rule_states.iter_mut().enumerate().filter(|(_, state)| state.series != NO_SERIES) {
            match series.get(state.series) {
                Some(new) => state.series = new,
                // The series behind the state is no more: the windows are evaluated again.
                None => self.clocks[i / rules.rules.len()].void(),
            }
        }
        for nearest in self.tally.definitions.iter_mut().filter_map(|definition| definition.nearest.as_mut()) {
            nearest.entity = entities.get(nearest.entity).unwrap_or(u32::MAX);
            nearest.series = series.get(nearest.series).unwrap_or(NO_SERIES);
        }
        self.trends.renumber(new);
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

/// Adds the states of an entity that stood over a span to a tally.
fn add_standing(
    tally: &mut Tally,
    rule_states: &[RuleState],
    states: &[ConditionState],
    (entity, span): (usize, std::ops::Range<Nanos>),
    ingest: &Ingest,
    rules: &Rules,
) {
    let rule_states = &rule_states[entity * rules.rules.len()..][..rules.rules.len()];
    let states = &states[entity * rules.definitions.len()..][..rules.definitions.len()];
    for &d in ingest.definitions_of(entity) {
        let definition = &rules.compiled[d];
        if definition.target == Target::Entity {
            tally.add((d, definition), &span, &rule_states[definition.rules.clone()], states[d]);
        }
    }
}
