//! Everything learnt about one swept rule: its values on the baseline and in incidents, and what candidate thresholds would have
//! done.
//!
//! Owns the figures, which add up entity by entity, in any grouping of passes. Values that an incident left in a window do not
//! count as healthy. Absent on purpose: which candidates there are, and which one is proposed.

use super::label::Incident;
use super::sweep::{Segment, Swept, SweptRule, Tracked};
use crate::definition::{Condition, EventDefinition, Threshold};
use crate::engine::{ConditionState, EntityLabel, EvaluationTrace, EventLife, EventState, SeriesLabel};
use crate::model::{MS, Nanos, Sketch};
use std::sync::Arc;

/// One swept rule.
#[derive(Debug)]
pub(super) struct RuleStudy {
    pub target: SweptRule,
    pub definition: EventDefinition,
    pub condition: Condition,
    pub window: Nanos,
    pub step: Nanos,
    /// Values that could have decided, on the baseline.
    pub sketch: Sketch<8>,
    /// Baseline time with a value, all entities together.
    pub evaluated: Nanos,
    pub entities: Vec<EntityFigures>,
    /// When the baseline had a value, on any entity.
    pub spans: Vec<(Nanos, Nanos)>,
    /// By incident the most violating value that could have decided.
    pub levels: Vec<Option<f64>>,
    /// Beginning with the one that is violated most easily.
    pub candidates: Vec<Candidate>,
}

/// One entity under one rule, on the baseline.
#[derive(Clone, Debug)]
pub struct EntityFigures {
    pub label: Arc<EntityLabel>,
    /// How often it reports.
    pub interval: Option<Nanos>,
    /// How long it had a value.
    pub evaluated: Nanos,
    /// Its most violating value.
    pub peak: Option<PeakFigures>,
    /// Its mean over time.
    pub mean: f64,
}

/// The most violating value.
#[derive(Clone, Debug)]
pub struct PeakFigures {
    pub value: f64,
    /// When it first was that.
    pub at: Nanos,
    pub series: Option<SeriesLabel>,
}

/// A candidate threshold, and what it would have done.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    pub threshold: f64,
    /// Events on the baseline.
    pub events: u64,
    /// Those of them that no incident explains.
    pub false_events: u64,
    /// Those of them that are open when the recordings end.
    pub open: u64,
    /// Events that open within a window after the one before was closed.
    pub flaps: u64,
    /// How long it fired on the baseline, all entities together.
    pub firing: Nanos,
    /// Entities of the baseline with an event.
    pub entities: u64,
    /// When the first event of the baseline opened.
    pub first: Option<Nanos>,
    /// By incident when it was first detected.
    pub seen: Vec<Option<Nanos>>,
}

/// One entity of a source, and the incidents on it by their number.
pub(super) struct StudiedEntity<'a> {
    pub observed: &'a EvaluationTrace,
    pub entity: usize,
    pub incidents: Vec<(usize, &'a Incident)>,
    pub is_baseline: bool,
}

impl RuleStudy {
    /// Nothing is known yet; `None` when the rule has no threshold.
    pub fn new(target: SweptRule, definitions: &[EventDefinition], incidents: usize) -> Option<Self> {
        let definition = definitions[target.definition].clone();
        let &Threshold { condition, window_ms, .. } = definition.rules[target.rule].threshold()?;
        Some(RuleStudy {
            target,
            definition,
            condition,
            window: window_ms.saturating_mul(MS),
            step: 1,
            sketch: Sketch::default(),
            evaluated: 0,
            entities: Vec::new(),
            spans: Vec::new(),
            levels: vec![None; incidents],
            candidates: Vec::new(),
        })
    }

    /// Smaller is less violating, whatever the operator.
    pub fn key(&self, value: f64) -> f64 {
        if self.condition.is_upper() { value } else { -value }
    }

