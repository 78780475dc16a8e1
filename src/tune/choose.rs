//! Which candidate thresholds are tried, and which one is proposed.
//!
//! Works in keys: values with the sign that makes a larger one more violating, so that `<` is a mirrored `>`. Round numbers are
//! round with either sign. Absent on purpose: sweeping.

use super::label::Incident;
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
    let none = |reason| Choice { value: None, reason };
    if study.evaluated == 0 {
        return none(Reason::NoValue);
    }
    let allowed = allowed(study, budget);
    let fits = |candidate: &&Candidate| candidate.false_events as f64 <= allowed;
    let seen = |candidate: &Candidate| needed.iter().filter(|&&i| candidate.seen[i].is_some()).count();
    let Some(most) = study.candidates.iter().filter(fits).map(seen).max() else {
        return none(if bound(study).is_none() { Reason::OtherRules } else { Reason::NoneFits });
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
        Some(_) if bound(study) == Some(0.0) && reason != Reason::Misses => none(Reason::NoneFits),
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

/// First digits of round numbers.
const DIGITS: [&str; 12] = ["1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "7.5", "8", "10"];
/// Factors of powers of 1024 that are round.
const BINARY: [f64; 41] = [
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 24.0, 28.0, 32.0,
    40.0, 48.0, 56.0, 64.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 224.0, 256.0, 320.0, 384.0, 448.0, 512.0, 640.0,
    768.0, 896.0, 1024.0,
];

/// Which numbers are round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// 1, 1.2, 1.5, 2, … times a power of ten.
    Decimal,
    /// 1, 1.25, 1.5, … times a power of 1024: bytes.
    Binary,
}

impl Scale {
    /// The smallest round number that is not below `x`.
    pub fn at_least(self, x: f64) -> f64 {
        if x < 0.0 { -self.of_positive(-x, false) } else { self.of_positive(x, true) }
    }

    /// The largest round number that is below `x`.
    pub fn below(self, x: f64) -> f64 {
        if x > 0.0 {
            let found = self.of_positive(x, false);
            if found < x { found } else { self.of_positive(x * (1.0 - 1e-9), false) }
        } else {
            let found = self.of_positive(-x, true);
            if -found < x { -found } else { -self.of_positive(-x * (1.0 + 1e-9), true) }
        }
    }

    /// The nearest round number above, or below, or `x` itself.
    fn of_positive(self, x: f64, above: bool) -> f64 {
        if x == 0.0 || !x.is_finite() {
            return x;
        }
        let (lower, upper) = match self {
            Scale::Decimal => decimal(x),
            Scale::Binary => binary(x),
        };
        if above { upper } else { lower }
    }
}

/// The nearest round numbers around a positive one; the same twice when it is round itself.
fn decimal(x: f64) -> (f64, f64) {
    let exponent = x.log10().floor() as i32;
    let numbers = [exponent - 1, exponent, exponent + 1].into_iter().flat_map(|exponent| {
        // Through the text: a product of doubles would end in 0.30000000000000004.
        DIGITS.iter().filter_map(move |digits| format!("{digits}e{exponent}").parse::<f64>().ok())
    });
    around(x, numbers)
}

fn binary(x: f64) -> (f64, f64) {
    let exponent = (x.log2() / 10.0).floor() as i32;
    if !(0..=5).contains(&exponent) {
        return decimal(x);
    }
    around(x, BINARY.iter().map(|factor| factor * 1024f64.powi(exponent)))
}

fn around(x: f64, numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let lower = numbers.clone().filter(|number| *number <= x).fold(0.0, f64::max);
    let upper = numbers.filter(|number| *number >= x).fold(f64::INFINITY, f64::min);
    (lower, if upper.is_finite() { upper } else { x })
}

/// The number between two others that is shortest to write; the lower one when there is none.
fn shortest_between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    let tries = (0..17).filter_map(|digits| format!("{middle:.digits$e}").parse::<f64>().ok());
    tries.into_iter().find(|x| low < *x && *x < high).unwrap_or(low)
}

#[cfg(test)]
mod tests {
    use super::{Scale, shortest_between};

    #[test]
    fn round_numbers_lie_beside_their_value() {
        let decimal = |x: f64| (Scale::Decimal.below(x), Scale::Decimal.at_least(x));
        assert_eq!(decimal(0.744), (0.6, 0.75));
        assert_eq!(decimal(0.75), (0.6, 0.75));
        assert_eq!(decimal(0.3), (0.25, 0.3));
        assert_eq!(decimal(9.7), (8.0, 10.0));
        assert_eq!(decimal(1.0), (0.8, 1.0));
        assert_eq!(decimal(1234.0), (1200.0, 1500.0));
        assert_eq!(decimal(-8.5), (-10.0, -8.0));
        assert_eq!(decimal(-8.0), (-10.0, -8.0));
        assert_eq!(decimal(0.0).1, 0.0);
    }

    #[test]
    fn bytes_are_round_in_powers_of_1024() {
        let mib = 1024.0 * 1024.0;
        assert_eq!(Scale::Binary.at_least(0.9 * mib), mib * 896.0 / 1024.0 * (1024.0 / 896.0));
        assert_eq!(Scale::Binary.at_least(61.0 * mib), 64.0 * mib);
        assert_eq!(Scale::Binary.below(61.0 * mib), 56.0 * mib);
        assert_eq!(Scale::Binary.at_least(1100.0 * mib), 1280.0 * mib);
    }

    #[test]
    fn the_shortest_number_between_is_found() {
        assert_eq!(shortest_between(0.61, 0.63), 0.62);
        assert_eq!(shortest_between(1.0, 4.0), 2.0);
        assert_eq!(shortest_between(1.0, 1.0), 1.0);
    }
}
