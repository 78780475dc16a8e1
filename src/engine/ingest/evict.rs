//! Eviction: what is silent for so long that no rule can read it any more is removed, so that a service may run for ever.
//!
//! Time is cut into eviction periods, a small part of the silence it takes. When the first input of a new period comes, before
//! its samples are taken in, series whose newest point is too old go, then resources without a series, then entities without
//! a resource. What is evicted depends on receive times alone, not on ticks; and nothing goes that could still be evaluated:
//! no window holds its points, no event of it is open, no presence rule is about it, no trend compares with it. When it comes
//! back it is new. What was counted stays counted.

use super::resources::Ingest;
use crate::engine::evaluate::trend::minima::KEPT_FOR;
use crate::engine::label::SeriesLabel;
use crate::engine::options::Options;
use crate::engine::presence_rule::interest;
use crate::engine::rules::{Evaluator, Rules};
use crate::model::{MetricIdentity, Nanos, SECOND};
use crate::series::{EvictionHorizon, Renumbered, Renumbering, ResourceId, SeriesId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Periods until something is evicted.
const PERIODS: Nanos = 24;

/// Names of evicted series and metrics that are kept for the report; more are not named.
const MOST_NAMED: usize = 4096;

/// When something is evicted.
#[derive(Debug)]
pub(super) struct EvictionSchedule {
    /// The silence it takes.
    silence: Nanos,
    /// How long a period is.
    length: Nanos,
    /// The period of the newest input.
    current: Option<Nanos>,
}

impl EvictionSchedule {
    /// `None` when nothing is ever evicted.
    pub fn new(rules: &Rules, options: &Options) -> Option<Self> {
        let needed = rules.rules.iter().map(|rule| match &rule.evaluator {
            // A window and the sample before it.
            Evaluator::Threshold { request, .. } => request.length.saturating_mul(2),
            Evaluator::Presence(presence) => interest(presence),
            Evaluator::Trend(_) => KEPT_FOR,
        });
        let silence = needed.fold(options.retention.forget_after?, Nanos::max);
        let length = (silence / PERIODS / SECOND * SECOND).max(SECOND);
        Some(EvictionSchedule { silence, length, current: None })
    }

    /// The period that begins with an input at `at`, with what is old then; `None` within a period.
    fn begin(&mut self, at: Nanos) -> Option<(u32, EvictionHorizon)> {
        // An input at the first moment of a period is the last of the period before: that time is not evaluated yet.
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
#[derive(Debug)]
pub(super) struct Evicted {
    /// Per definition the entities it selected.
    entities: Vec<u64>,
    metrics: HashMap<Arc<MetricIdentity>, usize>,
    several_writers: Vec<SeriesLabel>,
    negative_deltas: Vec<Arc<MetricIdentity>>,
}

impl Evicted {
    pub fn new(rules: &Rules) -> Self {
        Evicted {
            entities: vec![0; rules.definitions.len()],
            metrics: HashMap::new(),
            several_writers: Vec::new(),
            negative_deltas: Vec::new(),
        }
    }

    /// Evicted entities that a definition selected.
    pub fn matched_entities(&self, definition: usize) -> u64 {
        self.entities[definition]
    }
}

/// New numbers after an eviction.
#[derive(Debug)]
pub(in crate::engine) struct NewNumbers {
    pub series: Renumbering,
    pub resources: Renumbering,
    pub entities: Renumbering,
}

impl Ingest {
    /// When a new period begins: which series are silent for too long. An entity stays with all its series while an event of
    /// it is open, even if nothing of it comes any more.
    pub fn begin_eviction(&mut self, with_open_events: impl Iterator<Item = u32>) -> Option<Vec<bool>> {
        let (period, horizon) = self.eviction.as_mut()?.begin(self.now?)?;
        self.store.begin_period(period);
        let mut gone = self.store.silent(horizon);
        let mut held = vec![false; self.entities.len()];
        with_open_events.for_each(|entity| held[entity as usize] = true);
        for series in self.store.series_ids().filter(|&series| !gone[series as usize]) {
            held[self.entity_of(series) as usize] = false;
        }
        for series in self.store.series_ids() {
            gone[series as usize] &= !held[self.entity_of(series) as usize];
        }
        gone.contains(&true).then_some(gone)
    }

    /// Evicts series, resources without a series, and entities without a resource; the others get new numbers.
    pub fn evict(
        &mut self,
        gone: &[bool],
        several_writers: &HashSet<SeriesId, impl std::hash::BuildHasher>,
    ) -> NewNumbers {
        for series in self.store.series_ids().filter(|&series| gone[series as usize]) {
            let several = self.store.has_several_writers(series) || several_writers.contains(&series);
            let label = several.then(|| self.series_label(series));
            let (metric, past) = (self.store.metric_of(series), &mut self.past);
            if let Some(n) = past.metrics.get_mut(metric) {
                *n += 1;
            } else if past.metrics.len() < MOST_NAMED {
                past.metrics.insert(metric.clone(), 1);
            }
            if past.several_writers.len() < MOST_NAMED {
                past.several_writers.extend(label);
            }
            if self.store.has_negative_delta(series)
                && past.negative_deltas.len() < MOST_NAMED
                && !past.negative_deltas.contains(metric)
            {
                past.negative_deltas.push(metric.clone());
            }
        }
        let new = self.store.evict(gone);
        let entities = self.evict_entities(&new);
        self.subscriptions.renumber(&new.keys);
        let Renumbered { series, resources, .. } = new;
        NewNumbers { series, resources, entities }
    }

    /// Evicts entities without a resource, and renumbers the others.
    fn evict_entities(&mut self, new: &Renumbered) -> Renumbering {
        let stays = |resource| new.resources.get(resource).is_some();
        for entity in self.entities.iter().filter(|entity| !entity.resources().any(stays)) {
            for &d in entity.definitions(&self.subscriptions) {
                self.past.entities[d] += 1;
            }
        }
        let entities = Renumbering::of(self.entities.iter().map(|entity| entity.resources().any(stays)));
        (self.counts.series_now, self.counts.entities_now) =
            (new.series.remaining() as u64, entities.remaining() as u64);
        self.renumber(new, &entities);
        for resource in 0..new.resources.remaining() {
            let entity = self.resources[resource].entity as usize;
            self.entities[entity].series += self.store.series_of(resource as ResourceId) as u32;
        }
        entities
    }

    /// Series that several processes write, evicted ones first.
    pub fn several_writers(&self, found: &HashSet<SeriesId, impl std::hash::BuildHasher>) -> Vec<SeriesLabel> {
        let named = |series: &SeriesId| self.store.has_several_writers(*series) || found.contains(series);
        let present = self.store.series_ids().filter(named).map(|series| self.series_label(series));
        self.past.several_writers.iter().cloned().chain(present).collect()
    }

    /// Monotonic delta sums that sent a negative delta.
    pub fn negative_deltas(&self) -> Vec<Arc<MetricIdentity>> {
        let mut named = self.past.negative_deltas.clone();
        for series in self.store.series_ids().filter(|&series| self.store.has_negative_delta(series)) {
            let metric = self.store.metric_of(series);
            if !named.contains(metric) {
                named.push(metric.clone());
            }
        }
        named
    }

    /// Every metric that came, with its number of series.
    pub fn metrics(&self) -> Vec<(Arc<MetricIdentity>, usize)> {
        let mut metrics: HashMap<&Arc<MetricIdentity>, usize> =
            self.past.metrics.iter().map(|(metric, n)| (metric, *n)).collect();
        for series in self.store.series_ids() {
            *metrics.entry(self.store.metric_of(series)).or_default() += 1;
        }
        let mut metrics: Vec<_> = metrics.into_iter().map(|(metric, n)| (metric.clone(), n)).collect();
        metrics.sort_by_cached_key(|(metric, _)| (metric.id(), metric.kind, metric.temporality, metric.monotonic));
        metrics
    }
}
