//! What decides each rule, kept as it changes, for those who ask what another threshold would have done.
//!
//! The aggregate of a rule does not depend on its threshold. So of every rule on every entity the one value is kept that
//! decides at an instant: the most violating one over its series. It stands until the next change, as the answers of the
//! engine do, and an entity that is not looked at has not changed. An engine that watches opens no events for rules with
//! windows: whoever reads the observations lets events live by [`crate::engine::EventLife`]. Everything before that, from the bytes to the
//! answer of a rule, is the same code on the same path.
//!
//! Memory is bounded: when there is too much, the entities that came last are given up, for another pass to begin with.

use crate::definition::{CompareOp, Condition, EventDefinition};
use crate::engine::evaluate::judge::{Judge, RuleAnswer, multiple_from};
use crate::engine::evaluate::selection::What;
use crate::engine::report::{EntityLabel, SeriesLabel};
use crate::engine::{Engine, Options, Retention, SeriesMode};
use crate::model::{Attributes, MS, Nanos};
use std::ops::Range;
use std::sync::Arc;

/// Changes that are kept together.
const CHUNK: usize = 1 << 14;
/// Gaps between reports that the interval of an entity is the median of.
const GAPS: usize = 15;
/// Bytes that a change takes while the observations are put in order.
const BYTES_A_CHANGE: u64 = (size_of::<Change>() + size_of::<TracePoint>()) as u64;

/// What to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// The first entity of this pass, in the order of their first arrival.
    pub first_entity: usize,
    /// Memory that the observations may take, in bytes.
    pub most_bytes: u64,
}

/// The observations while they are made.
#[derive(Debug)]
pub(in crate::engine) struct Watch {
    first: usize,
    /// Entities from here on are given up.
    end: usize,
    rules: usize,
    most_changes: usize,
    /// Changes in one chunk.
    chunk: usize,
    /// By entity and rule what was noted last.
    last: Vec<Last>,
    chunks: Vec<Vec<Change>>,
    /// Changes in all chunks but the last.
    full: usize,
    paces: Vec<Pace>,
    /// Of each entity what is to be done about it.
    news: Vec<News>,
    /// What violates each rule, as it is written.
    conditions: Vec<Condition>,
}

/// What has become of an entity since it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It was evaluated again.
    Evaluated,
    /// Nothing; its windows hold points.
    Busy,
    /// Nothing.
    Idle,
}

/// What was noted last of a rule on an entity.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// The bits of the value.
    bits: u64,
    /// How many changes there were.
    changes: u32,
}

impl Last {
    const NOTHING: Last = Last { bits: f64::NAN.to_bits(), changes: 0 };
}

/// A rule says something else of an entity.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Nanos,
    value: f64,
    /// By entity and rule.
    place: u32,
    series: u32,
}

/// What an answer says; not a number when the rule is unknown.
#[inline]
fn value_of(answer: &RuleAnswer) -> f64 {
    if answer.evaluations == 0 { f64::NAN } else { answer.value }
}

/// How often an entity reports.
#[derive(Clone, Copy, Debug)]
struct Pace {
    newest: Nanos,
    reports: u32,
    /// The newest gaps, in milliseconds.
    gaps: [u32; GAPS],
}

impl Pace {
    const NONE: Pace = Pace { newest: Nanos::MIN, reports: 0, gaps: [0; GAPS] };

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
    fn interval(&self) -> Option<Nanos> {
        let mut gaps = self.gaps;
        let gaps = &mut gaps[..(self.reports as usize).saturating_sub(1).min(GAPS)];
        gaps.sort_unstable();
        gaps.get(gaps.len().checked_sub(1)? / 2).map(|&gap| Nanos::from(gap) * MS)
    }
}

