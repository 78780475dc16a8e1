//! Eviction: what is silent for so long that no rule can read it any more is removed, so that a service may run for ever.
//!
//! Time is cut into eviction periods, a small part of the silence it takes. When the first input of a new period comes, before
//! its samples are taken in, series whose newest point is too old go, then resources without a series, then entities without
//! a resource. What is evicted depends on receive times alone, not on ticks; and nothing goes that could still be evaluated:
//! no window holds its points, no event of it is open, no presence rule is about it, no trend compares with it. When it comes
//! back it is new. What was counted stays counted.

use crate::definition::{EventDefinition, RuleKind};
use crate::engine::evaluate::judge::{Judge, NO_SERIES};
use crate::engine::evaluate::presence::interest;
use crate::engine::evaluate::trend::KEPT_FOR;
use crate::engine::report::SeriesLabel;
use crate::engine::{Engine, Options};
use crate::model::{MS, MetricIdentity, Nanos, SECOND};
use crate::series::{EvictionHorizon, Renumbered, Renumbering, ResourceId};
use std::collections::HashMap;
use std::sync::Arc;

/// Periods until something is evicted.
const PERIODS: Nanos = 24;

/// Names of evicted series and metrics that are kept for the report; more are not named.
const MOST_NAMED: usize = 4096;

/// When something is evicted.
#[derive(Debug)]
pub(in crate::engine) struct EvictionSchedule {
    /// The silence it takes.
    silence: Nanos,
    /// How long a period is.
    length: Nanos,
    /// The period of the newest input.
    current: Option<Nanos>,
}

impl EvictionSchedule {
    /// `None` when nothing is ever evicted.
    pub fn new(definitions: &[EventDefinition], options: &Options) -> Option<Self> {
        let rules = definitions.iter().filter(|d| d.is_evaluated()).flat_map(|d| &d.rules);
        let needed = rules.map(|rule| match &rule.kind {
            // A window and the point before it.
            RuleKind::Threshold(threshold) => threshold.window_ms.saturating_mul(2 * MS),
            RuleKind::Presence(presence) => interest(presence),
            RuleKind::Trend(_) => KEPT_FOR,
        });
        let silence = needed.fold(options.retention.forget_after?, Nanos::max);
        let length = (silence / PERIODS / SECOND * SECOND).max(SECOND);
        Some(EvictionSchedule { silence, length, current: None })
    }

    /// The period that begins with an input received at `at`, with what is silent then; `None` within a period.
    fn begin(&mut self, at: Nanos) -> Option<(u32, EvictionHorizon)> {
        // An input at the first moment of a period is the last of the period before: that moment is not evaluated yet.
        let period = (at - 1).div_euclid(self.length).max(0);
        if self.current.is_some_and(|current| period <= current) {
            return None;
        }
        self.current = Some(period);
        let old = period - (self.silence + self.length - 1) / self.length - 1;
        let number = |period: Nanos| u32::try_from(period.max(0)).unwrap_or(u32::MAX);
        let before = (period * self.length).saturating_sub(self.silence);
        Some((number(period), EvictionHorizon { before, period: number(old) }))
    }
}

/// What the report still says of what is evicted.
#[derive(Debug, Default)]
pub(in crate::engine) struct Evicted {
    /// Per definition the entities it selected.
    entities: Vec<u64>,
    pub metrics: HashMap<Arc<MetricIdentity>, usize>,
    pub several_writers: Vec<SeriesLabel>,
    pub negative_deltas: Vec<Arc<MetricIdentity>>,
}

impl Evicted {
    /// Evicted entities that a definition selected.
    pub fn matched_entities(&self, definition: usize) -> u64 {
        self.entities.get(definition).copied().unwrap_or(0)
    }
}

/// Evicts what is silent for too long when a new period begins at `at`.
pub(in crate::engine) fn evict(engine: &mut Engine, at: Nanos) {
    let Some((period, horizon)) = engine.rounds.as_mut().and_then(|schedule| schedule.begin(at)) else { return };
    engine.store.begin_period(period);
    let mut gone = engine.store.silent(horizon);
    hold_open_events(engine, &mut gone);
    if gone.contains(&true) {
        remember_evicted(engine, &gone);
        let new = engine.store.evict(&gone);
        let entities = evict_entities(engine, &new);
        engine.selection.renumber(&new.keys);
        engine.judge.renumber(&new.series, &entities);
        engine.trends.renumber(&new, &entities);
    }
}