    /// Adds the values of an entity.
    pub fn learn(&mut self, of: &StudiedEntity<'_>) {
        let StudiedEntity { observed, entity, ref incidents, is_baseline } = *of;
        let (step, window, sign) = (self.step, self.window, self.key(1.0));
        let unhealthy: Vec<(Nanos, Nanos)> = incidents.iter().map(|(_, incident)| incident.span(window)).collect();
        let (mut evaluated, mut sum, mut best) = (0, 0.0, f64::NEG_INFINITY);
        let mut peak: Option<(f64, Nanos, u32)> = None;
        let mut span: Option<(Nanos, Nanos)> = None;
        let of_entity = Tracked { observed, definition: &self.definition, target: self.target, entity };
        of_entity.segments(|segment| {
            let Segment { from, to, value, series, effects } = segment;
            if value.is_nan() {
                self.spans.extend(span.take());
                return;
            }
            let decides = effects.violating.state == ConditionState::Violating
                && effects.clear.state != ConditionState::Violating;
            for (number, incident) in incidents.iter().filter(|_| decides) {
                let has_evaluation = incident.part(from, to).is_some_and(|part| up(part.0, step) <= part.1);
                let level = &mut self.levels[*number];
                if has_evaluation && level.is_none_or(|best| sign * value > sign * best) {
                    *level = Some(value);
                }
            }
            if !is_baseline {
                return;
            }
            span = Some((span.map_or(from, |(from, _)| from), to));
            outside((from, to), step, &unhealthy, |from, to| {
                let time = to - from + step;
                evaluated += time;
                sum += value * time as f64;
                if decides {
                    self.sketch.add(value, time as u64);
                    if sign * value > best {
                        best = sign * value;
                        peak = Some((value, from, series));
                    }
                }
            });
        });
        self.spans.extend(span);
        self.evaluated += evaluated;
        if evaluated > 0 {
            let named = |(value, at, series)| PeakFigures { value, at, series: observed.series(series).cloned() };
            let of = &observed.entities[entity];
            self.entities.push(EntityFigures {
                label: of.label.clone(),
                interval: of.interval,
                evaluated,
                peak: peak.map(named),
                mean: sum / evaluated as f64,
            });
        }
    }

    /// Adds what the candidates would have done on an entity.
    pub fn sweep(&mut self, of: &StudiedEntity<'_>) {
        let thresholds: Vec<f64> = self.candidates.iter().map(|candidate| candidate.threshold).collect();
        let mut closed = vec![None; thresholds.len()];
        let (candidates, window, step) = (&mut self.candidates, self.window, self.step);
        let (definition, target) = (&self.definition, self.target);
        let of_entity = Tracked { observed: of.observed, definition, target, entity: of.entity };
        of_entity.sweep(&thresholds, |at, swept| match swept {
            Swept::Violation { from, to } => candidates[at].firing += i64::from(of.is_baseline) * (to - from + step),
            Swept::Event { life, state } => candidates[at].add(life, state, of, window, &mut closed[at]),
        });
    }
}

impl Candidate {
    pub fn new(threshold: f64, incidents: usize) -> Self {
        Candidate { threshold, seen: vec![None; incidents], ..Candidate::default() }
    }

    /// Adds an event; `closed` is when the one before on the entity was closed.
    fn add(
        &mut self,
        life: EventLife,
        state: EventState,
        of: &StudiedEntity<'_>,
        window: Nanos,
        closed: &mut Option<Nanos>,
    ) {
        let mut is_explained = false;
        for (number, incident) in &of.incidents {
            if let Some((at, _)) = incident.part(life.start, life.last_violation) {
                let seen = &mut self.seen[*number];
                *seen = Some(seen.map_or(at, |before| before.min(at)));
            }
            let (from, to) = incident.span(window);
            is_explained |= life.start <= to && life.last_violation >= from;
        }
        if !of.is_baseline {
            return;
        }
        self.events += 1;
        self.false_events += u64::from(!is_explained);
        self.first = Some(self.first.map_or(life.start, |first| first.min(life.start)));
        match *closed {
            None => self.entities += 1,
            Some(closed) => self.flaps += u64::from(life.start - closed <= window),
        }
        match state {
            EventState::Open => self.open += 1,
            EventState::Closed { closed_at, .. } => *closed = Some(closed_at),
        }
    }
}

/// The first multiple of the step that is not before `at`.
fn up(at: Nanos, step: Nanos) -> Nanos {
    -(-at).div_euclid(step) * step
}

/// The evaluations of a segment that lie in none of these times, in parts.
fn outside((from, to): (Nanos, Nanos), step: Nanos, without: &[(Nanos, Nanos)], mut each: impl FnMut(Nanos, Nanos)) {
    if without.iter().all(|(begin, end)| *end < from || *begin > to) {
        return each(from, to);
    }
    let mut at = from;
    while at <= to {
        if let Some((_, end)) = without.iter().find(|(begin, end)| (*begin..=*end).contains(&at)) {
            at = if *end >= to { to + step } else { up(end + 1, step) };
            continue;
        }
        let next = without.iter().filter(|(begin, _)| *begin > at).map(|(begin, _)| *begin).min();
        let until = next.map_or(to, |begin| to.min(up(begin, step) - step));
        each(at, until);
        at = until + step;
    }
}
