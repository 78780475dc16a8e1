//! Forgetting what is silent for so long that no rule can have anything to say about it, so that a service may run for ever.
//!
//! Time is cut into *rounds*, a small part of how long silence lasts before something is forgotten. When the first input of
//! a new round comes, before its points are taken in, series whose newest point is too old go, then resources without a
//! series, then entities without a resource. What is forgotten depends on the arrivals alone, not on ticks; and nothing goes
//! that could still be judged: no window holds its points, no event of it is open, no presence rule means it, no trend
//! compares with it. When it comes back it is new. What was counted stays counted.

use crate::definition::{EventDefinition, RuleKind};
use crate::engine::evaluate::judge::{Judge, NO_SERIES};
use crate::engine::evaluate::presence::interest;
use crate::engine::evaluate::trend::KEPT_FOR;
use crate::engine::report::SeriesLabel;
use crate::engine::{Engine, Options};
use crate::model::{MS, MetricIdentity, Nanos, SECOND};
use crate::series::{Horizon, Renumbered, Renumbering, ResourceId};
use std::collections::HashMap;
use std::sync::Arc;

/// Rounds until something is forgotten.
const ROUNDS: Nanos = 24;

/// Names of forgotten series and metrics that are kept for the report; more are not named.
const MOST_NAMED: usize = 4096;

/// When something is forgotten.
#[derive(Debug)]
pub(in crate::engine) struct Rounds {
    /// The silence it takes.
    silence: Nanos,
    /// How long a round is.
    length: Nanos,
    /// The round of the newest input.
    current: Option<Nanos>,
}

impl Rounds {
    /// `None` when nothing is ever forgotten.
    pub fn new(definitions: &[EventDefinition], options: &Options) -> Option<Self> {
        let rules = definitions.iter().filter(|d| d.is_judged()).flat_map(|d| &d.rules);
        let needed = rules.map(|rule| match &rule.kind {
            // A window and the point before it.
            RuleKind::Threshold(threshold) => threshold.window_ms.saturating_mul(2 * MS),
            RuleKind::Presence(presence) => interest(presence),
            RuleKind::Trend(_) => KEPT_FOR,
        });
        let silence = needed.fold(options.retention.forget_after?, Nanos::max);
        let length = (silence / ROUNDS / SECOND * SECOND).max(SECOND);
        Some(Rounds { silence, length, current: None })
    }

    /// The round that begins with an input at `at`, with what is old then; `None` within a round.
    fn begin(&mut self, at: Nanos) -> Option<(u32, Horizon)> {
        // An input at the first instant of a round is the last of the round before: that instant is not judged yet.
        let round = (at - 1).div_euclid(self.length).max(0);
        if self.current.is_some_and(|current| round <= current) {
            return None;
        }
        self.current = Some(round);
        let old = round - (self.silence + self.length - 1) / self.length - 1;
        let number = |round: Nanos| u32::try_from(round.max(0)).unwrap_or(u32::MAX);
        let before = (round * self.length).saturating_sub(self.silence);
        Some((number(round), Horizon { before, round: number(old) }))
    }
}

/// What the report still says of what is forgotten.
#[derive(Debug, Default)]
pub(in crate::engine) struct Past {
    /// Per definition the entities it selected.
    entities: Vec<u64>,
    pub metrics: HashMap<Arc<MetricIdentity>, usize>,
    pub several_writers: Vec<SeriesLabel>,
    pub negative_deltas: Vec<Arc<MetricIdentity>>,
}

impl Past {
    /// Forgotten entities that a definition selected.
    pub fn matched_entities(&self, definition: usize) -> u64 {
        self.entities.get(definition).copied().unwrap_or(0)
    }
}

impl Engine {
    /// Forgets what is silent for too long when a new round begins at `at`.
    pub(in crate::engine) fn forget(&mut self, at: Nanos) {
        let Some((round, horizon)) = self.rounds.as_mut().and_then(|rounds| rounds.begin(at)) else { return };
        self.store.begin_round(round);
        let mut gone = self.store.silent(horizon);
        self.hold_open_events(&mut gone);
        if gone.contains(&true) {
            self.take_leave_of_series(&gone);
            let new = self.store.forget(&gone);
            let entities = self.forget_entities(&new);
            self.selection.renumber(&new.keys);
            self.judge.renumber(&new.series, &entities);
            self.trends.renumber(&new, &entities);
        }
    }

    /// An entity stays with all its series while an event of it is open, even if nothing of it is heard any more.
    fn hold_open_events(&self, gone: &mut [bool]) {
        let mut held = self.judge.has_open_event();
        for entity in self.trends.entities_with_open_events() {
            held[entity as usize] = true;
        }
        let entity_of = |series| self.intake.resources[self.store.resource_of(series) as usize].entity as usize;
        for series in self.store.series_ids().filter(|&series| !gone[series as usize]) {
            held[entity_of(series)] = false;
        }
        for series in self.store.series_ids() {
            gone[series as usize] &= !held[entity_of(series)];
        }
    }

    /// Keeps what the report says of series that go.
    fn take_leave_of_series(&mut self, gone: &[bool]) {
        for d in 0..self.definitions.len() {
            let is_about_it = |series: u32| gone.get(series as usize).copied().unwrap_or(false);
            if self.judge.nearest[d].as_ref().is_some_and(|nearest| is_about_it(nearest.series)) {
                let label = self.nearest_of(d).and_then(|nearest| nearest.series).map(Box::new);
                if let Some(nearest) = &mut self.judge.nearest[d] {
                    nearest.label = label;
                }
            }
        }
        let watched = self.trends.several_writers();
        for series in self.store.series_ids().filter(|&series| gone[series as usize]) {
            let metric = self.store.metric_of(series);
            let several = self.store.has_several_writers(series) || watched.contains(&series);
            let label = several.then(|| self.label_of(series));
            let past = &mut self.intake.past;
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
        self.tell_lives_of(gone);
    }

    /// Forgets entities without a resource, and renumbers the others.
    fn forget_entities(&mut self, new: &Renumbered) -> Renumbering {
        let stays = |resource| new.resources.get(resource).is_some();
        let intake = &mut self.intake;
        intake.past.entities.resize(self.definitions.len(), 0);
        for entity in intake.entities.iter().filter(|entity| !entity.resources().any(stays)) {
            for &d in entity.definitions(&self.selection) {
                intake.past.entities[d] += 1;
            }
        }
        let entities = Renumbering::of(intake.entities.iter().map(|entity| entity.resources().any(stays)));
        (intake.counts.series_now, intake.counts.entities_now) =
            (new.series.remaining() as u64, entities.remaining() as u64);
        intake.renumber(new, &entities);
        for resource in 0..new.resources.remaining() {
            let entity = intake.resources[resource].entity as usize;
            intake.entities[entity].series += self.store.series_of(resource as ResourceId) as u32;
        }
        entities
    }
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
