//! The result for one threshold: its current value, the proposed one, and everything it is based on.
//!
//! Absent on purpose: the choice, and sentences.

use super::choose::{self, Choice};
use super::label::Incident;
use super::study::{Candidate, EntityFigures, RuleStudy};
use super::sweep::{NotSwept, SweptRule};
use crate::catalog;
use crate::definition::{Aggregation, Condition, Rule, Threshold};
use crate::model::{Kind, MINUTE, Nanos, Temporality};

/// A proposal that is based on less time than this is provisional.
const LEAST_TIME: Nanos = 24 * 60 * MINUTE;
/// And one that is based on fewer instances.
const LEAST_INSTANCES: usize = 3;
/// Instances differ when the most violating one is this many times as far as the middle one.
const DIFFERS: f64 = 1.5;
/// Intervals differ when one is this many times the other.
const OTHER_INTERVAL: f64 = 1.25;
/// The quantiles that are shown.
const SHOWN: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

/// Everything about all thresholds.
#[derive(Debug)]
pub struct Tuned {
    /// One per threshold that was swept, by definition and rule.
    pub results: Vec<ThresholdResult>,
    /// The rules that were not.
    pub left: Vec<(SweptRule, NotSwept)>,
    /// The labels.
    pub incidents: Vec<Incident>,
    /// Events a week that are accepted on the baseline.
    pub budget: f64,
}

/// Everything about one threshold.
#[derive(Debug)]
pub struct ThresholdResult {
    /// Which one.
    pub target: SweptRule,
    /// The current operator and value.
    pub condition: Condition,
    /// The window of the rule.
    pub window: Nanos,
    /// What is proposed, and why.
    pub choice: Choice,
    /// What it is based on.
    pub basis: Basis,
    /// Values of the baseline that could have decided: part of the time, and the value that is not exceeded (for `<` and
    /// `<=`: not fallen below) in it. The last one is the most violating value.
    pub quantiles: Vec<(f64, f64)>,
    /// The entities of the baseline, the most violating one first.
    pub entities: Vec<EntityFigures>,
    /// Every threshold that was swept, beginning with the one that is violated most easily.
    pub candidates: Vec<Candidate>,
    /// By incident the most violating value in it.
    pub levels: Vec<Option<f64>>,
    /// The incidents that concern the definition.
    pub concerned: Vec<usize>,
    /// Those of them that it must detect: they name it, or it detects them now, or no other rule would.
    pub needed: Vec<usize>,
    /// How much the instances differ, when one value cannot fit them all.
    pub fleet: Option<Fleet>,
    /// Whether the value depends on the export interval.
    pub depends_on_interval: bool,
}

/// What a proposal is based on.
#[derive(Clone, Debug)]
pub struct Basis {
    /// How long the baseline was evaluated, on any entity.
    pub covered: Nanos,
    /// How long, all entities together.
    pub evaluated: Nanos,
    /// Entities that were evaluated.
    pub instances: usize,
    /// Their export interval: that of most of them.
    pub interval: Option<Nanos>,
    /// Entities with another one, and theirs.
    pub other_intervals: Vec<(String, Nanos)>,
}

/// Instances that one value cannot fit.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The most violating value of the most violating instance.
    pub highest: f64,
    /// That of the instance in the middle.
    pub middle: f64,
    /// How many times as far it is.
    pub times: f64,
}

impl Basis {
    /// Whether there is too little to rely on.
    pub fn is_provisional(&self) -> bool {
        self.covered < LEAST_TIME || self.instances < LEAST_INSTANCES
    }
}

impl ThresholdResult {
    /// What a threshold would have done, if it was swept.
    pub fn candidate(&self, threshold: f64) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.threshold == threshold)
    }

    /// What the current value did.
    pub fn current(&self) -> Option<&Candidate> {
        self.candidate(self.condition.value)
    }

    /// The value to write, when it differs from the current one.
    pub fn change(&self) -> Option<f64> {
        self.choice.value.filter(|value| *value != self.condition.value)
    }

    /// How far a threshold lies beyond the most violating value of the baseline: 0.2 is 20%.
    pub fn headroom(&self, threshold: f64) -> Option<f64> {
        let (_, end) = self.quantiles.last()?;
        let distance = if self.condition.is_upper() { threshold - end } else { end - threshold };
        Some(if distance == 0.0 { 0.0 } else { distance / end.abs() })
    }

    /// How many of the incidents that concern it a threshold detects, and how many there are.
    pub fn seen(&self, candidate: &Candidate) -> (usize, usize) {
        (self.concerned.iter().filter(|&&i| candidate.seen[i].is_some()).count(), self.concerned.len())
    }
}