impl Watch {
    fn new(watching: TraceLimits, conditions: Vec<Condition>) -> Self {
        let rules = conditions.len();
        let most_changes = usize::try_from(watching.most_bytes / BYTES_A_CHANGE).unwrap_or(usize::MAX);
        Watch {
            conditions,
            first: watching.first_entity,
            end: usize::MAX,
            rules,
            most_changes,
            chunk: (most_changes / 8).clamp(1, CHUNK),
            last: Vec::new(),
            chunks: Vec::new(),
            full: 0,
            paces: Vec::new(),
            news: Vec::new(),
        }
    }

    fn is_watched(&self, entity: usize) -> bool {
        (self.first..self.end).contains(&entity)
    }

    /// The rules have said something of an entity, be it the same as before.
    #[inline]
    pub fn evaluated(&mut self, entity: usize) {
        if entity >= self.news.len() {
            self.news.resize(entity + 1, News::Evaluated);
        }
        self.news[entity] = News::Evaluated;
    }

    /// A report of an entity came; its newest point has this time.
    pub fn report(&mut self, entity: u32, newest: Nanos) {
        let entity = entity as usize;
        if self.is_watched(entity) {
            let place = entity - self.first;
            if place >= self.paces.len() {
                self.paces.resize(place + 1, Pace::NONE);
            }
            self.paces[place].report(newest);
        }
    }

    #[inline]
    fn note(&mut self, entity: usize, rule: usize, at: Nanos, answer: &RuleAnswer) {
        let value = value_of(answer);
        let place = (entity - self.first) * self.rules + rule;
        if place >= self.last.len() {
            self.last.resize((entity - self.first + 1) * self.rules, Last::NOTHING);
        }
        let last = &mut self.last[place];
        if last.bits == value.to_bits() {
            return;
        }
        *last = Last { bits: value.to_bits(), changes: last.changes + 1 };
        let change = Change { at, value, place: place as u32, series: answer.series };
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < self.chunk => chunk.push(change),
            last => {
                self.full += last.map_or(0, |chunk| chunk.len());
                let mut chunk = Vec::with_capacity(self.chunk);
                chunk.push(change);
                self.chunks.push(chunk);
                if self.full > self.most_changes {
                    self.give_up();
                }
            }
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
            kept <= self.full / 2
        });
        let alone = changes.first().is_some_and(|&n| n <= self.most_changes);
        self.end = self.first + stay.count().max(usize::from(alone));
        for chunk in &mut self.chunks {
            chunk.retain(|change| (change.place as usize) < (self.end - self.first) * self.rules);
        }
        // Small chunks would make the count of full ones say little.
        let mut together: Vec<Vec<Change>> = Vec::new();
        for chunk in std::mem::take(&mut self.chunks) {
            match together.last_mut() {
                Some(last) if last.len() + chunk.len() <= self.chunk => last.extend(chunk),
                _ => together.push(chunk),
            }
        }
        self.chunks = together;
        self.full = self.chunks.iter().rev().skip(1).map(Vec::len).sum();
        self.last.truncate((self.end - self.first) * self.rules);
        self.paces.truncate(self.end - self.first);
    }
}

/// What was observed of the entities of one pass.
#[derive(Debug, Default)]
pub struct EvaluationTrace {
    /// The entities of this pass, in the order of their first arrival.
    pub entities: Vec<TracedEntity>,
    /// The first entity of the next pass; `None` when this was the last one.
    pub next: Option<usize>,
    /// Of each definition its judged instants: the first, the last, the step; `None` when it was never judged.
    pub grids: Vec<Option<(Nanos, Nanos, Nanos)>>,
    rules_of: Vec<Range<usize>>,
    conditions: Vec<Condition>,
    /// By entity and rule where its changes begin, and at the end where they all end.
    starts: Vec<usize>,
    changes: Vec<TracePoint>,
    /// Of the entities of this pass.
    series: Vec<Option<SeriesLabel>>,
}

