//! From observations to what each threshold did: first what came is learnt, then values to try are chosen, then they are swept.
//!
//! Every step adds up entity by entity, so observations may come in one pass or in several, in any grouping.

use super::choose;
use super::incident::{Incident, service_of};
use super::sketch::Sketch;
use super::sweep::{Question, Spell, Stretch, Tally, stretches, sweep};
use crate::definition::{CompareOp, Condition, EventDefinition, RuleKind, Threshold};
use crate::engine::{EntityLabel, EventState, Observations, SeriesLabel, State};
use crate::model::{MS, Nanos};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The source whose events count as false where no incident explains them.
pub const BASELINE: usize = 0;

/// What is asked of all definitions.
#[derive(Debug)]
pub struct Tuning {
    definitions: Vec<EventDefinition>,
    pub(super) incidents: Vec<Incident>,
    /// Events a week that are accepted on the baseline.
    pub(super) budget: f64,
    pub(super) asked: Vec<Asked>,
    sources: Vec<Seen>,
}

/// What is known of one source.
#[derive(Clone, Debug, Default)]
struct Seen {
    span: Option<(Nanos, Nanos)>,
    services: BTreeSet<String>,
}

/// Everything about one threshold.
#[derive(Debug)]
pub(super) struct Asked {
    pub question: Question,
    pub condition: Condition,
    pub window: Nanos,
    pub step: Nanos,
    /// Values that could have decided, on the baseline.
    pub sketch: Sketch,
    /// Baseline time with a value, all entities together.
    pub judged: Nanos,
    pub entities: Vec<EntityFigures>,
    pub spans: Vec<(Nanos, Nanos)>,
    /// By incident the most violating value that could have decided.
    pub levels: Vec<Option<f64>>,
    /// The thresholds that are swept, beginning with the one that is violated most easily.
    pub outcomes: Vec<Outcome>,
}

/// One entity under one threshold, on the baseline.
#[derive(Clone, Debug)]
pub struct EntityFigures {
    /// The entity.
    pub label: Arc<EntityLabel>,
    /// How often it reports.
    pub interval: Option<Nanos>,
    /// How long it had a value.
    pub judged: Nanos,
    /// Its most violating value.
    pub peak: Option<PeakFigures>,
    /// Its mean over time.
    pub mean: f64,
}

/// The most violating value.
#[derive(Clone, Debug)]
pub struct PeakFigures {
    /// The value.
    pub value: f64,
    /// When it first was that.
    pub at: Nanos,
    /// The series.
    pub series: Option<SeriesLabel>,
}

/// What one threshold would have done.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The threshold.
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
    /// By incident when it was first seen.
    pub seen: Vec<Option<Nanos>>,
}

/// Why an incident cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Nothing was recorded of the service; the services there are.
    NoService(Vec<String>),
    /// It lies outside of the recordings, which reach from here to there.
    NoOverlap(Nanos, Nanos),
    /// The source has no data.
    NoData,
    /// No loaded definition has this name.
    NoDefinition(String),
}

/// A rule whose threshold is not swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSwept {
    /// `=` and `!=` have no order of more and less.
    Equality,
    /// It counts entities, or their absence.
    Presence,
    /// It has no threshold.
    Trend,
}

/// Every rule of the judged definitions that can be swept, and every other one with the reason.
pub fn questions(definitions: &[EventDefinition]) -> (Vec<Question>, Vec<(Question, NotSwept)>) {
    let (mut swept, mut left) = (Vec::new(), Vec::new());
    for (definition, of) in definitions.iter().enumerate().filter(|(_, of)| of.is_judged()) {
        for (rule, of) in of.rules.iter().enumerate() {
            let question = Question { definition, rule };
            match &of.kind {
                RuleKind::Threshold(threshold) => match threshold.condition.operator {
                    CompareOp::Equal | CompareOp::NotEqual => left.push((question, NotSwept::Equality)),
                    CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => {
                        swept.push(question);
                    }
                },
                RuleKind::Presence(_) => left.push((question, NotSwept::Presence)),
                RuleKind::Trend(_) => left.push((question, NotSwept::Trend)),
            }
        }
    }
    (swept, left)
}

impl Tuning {
    /// Asks about every threshold that can be swept. `sources` is how many there will be; the first is the baseline.
    pub fn new(definitions: &[EventDefinition], sources: usize, incidents: Vec<Incident>, budget: f64) -> Self {
        let asked = questions(definitions).0.into_iter().filter_map(|question| {
            let rule = &definitions[question.definition].rules[question.rule];
            let RuleKind::Threshold(Threshold { condition, window_ms, .. }) = &rule.kind else { return None };
            Some(Asked {
                question,
                condition: *condition,
                window: window_ms.saturating_mul(MS),
                step: 1,
                sketch: Sketch::default(),
                judged: 0,
                entities: Vec::new(),
                spans: Vec::new(),
                levels: vec![None; incidents.len()],
                outcomes: Vec::new(),
            })
        });
        let asked = asked.collect();
        Tuning { definitions: definitions.to_vec(), incidents, budget, asked, sources: vec![Seen::default(); sources] }
    }

