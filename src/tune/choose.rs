//! Which values are tried, and which one is proposed.
//!
//! Everything here thinks in keys: values with the sign that makes a larger one more violating, so that `<` is `>` of the
//! other side. Round numbers are round with either sign.

use super::incident::Incident;
use super::round::{Scale, shortest_between};
use super::tuning::{Asked, Outcome};
use crate::catalog::{self, Quantity};
use crate::definition::{EventDefinition, RuleKind, Selector};
use crate::model::{Nanos, SECOND};

/// A proposed value lies this far beyond the most violating one of the baseline.
const HEADROOM: f64 = 0.2;
/// What rounding may take away from it.
const ROUNDING: f64 = 1e-9;
/// Today's value stays when it lies this far beyond it.
const ENOUGH: f64 = 0.1;
/// Quantiles of the baseline beside which values are tried.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Values that are tried at most for the sake of incidents.
const MOST_LEVELS: usize = 12;
const WEEK: f64 = (7 * 24 * 3600 * SECOND) as f64;

/// Why a value is proposed, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Today's value is within the budget, with room, and sees what can be seen: it stays.
    Fits,
    /// Today's value gives too many events on the baseline.
    Fires,
    /// Today's value is quiet, but the baseline comes close to it.
    Close,
    /// Another value sees more incidents.
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
    /// The value: today's when it stays; `None` when nothing can be proposed.
    pub value: Option<f64>,
    /// Why.
    pub reason: Reason,
}

/// The most violating value of the baseline, as a key.
pub(super) fn bound(asked: &Asked) -> Option<f64> {
    let (least, greatest) = asked.sketch.range()?;
    Some(asked.key(least).max(asked.key(greatest)))
}

/// How far a threshold lies beyond the baseline, in relation to it: 0.2 is 20 %.
pub(super) fn headroom(asked: &Asked, threshold: f64) -> Option<f64> {
    let bound = bound(asked)?;
    let distance = asked.key(threshold) - bound;
    Some(if distance == 0.0 { 0.0 } else { distance / bound.abs() })
}

fn scale(asked: &Asked, definitions: &[EventDefinition]) -> Scale {
    let rule = &definitions[asked.question.definition].rules[asked.question.rule];
    let RuleKind::Threshold(threshold) = &rule.kind else { return Scale::Decimal };
    let quantity = match &threshold.selector {
        Selector::Id(id) => catalog::python().metric_of_path(id.path()).map(|metric| metric.quantity),
        Selector::Pattern(_) => None,
    };
    let written = asked.condition.value;
    if quantity == Some(Quantity::Bytes) && written != 0.0 && written % 1024.0 == 0.0 {
        Scale::Binary
    } else {
        Scale::Decimal
    }
}

/// The thresholds to sweep, beginning with the one that is violated most easily: today's, round ones beside the quantiles of
/// the baseline and beyond its end, and such as see incidents.
pub(super) fn candidates(
    asked: &Asked,
    incidents: &[Incident],
    definitions: &[EventDefinition],
    budget: f64,
) -> Vec<f64> {
    let scale = scale(asked, definitions);
    let mut keys = vec![asked.key(asked.condition.value)];
    let end = bound(asked);
    if let Some(end) = end {
        let quantiles = QUANTILES.iter().filter_map(|q| {
            // Of a lower bound the other end of the values is the quiet one.
            let part = if asked.key(1.0) > 0.0 { *q } else { 1.0 - q };
            asked.sketch.quantile(part).map(|value| scale.at_least(asked.key(value)))
        });
        keys.extend(quantiles);
        keys.extend([HEADROOM, 0.5, 1.0].map(|room| scale.at_least(end + room * end.abs())));
        keys.push(scale.at_least(end));
        if budget > 0.0 {
            keys.extend(ladder(scale, asked, end));
        }
    }
    let name = &definitions[asked.question.definition].name;
    let concerned = incidents.iter().zip(&asked.levels).filter(|(incident, _)| incident.concerns(name));
    let mut levels: Vec<f64> = concerned.filter_map(|(_, level)| level.map(|value| asked.key(value))).collect();
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
    keys.into_iter().map(|key| asked.key(key)).collect()
}

/// Round numbers between the upper tenth of the baseline and its end.
fn ladder(scale: Scale, asked: &Asked, end: f64) -> Vec<f64> {
    let part = if asked.key(1.0) > 0.0 { 0.9 } else { 0.1 };
    let Some(begin) = asked.sketch.quantile(part).map(|value| asked.key(value)) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = scale.at_least(end);
    while at > begin && found.len() < 16 {
        at = scale.below(at);
        found.push(at);
    }
    found
}