/// From an instant on a rule says this of an entity.
#[derive(Clone, Copy, Debug)]
pub struct TracePoint {
    /// From here.
    pub at: Nanos,
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
    /// What a rule of a definition said of an entity, by its place among the entities of this pass: every change, in order.
    pub fn track(&self, entity: usize, definition: usize, rule: usize) -> &[TracePoint] {
        let range =
            self.place(entity, definition, rule).map_or(0..0, |place| self.starts[place]..self.starts[place + 1]);
        &self.changes[range]
    }

    /// The series with a number, when it is one of an entity of this pass.
    pub fn series(&self, number: u32) -> Option<&SeriesLabel> {
        self.series.get(number as usize)?.as_ref()
    }

    /// What violates a rule, as it is written; `None` when the definition is not judged.
    pub fn condition(&self, definition: usize, rule: usize) -> Option<Condition> {
        let of = self.rules_of.get(definition)?;
        self.conditions.get(of.clone().nth(rule)?).copied()
    }

    fn place(&self, entity: usize, definition: usize, rule: usize) -> Option<usize> {
        let of = self.rules_of.get(definition)?;
        (rule < of.len() && entity < self.entities.len()).then(|| entity * self.conditions.len() + of.start + rule)
    }
}

impl Engine {
    /// An engine that keeps what decides each rule, to be read with [`Engine::trace`]. It forgets nothing: an entity
    /// keeps its number from the first pass to the last.
    pub fn tracing(definitions: Vec<EventDefinition>, options: Options, watching: TraceLimits) -> Self {
        let retention = Retention { forget_after: None, ..options.retention.clone() };
        let mut engine = Engine::new(definitions, Options { retention, ..options });
        let written = engine.selection.conditions.clone();
        for (rule, condition) in engine.selection.rules.iter().zip(&mut engine.selection.conditions) {
            let is_ordered = !matches!(condition.operator, CompareOp::Equal | CompareOp::NotEqual);
            if matches!(rule.what, What::Threshold { .. }) && is_ordered {
                // Of two values the more violating one must be found whatever the threshold will be, and a margin is exact only
                // against zero.
                condition.value = 0.0;
            }
        }
        engine.judge.watch = Some(Box::new(Watch::new(watching, written)));
        engine
    }

    /// Notes what the due definitions say of an entity at an instant; true when the next instant may say something else.
    pub(in crate::engine) fn observe(&mut self, entity: usize, at: Nanos, due: &[bool]) -> bool {
        let all_due = self.judge.only_step.is_some_and(|step| at % step == 0);
        if all_due && !self.selection.any_presence && self.judge.global.is_empty() {
            return self.observe_all(entity, at);
        }
        let busy = self.each_own(entity, at, due, |engine, d| {
            let rules = engine.selection.rules_of[d].clone();
            engine.note_rules(entity, rules, at)
        });
        busy || self.answers(entity).iter().any(|answer| answer.evaluations + answer.warming_up > 0)
            || self.is_pending(entity)
    }

    /// Whether a rule says something that was not noted yet, because its definition is due only later.
    fn is_pending(&self, entity: usize) -> bool {
        let Some(watch) = self.judge.watch.as_ref().filter(|watch| watch.is_watched(entity)) else { return false };
        let first = (entity - watch.first) * watch.rules;
        let noted = watch.last.get(first..first + watch.rules).unwrap_or_default();
        self.answers(entity).iter().zip(noted).any(|(answer, noted)| value_of(answer).to_bits() != noted.bits)
    }

    /// The same when every rule is due and speaks of windows alone: there is nothing to note before an entity is evaluated
    /// again.
    #[inline]
    fn observe_all(&mut self, entity: usize, at: Nanos) -> bool {
        match self.judge.watch.as_ref().and_then(|watch| watch.news.get(entity)) {
            Some(News::Busy) => return true,
            Some(News::Idle) => return false,
            Some(News::Evaluated) | None => {}
        }
        let busy = self.note_rules(entity, 0..self.selection.rules.len(), at);
        if let Some(news) = self.judge.watch.as_mut().and_then(|watch| watch.news.get_mut(entity)) {
            *news = if busy { News::Busy } else { News::Idle };
        }
        busy
    }

