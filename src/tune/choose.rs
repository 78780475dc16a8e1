//! Which candidate thresholds are tried, and which one is proposed.
//!
//! Works in keys: values with the sign that makes a larger one more violating, so that `<` is a mirrored `>`. Round numbers are
//! round with either sign. Absent on purpose: sweeping.

use super::label::Incident;
use super::round::{Scale, shortest_between};
use super::study::{Candidate, RuleStudy};
use crate::catalog::{self, Quantity};
use crate::model::{Nanos, SECOND};

/// A proposed value lies this far beyond the most violating one of the baseline.
const HEADROOM: f64 = 0.2;
/// What rounding may take away from it.
const ROUNDING: f64 = 1e-9;
/// The current value stays when it lies this far beyond it.
const ENOUGH: f64 = 0.1;
/// Quantiles of the baseline beside which values are tried.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Values that are tried at most because of incidents.
const MOST_LEVELS: usize = 12;
const WEEK: f64 = (7 * 24 * 3600 * SECOND) as f64;

/// Why a value is proposed, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The current value is within the budget, with room, and detects what can be detected: it stays.
    Fits,
    /// The current value gives too many events on the baseline.
    Fires,
    /// The current value is quiet, but the baseline comes close to it.
    Close,
    /// Another value detects more incidents.
    Misses,
    /// The baseline has no value that could have decided.
    NoValue,
    /// Other rules of the definition decide, whatever this one says.
    OtherRules,
    /// No value is within the budget.
    NoneFits,
}

/// What is proposed for a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The value: the current one when it stays; `None` when nothing can be proposed.
    pub value: Option<f64>,
    /// Why.
    pub reason: Reason,
}

/// The most violating value of the baseline, as a key.
pub(super) fn bound(study: &RuleStudy) -> Option<f64> {
    let (least, greatest) = study.sketch.range()?;
    Some(study.key(least).max(study.key(greatest)))
}

/// How far a threshold lies beyond the baseline, in relation to it: 0.2 is 20%.
pub(super) fn headroom(study: &RuleStudy, threshold: f64) -> Option<f64> {
    let bound = bound(study)?;
    let distance = study.key(threshold) - bound;
    Some(if distance == 0.0 { 0.0 } else { distance / bound.abs() })
}

fn scale(study: &RuleStudy) -> Scale {
    let rule = &study.definition.rules[study.target.rule];
    let metric = rule.metric_ids().first().and_then(|id| catalog::python().metric_of_path(id.path()));
    let quantity = metric.map(|metric| metric.quantity);
    let written = study.condition.value;
    if quantity == Some(Quantity::Bytes) && written != 0.0 && written % 1024.0 == 0.0 {
        Scale::Binary
    } else {
        Scale::Decimal
    }
}

/// The thresholds to sweep, beginning with the one that is violated most easily: the current one, round ones beside the quantiles of
/// the baseline and beyond its end, and such as detect incidents.
pub(super) fn candidates(study: &RuleStudy, incidents: &[Incident], budget: f64) -> Vec<f64> {
    let scale = scale(study);
    let mut keys = vec![study.key(study.condition.value)];
    let end = bound(study);
    if let Some(end) = end {
        let quantiles = QUANTILES.iter().filter_map(|q| {
            // Of a lower bound the other end of the values is the quiet one.
            let part = if study.key(1.0) > 0.0 { *q } else { 1.0 - q };
            study.sketch.quantile(part).map(|value| scale.at_least(study.key(value)))
        });
        keys.extend(quantiles);
        keys.extend([HEADROOM, 0.5, 1.0].map(|room| scale.at_least(end + room * end.abs())));
        keys.push(scale.at_least(end));
        if budget > 0.0 {
            keys.extend(ladder(scale, study, end));
        }
    }
    let name = &study.definition.name;
    let concerned = incidents.iter().zip(&study.levels).filter(|(incident, _)| incident.concerns(name));
    let mut levels: Vec<f64> = concerned.filter_map(|(_, level)| level.map(|value| study.key(value))).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let every = levels.len().div_ceil(MOST_LEVELS).max(1);
    for level in levels.into_iter().step_by(every) {
        keys.push(scale.below(level));
        if let Some(end) = end
            && level > end
            && scale.below(level) < end
        {
            keys.push(shortest_between(end, level));
        }
    }
    keys.retain(|key| key.is_finite());
    keys.sort_by(f64::total_cmp);
    keys.dedup();
    keys.into_iter().map(|key| study.key(key)).collect()
}

/// Round numbers between the upper tenth of the baseline and its end.
fn ladder(scale: Scale, study: &RuleStudy, end: f64) -> Vec<f64> {
    let part = if study.key(1.0) > 0.0 { 0.9 } else { 0.1 };
    let Some(begin) = study.sketch.quantile(part).map(|value| study.key(value)) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = scale.at_least(end);
    while at > begin && found.len() < 16 {
        at = scale.below(at);
        found.push(at);
    }
    found
}