/// An entity stays with all its series while an event of it is open, even if nothing of it is received any more.
fn hold_open_events(engine: &Engine, gone: &mut [bool]) {
    let mut held = engine.judge.has_open_event();
    for entity in engine.trends.entities_with_open_events() {
        held[entity as usize] = true;
    }
    let Engine { store, intake, .. } = engine;
    let entity_of = |series| intake.resources[store.resource_of(series) as usize].entity as usize;
    for series in store.series_ids().filter(|&series| !gone[series as usize]) {
        held[entity_of(series)] = false;
    }
    for series in store.series_ids() {
        gone[series as usize] &= !held[entity_of(series)];
    }
}

/// Keeps what the report says of series that go.
fn remember_evicted(engine: &mut Engine, gone: &[bool]) {
    for d in 0..engine.definitions.len() {
        let goes = |series: u32| gone.get(series as usize).copied().unwrap_or(false);
        if engine.judge.nearest[d].as_ref().is_some_and(|nearest| goes(nearest.series)) {
            let label = engine.nearest_of(d).and_then(|nearest| nearest.series).map(Box::new);
            if let Some(nearest) = &mut engine.judge.nearest[d] {
                nearest.label = label;
            }
        }
    }
    let several_writers = engine.trends.several_writers();
    for series in engine.store.series_ids().filter(|&series| gone[series as usize]) {
        let metric = engine.store.metric_of(series);
        let several = engine.store.has_several_writers(series) || several_writers.contains(&series);
        let label = several.then(|| engine.label_of(series));
        let past = &mut engine.intake.past;
        if let Some(n) = past.metrics.get_mut(metric) {
            *n += 1;
        } else if past.metrics.len() < MOST_NAMED {
            past.metrics.insert(metric.clone(), 1);
        }
        if past.several_writers.len() < MOST_NAMED {
            past.several_writers.extend(label);
        }
        if engine.store.has_negative_delta(series)
            && past.negative_deltas.len() < MOST_NAMED
            && !past.negative_deltas.contains(metric)
        {
            past.negative_deltas.push(metric.clone());
        }
    }
    engine.tell_lives_of(gone);
}

/// Evicts entities without a resource, and renumbers the others.
fn evict_entities(engine: &mut Engine, new: &Renumbered) -> Renumbering {
    let stays = |resource| new.resources.get(resource).is_some();
    let intake = &mut engine.intake;
    intake.past.entities.resize(engine.definitions.len(), 0);
    for entity in intake.entities.iter().filter(|entity| !entity.resources().any(stays)) {
        for &d in entity.definitions(&engine.selection) {
            intake.past.entities[d] += 1;
        }
    }
    let entities = Renumbering::of(intake.entities.iter().map(|entity| entity.resources().any(stays)));
    (intake.counts.series_now, intake.counts.entities_now) =
        (new.series.remaining() as u64, entities.remaining() as u64);
    intake.renumber(new, &entities);
    for resource in 0..new.resources.remaining() {
        let entity = intake.resources[resource].entity as usize;
        intake.entities[entity].series += engine.store.series_of(resource as ResourceId) as u32;
    }
    entities
}

impl Judge {
    /// Of each entity whether an event of it is open.
    fn has_open_event(&self) -> Vec<bool> {
        self.open.iter().map(|open| !open.is_empty()).collect()
    }

    fn renumber(&mut self, series: &Renumbering, entities: &Renumbering) {
        self.clocks = entities.keep(std::mem::take(&mut self.clocks));
        self.open = entities.keep(std::mem::take(&mut self.open));
        let rules = self.totals.len();
        if rules > 0 {
            let all = std::mem::take(&mut self.answers);
            self.answers.reserve_exact(entities.remaining() * rules);
            let kept = all.chunks_exact(rules).zip(0..).filter(|(_, entity)| entities.get(*entity).is_some());
            kept.for_each(|(answers, _)| self.answers.extend_from_slice(answers));
        }
        for (answer, number) in self.answers.iter_mut().zip(0..).filter(|(answer, _)| answer.series != NO_SERIES) {
            match series.get(answer.series) {
                Some(new) => answer.series = new,
                // The series behind the answer is no more: it is asked for again.
                None => self.clocks[number / rules].void(),
            }
        }
        for nearest in self.nearest.iter_mut().flatten() {
            nearest.entity = entities.get(nearest.entity).unwrap_or(u32::MAX);
            nearest.series = series.get(nearest.series).unwrap_or(NO_SERIES);
        }
    }
}