    /// Notes what rules say; true when a window holds points. How often a rule was judged counts once for each evaluation.
    #[inline]
    fn note_rules(&mut self, entity: usize, rules: Range<usize>, at: Nanos) -> bool {
        let Judge { answers, totals, watch, .. } = &mut self.judge;
        let Some(watch) = watch else { return false };
        let first = entity * self.selection.rules.len();
        let mut busy = 0;
        for rule in rules {
            let answer = &answers[first + rule];
            totals[rule].add(answer);
            busy |= answer.evaluations | answer.warming_up;
            // Asked each time: a note may be the one too many, and the entity be given up.
            if watch.is_watched(entity) {
                watch.note(entity, rule, at, answer);
            }
        }
        busy > 0
    }

    /// What was observed. Of an engine that does not watch: nothing.
    pub fn trace(mut self) -> EvaluationTrace {
        let grids = (0..self.definitions.len()).map(|d| self.grid_of(d)).collect();
        let rules_of = self.selection.rules_of.clone();
        let nothing = TraceLimits { first_entity: 0, most_bytes: 0 };
        let watch = self.judge.watch.take().map_or_else(|| Watch::new(nothing, Vec::new()), |watch| *watch);
        let all = self.intake.entities.len();
        let entities = (watch.first.min(all)..watch.end.min(all)).map(|entity| TracedEntity {
            label: self.intake.label(entity),
            interval: watch.paces.get(entity - watch.first).and_then(Pace::interval),
        });
        let entities: Vec<TracedEntity> = entities.collect();
        let next = (watch.end < all).then_some(watch.end);
        let conditions = watch.conditions.clone();
        let mut found = EvaluationTrace { entities, next, grids, rules_of, conditions, ..EvaluationTrace::default() };
        found.sort(watch, &self);
        found
    }

    /// The judged instants of a definition.
    fn grid_of(&self, d: usize) -> Option<(Nanos, Nanos, Nanos)> {
        let step = self.selection.steps[d];
        let (from, to) = (self.intake.coverage.from?, self.at?);
        let (first, last) = (multiple_from(from, step), to.div_euclid(step).saturating_mul(step));
        (first <= last && !self.selection.rules_of[d].is_empty()).then_some((first, last, step))
    }
}

impl EvaluationTrace {
    /// Puts the changes in order of entity, rule and instant.
    fn sort(&mut self, watch: Watch, engine: &Engine) {
        let places = self.entities.len() * self.conditions.len();
        let mut next = Vec::with_capacity(places + 1);
        let mut begin = 0;
        for place in 0..places {
            next.push(begin);
            begin += watch.last.get(place).map_or(0, |last| last.changes as usize);
        }
        next.push(begin);
        self.starts = next.clone();
        self.changes = vec![TracePoint { at: 0, value: 0.0, series: 0 }; begin];
        for chunk in watch.chunks {
            for Change { at, value, place, series } in chunk {
                let to = &mut next[place as usize];
                self.changes[*to] = TracePoint { at, value, series };
                *to += 1;
            }
        }
        self.name_series(watch.first, engine);
    }

    /// Names the series, so that the engine can go. A label is read from the bytes of a resource, so that of an entity is read
    /// once and shared.
    fn name_series(&mut self, first: usize, engine: &Engine) {
        let named = engine.store.series_ids().map(|series| {
            let entity = engine.intake.resources[engine.store.resource_of(series) as usize].entity as usize;
            let entity = self.entities.get(entity.checked_sub(first)?)?;
            Some(SeriesLabel {
                entity: entity.label.clone(),
                metric: engine.store.metric_of(series).clone(),
                attributes: match engine.options.series {
                    SeriesMode::Each => engine.store.attributes_of(series).clone(),
                    SeriesMode::Merge => Arc::new(Attributes::default()),
                },
            })
        });
        self.series = named.collect();
    }
}