/// The incidents that each threshold must detect, and what is chosen for it.
///
/// An incident that names definitions must be detected by them. For the others one alert is enough, whichever rule gives it:
/// rules that detect it now must go on, and only when none would, every rule must.
pub(super) fn choose_all(studies: &[RuleStudy], incidents: &[Incident], budget: f64) -> Vec<(Vec<usize>, Choice)> {
    let sees = |study: &RuleStudy, threshold: f64, incident: usize| {
        let candidate = study.candidates.iter().find(|candidate| candidate.threshold == threshold);
        candidate.is_some_and(|candidate| candidate.seen[incident].is_some())
    };
    // A rule that fires all the time detects nothing.
    let stands_out = |study: &RuleStudy, incident: usize| {
        let allowed = allowed(study, budget);
        study.candidates.iter().any(|of| of.false_events as f64 <= allowed && of.seen[incident].is_some())
    };
    let needed = |study: &RuleStudy, orphans: &[usize]| -> Vec<usize> {
        let is_needed = |&i: &usize| {
            let is_its = orphans.contains(&i) || sees(study, study.condition.value, i);
            let names = &incidents[i].definitions;
            names.contains(&study.definition.name) || (names.is_empty() && is_its && stands_out(study, i))
        };
        (0..incidents.len()).filter(is_needed).collect()
    };
    let choices = |orphans: &[usize]| -> Vec<(Vec<usize>, Choice)> {
        let of = studies.iter().map(|study| {
            let needed = needed(study, orphans);
            let choice = choose(study, &needed, budget);
            (needed, choice)
        });
        of.collect()
    };
    let first = choices(&[]);
    let is_orphan = |&i: &usize| {
        let seen =
            studies.iter().zip(&first).any(|(study, (_, choice))| choice.value.is_some_and(|v| sees(study, v, i)));
        incidents[i].definitions.is_empty() && !seen
    };
    let orphans: Vec<usize> = (0..incidents.len()).filter(is_orphan).collect();
    if orphans.is_empty() { first } else { choices(&orphans) }
}

/// False events that the budget allows on the baseline.
fn allowed(study: &RuleStudy, budget: f64) -> f64 {
    budget * covered(study) as f64 / WEEK
}

/// Chooses among the swept thresholds.
fn choose(study: &RuleStudy, needed: &[usize], budget: f64) -> Choice {
    let current = study.condition.value;
    let stays = |reason| Choice { value: Some(current), reason };
    if study.evaluated == 0 {
        return Choice { value: None, reason: Reason::NoValue };
    }
    let allowed = allowed(study, budget);
    let fits = |candidate: &&Candidate| candidate.false_events as f64 <= allowed;
    let seen = |candidate: &Candidate| needed.iter().filter(|&&i| candidate.seen[i].is_some()).count();
    let Some(most) = study.candidates.iter().filter(fits).map(seen).max() else {
        let reason = if bound(study).is_none() { Reason::OtherRules } else { Reason::NoneFits };
        return Choice { value: None, reason };
    };
    let Some(now) = study.candidates.iter().find(|candidate| candidate.threshold == current) else {
        return stays(Reason::Fits);
    };
    let room = |candidate: &Candidate| headroom(study, candidate.threshold).unwrap_or(f64::INFINITY);
    let reason = if !fits(&now) {
        Reason::Fires
    } else if seen(now) < most {
        Reason::Misses
    } else if budget == 0.0 && room(now) < ENOUGH {
        Reason::Close
    } else {
        return stays(Reason::Fits);
    };
    let good: Vec<&Candidate> =
        study.candidates.iter().filter(fits).filter(|candidate| seen(candidate) == most).collect();
    let chosen = if budget > 0.0 {
        // The most sensitive one from which on every less sensitive one fits as well.
        let last_bad = study.candidates.iter().rposition(|candidate| !fits(&candidate));
        let from = last_bad.map_or(0, |bad| bad + 1);
        study.candidates[from..].iter().find(|candidate| seen(candidate) == most).or(good.last().copied())
    } else {
        good.iter().copied().find(|candidate| room(candidate) >= HEADROOM - ROUNDING).or(good.last().copied())
    };
    match chosen.map(|candidate| candidate.threshold) {
        Some(value) if value == current => stays(Reason::Fits),
        // Where everything was 0 there is no scale for a headroom.
        Some(_) if bound(study) == Some(0.0) && reason != Reason::Misses => {
            Choice { value: None, reason: Reason::NoneFits }
        }
        value => Choice { value, reason },
    }
}

/// How long the baseline was evaluated, on any entity.
pub(super) fn covered(study: &RuleStudy) -> Nanos {
    let mut spans = study.spans.clone();
    spans.sort_unstable();
    let (mut total, mut end) = (0, Nanos::MIN);
    for (from, to) in spans {
        let (from, to) = (from.max(end), to + study.step);
        total += (to - from).max(0);
        end = end.max(to);
    }
    total
}