    /// The same incidents, of which more is known: of a source before the first step.
    pub fn relabel(&mut self, incidents: Vec<Incident>) {
        self.incidents = incidents;
    }

    /// The first step: what came.
    pub fn learn(&mut self, source: usize, observed: &Observations) {
        let seen = &mut self.sources[source];
        for (first, last, _) in observed.grids.iter().flatten() {
            let (from, to) = seen.span.unwrap_or((*first, *last));
            seen.span = Some((from.min(*first), to.max(*last)));
        }
        seen.services.extend(observed.entities.iter().filter_map(|entity| service_of(&entity.label)));
        for asked in &mut self.asked {
            let definition = &self.definitions[asked.question.definition];
            let Some((.., step)) = observed.grids[asked.question.definition] else { continue };
            asked.step = step;
            for entity in 0..observed.entities.len() {
                let label = &observed.entities[entity].label;
                let own: Vec<(usize, &Incident)> = self
                    .incidents
                    .iter()
                    .enumerate()
                    .filter(|(_, incident)| incident.source == source && incident.is_on(label))
                    .collect();
                if source == BASELINE {
                    asked.learn(observed, definition, entity, &own);
                }
                asked.learn_levels(observed, definition, entity, &own);
            }
        }
    }

    /// The incidents that have nothing to do with what came; after the first step.
    pub fn unusable(&self) -> Vec<(&Incident, Unusable)> {
        let names: BTreeSet<&str> = self.definitions.iter().map(|definition| definition.name.as_str()).collect();
        let mut found = Vec::new();
        for incident in &self.incidents {
            let Seen { span, services } = &self.sources[incident.source];
            let unknown = incident.definitions.iter().find(|name| !names.contains(name.as_str()));
            let why = match (span, &incident.service) {
                _ if unknown.is_some() => Unusable::NoDefinition(unknown.cloned().unwrap_or_default()),
                (None, _) => Unusable::NoData,
                (Some(_), Some(service)) if !services.contains(service) => {
                    Unusable::NoService(services.iter().cloned().collect())
                }
                (Some((from, to)), _) if incident.part(*from, *to).is_none() => Unusable::NoOverlap(*from, *to),
                _ => continue,
            };
            found.push((incident, why));
        }
        found
    }

    /// The second step: which values to try.
    pub fn choose(&mut self) {
        for asked in &mut self.asked {
            let thresholds = choose::candidates(asked, &self.incidents, &self.definitions, self.budget);
            asked.outcomes =
                thresholds.into_iter().map(|threshold| Outcome::new(threshold, self.incidents.len())).collect();
        }
    }

    /// The third step: what they would have done.
    pub fn sweep(&mut self, source: usize, observed: &Observations) {
        for asked in &mut self.asked {
            let thresholds: Vec<f64> = asked.outcomes.iter().map(|outcome| outcome.threshold).collect();
            let definition = &self.definitions[asked.question.definition];
            for (entity, of) in observed.entities.iter().enumerate() {
                let own = |incident: &Incident| incident.source == source && incident.is_on(&of.label);
                let mut tally = OfEntity {
                    outcomes: &mut asked.outcomes,
                    is_baseline: source == BASELINE,
                    window: asked.window,
                    step: asked.step,
                    incidents: self.incidents.iter().enumerate().filter(|(_, incident)| own(incident)).collect(),
                    closed: vec![None; thresholds.len()],
                };
                sweep(observed, definition, asked.question, &thresholds, entity, &mut tally);
            }
        }
    }

    /// The definitions it asks about.
    pub fn definitions(&self) -> &[EventDefinition] {
        &self.definitions
    }

    /// What a source covers; after the first step.
    pub fn span(&self, source: usize) -> Option<(Nanos, Nanos)> {
        self.sources.get(source)?.span
    }
}

impl Asked {
    /// Smaller is less violating, whatever the operator.
    #[inline]
    pub fn key(&self, value: f64) -> f64 {
        match self.condition.operator {
            CompareOp::Less | CompareOp::LessOrEqual => -value,
            CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Equal | CompareOp::NotEqual => value,
        }
    }