/// The proposal for one rule.
pub(super) fn threshold_result(
    mut study: RuleStudy,
    (needed, choice): (Vec<usize>, Choice),
    incidents: &[Incident],
) -> ThresholdResult {
    let mut entities = std::mem::take(&mut study.entities);
    let key = |of: &EntityFigures| of.peak.as_ref().map_or(f64::NEG_INFINITY, |peak| study.key(peak.value));
    entities.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.label.label.cmp(&b.label.label)));
    let concerned = (0..incidents.len()).filter(|&i| incidents[i].concerns(&study.definition.name)).collect();
    let quantile = |part: f64| {
        let part_of = if study.condition.is_upper() { part } else { 1.0 - part };
        let end = choose::bound(&study).map(|key| study.key(key));
        let value = if part == 1.0 { end } else { study.sketch.quantile(part_of) };
        value.map(|value| (part, value))
    };
    ThresholdResult {
        target: study.target,
        condition: study.condition,
        window: study.window,
        choice,
        basis: basis(&study, &entities),
        quantiles: SHOWN.into_iter().filter_map(quantile).collect(),
        fleet: fleet(&entities),
        depends_on_interval: depends_on_interval(&study.definition.rules[study.target.rule], &entities),
        entities,
        levels: study.levels,
        candidates: study.candidates,
        concerned,
        needed,
    }
}

fn basis(study: &RuleStudy, entities: &[EntityFigures]) -> Basis {
    let mut intervals: Vec<Nanos> = entities.iter().filter_map(|of| of.interval).collect();
    intervals.sort_unstable();
    let near = |a: Nanos, b: Nanos| (a.max(b) as f64) < a.min(b) as f64 * OTHER_INTERVAL;
    let like = |interval: Nanos| intervals.iter().filter(|other| near(interval, **other)).count();
    let most = intervals.iter().map(|&interval| like(interval)).max();
    let interval = intervals.iter().copied().find(|&interval| Some(like(interval)) == most);
    let others = entities.iter().filter_map(|of| Some((of.label.label.clone(), of.interval?)));
    Basis {
        covered: choose::covered(study),
        evaluated: study.evaluated,
        instances: entities.len(),
        interval,
        other_intervals: others.filter(|(_, own)| interval.is_some_and(|interval| !near(*own, interval))).collect(),
    }
}

/// Whether the most violating instance, the first one, is far from the one in the middle.
fn fleet(entities: &[EntityFigures]) -> Option<Fleet> {
    let peaks: Vec<f64> = entities.iter().filter_map(|of| of.peak.as_ref()).map(|peak| peak.value).collect();
    let (highest, middle) = (*peaks.first()?, *peaks.get(peaks.len() / 2)?);
    let (far, near) = (highest.abs().max(middle.abs()), highest.abs().min(middle.abs()));
    let times = far / near;
    let differs = highest.signum() == middle.signum() && times.is_finite() && times >= DIFFERS;
    (peaks.len() > 1 && differs).then_some(Fleet { highest, middle, times })
}

/// Whether the aggregate counts exports, or the metric itself depends on the export interval.
fn depends_on_interval(rule: &Rule, entities: &[EntityFigures]) -> bool {
    let Some(Threshold { aggregation, .. }) = rule.threshold() else { return false };
    let known = rule.metric_ids().first().and_then(|id| catalog::python().metric_of_path(id.path()));
    let metric = entities.iter().find_map(|of| Some(&of.peak.as_ref()?.series.as_ref()?.metric));
    let counts_exports = metric.is_some_and(|metric| {
        let stored = metric.kind == Kind::Gauge || metric.temporality == Temporality::Cumulative;
        match aggregation {
            Aggregation::Sum => stored && matches!(metric.kind, Kind::Gauge | Kind::Sum),
            Aggregation::Count => matches!(metric.kind, Kind::Gauge | Kind::Sum),
            _ => false,
        }
    });
    known.is_some_and(|metric| metric.depends_on_interval) || counts_exports
}