/// The incidents that each threshold must see, and what is chosen for it.
///
/// An incident that names definitions must be seen by them. Of the others an alert is enough, whichever rule gives it: who
/// sees it today must go on, and only when nobody would see it everybody tries.
pub(super) fn choose_all(
    asked: &[Asked],
    incidents: &[Incident],
    definitions: &[EventDefinition],
    budget: f64,
) -> Vec<(Vec<usize>, Choice)> {
    let names = |asked: &Asked, incident: &Incident| {
        incident.definitions.contains(&definitions[asked.question.definition].name)
    };
    let sees = |asked: &Asked, threshold: f64, incident: usize| {
        let outcome = asked.outcomes.iter().find(|outcome| outcome.threshold == threshold);
        outcome.is_some_and(|outcome| outcome.seen[incident].is_some())
    };
    // What a rule sees only because it fires all the time it does not see.
    let stands_out = |asked: &Asked, incident: usize| {
        let allowed = allowed(asked, budget);
        asked.outcomes.iter().any(|of| of.false_events as f64 <= allowed && of.seen[incident].is_some())
    };
    let needed = |asked: &Asked, orphans: &[usize]| -> Vec<usize> {
        let is_needed = |&i: &usize| {
            let is_its = orphans.contains(&i) || sees(asked, asked.condition.value, i);
            names(asked, &incidents[i]) || (incidents[i].definitions.is_empty() && is_its && stands_out(asked, i))
        };
        (0..incidents.len()).filter(is_needed).collect()
    };
    let choices = |orphans: &[usize]| -> Vec<(Vec<usize>, Choice)> {
        let of = asked.iter().map(|asked| {
            let needed = needed(asked, orphans);
            let choice = choose(asked, &needed, budget);
            (needed, choice)
        });
        of.collect()
    };
    let first = choices(&[]);
    let is_orphan = |&i: &usize| {
        let seen = asked.iter().zip(&first).any(|(asked, (_, choice))| choice.value.is_some_and(|v| sees(asked, v, i)));
        incidents[i].definitions.is_empty() && !seen
    };
    let orphans: Vec<usize> = (0..incidents.len()).filter(is_orphan).collect();
    if orphans.is_empty() { first } else { choices(&orphans) }
}

/// False events that the budget allows on the baseline.
fn allowed(asked: &Asked, budget: f64) -> f64 {
    budget * covered(asked) as f64 / WEEK
}

/// Chooses among the swept thresholds.
fn choose(asked: &Asked, needed: &[usize], budget: f64) -> Choice {
    let today = asked.condition.value;
    let stays = |reason| Choice { value: Some(today), reason };
    if asked.judged == 0 {
        return Choice { value: None, reason: Reason::NoValue };
    }
    let allowed = allowed(asked, budget);
    let fits = |outcome: &&Outcome| outcome.false_events as f64 <= allowed;
    let seen = |outcome: &Outcome| needed.iter().filter(|&&i| outcome.seen[i].is_some()).count();
    let Some(most) = asked.outcomes.iter().filter(fits).map(seen).max() else {
        let reason = if bound(asked).is_none() { Reason::OtherRules } else { Reason::NoneFits };
        return Choice { value: None, reason };
    };
    let Some(now) = asked.outcomes.iter().find(|outcome| outcome.threshold == today) else {
        return stays(Reason::Fits);
    };
    let room = |outcome: &Outcome| headroom(asked, outcome.threshold).unwrap_or(f64::INFINITY);
    let reason = if !fits(&now) {
        Reason::Fires
    } else if seen(now) < most {
        Reason::Misses
    } else if budget == 0.0 && room(now) < ENOUGH {
        Reason::Close
    } else {
        return stays(Reason::Fits);
    };
    let good: Vec<&Outcome> = asked.outcomes.iter().filter(fits).filter(|outcome| seen(outcome) == most).collect();
    let chosen = if budget > 0.0 {
        // The most sensitive one from which on every less sensitive one fits as well.
        let last_bad = asked.outcomes.iter().rposition(|outcome| !fits(&outcome));
        let from = last_bad.map_or(0, |bad| bad + 1);
        asked.outcomes[from..].iter().find(|outcome| seen(outcome) == most).or(good.last().copied())
    } else {
        good.iter().copied().find(|outcome| room(outcome) >= HEADROOM - ROUNDING).or(good.last().copied())
    };
    match chosen.map(|outcome| outcome.threshold) {
        Some(value) if value == today => stays(Reason::Fits),
        // Where everything was 0 nothing says how far above it is far.
        Some(_) if bound(asked) == Some(0.0) && reason != Reason::Misses => {
            Choice { value: None, reason: Reason::NoneFits }
        }
        value => Choice { value, reason },
    }
}

/// How long the baseline was judged, on any entity.
pub(super) fn covered(asked: &Asked) -> Nanos {
    let mut spans = asked.spans.clone();
    spans.sort_unstable();
    let (mut total, mut end) = (0, Nanos::MIN);
    for (from, to) in spans {
        let (from, to) = (from.max(end), to + asked.step);
        total += (to - from).max(0);
        end = end.max(to);
    }
    total
}