    fn learn(
        &mut self,
        observed: &Observations,
        definition: &EventDefinition,
        entity: usize,
        own: &[(usize, &Incident)],
    ) {
        let (step, window) = (self.step, self.window);
        // What an incident left in the windows is not healthy either.
        let times = own.iter().map(|(_, incident)| {
            let (from, to) = (incident.from.unwrap_or(Nanos::MIN), incident.to.unwrap_or(Nanos::MAX));
            (from, to.saturating_add(window))
        });
        let sick: Vec<(Nanos, Nanos)> = times.collect();
        let sign = self.key(1.0);
        let (mut judged, mut sum, mut best) = (0, 0.0, f64::NEG_INFINITY);
        let mut peak: Option<(f64, Nanos, u32)> = None;
        let mut known: Option<(Nanos, Nanos)> = None;
        let mut spans = std::mem::take(&mut self.spans);
        let mut sketch = std::mem::take(&mut self.sketch);
        stretches(observed, definition, self.question, entity, |stretch| {
            let Stretch { from, to, value, series, effects } = stretch;
            if value.is_nan() {
                spans.extend(known.take());
                return;
            }
            known = Some((known.map_or(from, |(from, _)| from), to));
            let decides = effects.violating.state == State::Violating && effects.clear.state != State::Violating;
            outside((from, to), step, &sick, |from, to| {
                let time = to - from + step;
                judged += time;
                sum += value * time as f64;
                if decides {
                    sketch.add(value, time as u64);
                    if sign * value > best {
                        best = sign * value;
                        peak = Some((value, from, series));
                    }
                }
            });
        });
        spans.extend(known);
        (self.spans, self.sketch) = (spans, sketch);
        self.judged += judged;
        if judged == 0 {
            return;
        }
        let named = |(value, at, series): (f64, Nanos, u32)| PeakFigures {
            value,
            at,
            series: observed.series(series).cloned(),
        };
        let of = &observed.entities[entity];
        self.entities.push(EntityFigures {
            label: of.label.clone(),
            interval: of.interval,
            judged,
            peak: peak.map(named),
            mean: sum / judged as f64,
        });
    }

    fn learn_levels(
        &mut self,
        observed: &Observations,
        definition: &EventDefinition,
        entity: usize,
        own: &[(usize, &Incident)],
    ) {
        if own.is_empty() {
            return;
        }
        let mut levels = std::mem::take(&mut self.levels);
        stretches(observed, definition, self.question, entity, |Stretch { from, to, value, effects, .. }| {
            let decides = effects.violating.state == State::Violating && effects.clear.state != State::Violating;
            if value.is_nan() || !decides {
                return;
            }
            for (number, incident) in own {
                let Some(part) = incident.part(from, to) else { continue };
                let has_instant = up(part.0, self.step) <= part.1;
                if has_instant && levels[*number].is_none_or(|best| self.key(value) > self.key(best)) {
                    levels[*number] = Some(value);
                }
            }
        });
        self.levels = levels;
    }
}

/// The first multiple of the step that is not before `at`.
fn up(at: Nanos, step: Nanos) -> Nanos {
    -(-at).div_euclid(step) * step
}

/// The instants of a stretch that lie in none of these times, in parts.
fn outside((from, to): (Nanos, Nanos), step: Nanos, sick: &[(Nanos, Nanos)], mut each: impl FnMut(Nanos, Nanos)) {
    if sick.iter().all(|(begin, end)| *end < from || *begin > to) {
        return each(from, to);
    }
    let mut at = from;
    while at <= to {
        if let Some((_, end)) = sick.iter().find(|(begin, end)| (*begin..=*end).contains(&at)) {
            at = if *end >= to { to + step } else { up(end + 1, step) };
            continue;
        }
        let next = sick.iter().filter(|(begin, _)| *begin > at).map(|(begin, _)| *begin).min();
        let until = next.map_or(to, |begin| to.min(up(begin, step) - step));
        each(at, until);
        at = until + step;
    }
}

impl Outcome {
    fn new(threshold: f64, incidents: usize) -> Self {
        Outcome {
            threshold,
            events: 0,
            false_events: 0,
            open: 0,
            flaps: 0,
            firing: 0,
            entities: 0,
            first: None,
            seen: vec![None; incidents],
        }
    }
}

/// Adds up the events of one entity.
struct OfEntity<'a> {
    outcomes: &'a mut [Outcome],
    is_baseline: bool,
    window: Nanos,
    step: Nanos,
    incidents: Vec<(usize, &'a Incident)>,
    /// By threshold when its last event was closed.
    closed: Vec<Option<Nanos>>,
}

impl Tally for OfEntity<'_> {
    fn spell(&mut self, threshold: usize, Spell { life, state }: Spell) {
        let outcome = &mut self.outcomes[threshold];
        let mut explained = false;
        for (number, incident) in &self.incidents {
            if let Some((at, _)) = incident.part(life.start, life.last_violation) {
                let seen = &mut outcome.seen[*number];
                *seen = Some(seen.map_or(at, |before| before.min(at)));
            }
            let late = Incident { to: incident.to.map(|to| to.saturating_add(self.window)), ..(*incident).clone() };
            explained |= late.part(life.start, life.last_violation).is_some();
        }
        if !self.is_baseline {
            return;
        }
        let before = &mut self.closed[threshold];
        outcome.events += 1;
        outcome.false_events += u64::from(!explained);
        outcome.first = Some(outcome.first.map_or(life.start, |first| first.min(life.start)));
        if before.is_none() {
            outcome.entities += 1;
        } else if before.is_some_and(|closed| life.start - closed <= self.window) {
            outcome.flaps += 1;
        }
        match state {
            EventState::Open => outcome.open += 1,
            EventState::Closed { closed_at, .. } => *before = Some(closed_at),
        }
    }

    fn violating(&mut self, threshold: usize, from: Nanos, to: Nanos) {
        if self.is_baseline {
            self.outcomes[threshold].firing += to - from + self.step;
        }
    }
}
