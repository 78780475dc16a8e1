//! Two recordings of one application, judged with the same rules: is the new one worse?
//!
//! Worse is an event that was not there, a longer time in violation, or an aggregate that came nearer to its threshold or
//! beyond it. Aggregates are compared by the value that is exceeded for a twentieth of the time, over all entities: the 95th
//! percentile where a rule looks for high values, the 5th where it looks for low ones. Absent on purpose: rules about presence
//! and trends have no aggregate, and `=` and `!=` have no worse side; of these events and times alone are compared.

use super::case::{Case, CaseResult, Finding, Place};
use crate::definition::{CompareOp, EventDefinition, RuleKind};
use crate::engine::{Event, Observations, Report, Verdict};
use crate::model::Nanos;
use std::collections::BTreeMap;
use std::time::Duration;

/// The part of the time that the compared value is exceeded.
const EXCEEDED: f64 = 0.05;
/// A smaller part of a threshold is noise: an aggregate near zero is not twice as bad when it is twice as high.
const NOISE: f64 = 0.01;

/// A recording, judged.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What came out.
    pub report: &'a Report,
    /// The values its rules had.
    pub aggregates: &'a Aggregates,
}

/// The values that the rules of every definition had, and for how long.
#[derive(Clone, Debug, Default)]
pub struct Aggregates {
    rules: Vec<Vec<Values>>,
    /// Entities that were too many to be watched.
    pub left_out: bool,
}

/// Values by how often they were there. They are kept to four digits, so that their number is bounded.
#[derive(Clone, Debug, Default)]
struct Values(BTreeMap<u64, u64>);

impl Aggregates {
    /// What was observed.
    pub fn of(definitions: &[EventDefinition], observed: &Observations) -> Aggregates {
        let mut rules: Vec<Vec<Values>> =
            definitions.iter().map(|definition| vec![Values::default(); definition.rules.len()]).collect();
        for (d, of_definition) in rules.iter_mut().enumerate() {
            let Some((_, last, step)) = observed.grids.get(d).copied().flatten() else { continue };
            for (rule, values) in of_definition.iter_mut().enumerate() {
                for entity in 0..observed.entities.len() {
                    let track = observed.track(entity, d, rule);
                    for (i, said) in track.iter().enumerate() {
                        let until = track.get(i + 1).map_or(last + step, |next| next.at);
                        values.add(said.value, ((until - said.at) / step).max(0) as u64);
                    }
                }
            }
        }
        Aggregates { rules, left_out: observed.next.is_some() }
    }

    fn worst(&self, definition: usize, rule: usize, operator: CompareOp) -> Option<f64> {
        let values = self.rules.get(definition)?.get(rule)?;
        match operator {
            CompareOp::Greater | CompareOp::GreaterOrEqual => values.quantile(1.0 - EXCEEDED),
            CompareOp::Less | CompareOp::LessOrEqual => values.quantile(EXCEEDED),
            CompareOp::Equal | CompareOp::NotEqual => None,
        }
    }
}

impl Values {
    /// Bits of a number that are not kept: fourteen of the fraction's 52 are.
    const DROPPED: u32 = 38;
    const SIGN: u64 = 1 << 63;

    fn add(&mut self, value: f64, times: u64) {
        if value.is_finite() && times > 0 {
            let bits = value.to_bits();
            // In the order of the numbers.
            let key = if bits & Self::SIGN == 0 { bits | Self::SIGN } else { !bits };
            *self.0.entry(key >> Self::DROPPED).or_default() += times;
        }
    }

    fn quantile(&self, q: f64) -> Option<f64> {
        let all: u64 = self.0.values().sum();
        let rank = (q * all.checked_sub(1)? as f64).round() as u64;
        let mut before = 0;
        let (key, _) = self.0.iter().find(|(_, times)| {
            before += **times;
            before > rank
        })?;
        let key = key << Self::DROPPED;
        Some(f64::from_bits(if key & Self::SIGN == 0 { !key & !((1 << Self::DROPPED) - 1) } else { key & !Self::SIGN }))
    }
}

/// A case for every definition. `most` is how much worse an aggregate or a time may be, relatively.
pub fn compare(definitions: &[EventDefinition], old: Side<'_>, new: Side<'_>, most: f64) -> Vec<Case> {
    let cases = (0..definitions.len()).filter_map(|d| case(&definitions[d], d, old, new, most));
    let mut cases: Vec<Case> = cases.collect();
    let is_judged = |verdict: Verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet);
    if !new.report.definitions.iter().any(|report| is_judged(report.verdict)) {
        let finding = Finding {
            code: "nothing-judged",
            message: "no definition could be evaluated".into(),
            details: String::new(),
            place: None,
        };
        let result = CaseResult::Inconclusive(vec![finding]);
        cases.push(Case { name: "all definitions".into(), place: None, seconds: None, result });
    }
    cases
}

fn case(definition: &EventDefinition, d: usize, old: Side<'_>, new: Side<'_>, most: f64) -> Option<Case> {
    let (then, now) = (old.report.definitions.get(d)?, new.report.definitions.get(d)?);
    let place = Place::of_rules(&definition.file, None);
    let finding = |code, message| Finding { code, message, details: String::new(), place: place.clone() };
    let mut name = definition.name.clone();
    let result = match (then.verdict, now.verdict) {
        (Verdict::Disabled, _) | (_, Verdict::Disabled) => return None,
        (Verdict::Fired | Verdict::Quiet, Verdict::Inconclusive(reason)) => {
            let message = format!("can no longer be evaluated ({}); in the baseline it could", reason.as_str());
            CaseResult::Inconclusive(vec![finding("not-judged", message)])
        }
        (Verdict::Inconclusive(_), Verdict::Inconclusive(reason)) => {
            name = format!("{name} (not compared: inconclusive in both, {})", reason.as_str());
            CaseResult::Passed
        }
        (_, Verdict::Fired | Verdict::Quiet) => {
            let mut found = Vec::new();
            new_events(d, old.report, new.report, &mut found);
            longer(d, old.report, new.report, most, &mut found);
            worse(definition, d, old.aggregates, new.aggregates, most, &mut found);
            let found: Vec<Finding> = found.into_iter().map(|(code, message)| finding(code, message)).collect();
            if found.is_empty() { CaseResult::Passed } else { CaseResult::Failed(found) }
        }
    };
    Some(Case { name, place, seconds: None, result })
}

type Found = Vec<(&'static str, String)>;

/// A service has more events than it had; instances come and go.
fn new_events(d: usize, old: &Report, new: &Report, found: &mut Found) {
    let by_service = |report: &Report| {
        let mut services: BTreeMap<String, Vec<Nanos>> = BTreeMap::new();
        let from = report.coverage.from.unwrap_or_default();
        for event in report.events.iter().filter(|event| event.definition == d) {
            services.entry(service(event)).or_default().push(event.start - from);
        }
        services
    };
    let then = by_service(old);
    for (service, starts) in by_service(new) {
        let before = then.get(&service).map_or(0, Vec::len);
        if starts.len() <= before {
            continue;
        }
        let at: Vec<String> = starts.iter().map(|start| span(*start)).collect();
        let on = if service.is_empty() { String::new() } else { format!(" on {service}") };
        let (count, noun) = (starts.len(), if starts.len() == 1 { "event" } else { "events" });
        let was = match before {
            0 => "none before".to_string(),
            n => format!("{n} before"),
        };
        found.push(("new-event", format!("{count} {noun}{on} (opened {} after the start), {was}", at.join(", "))));
    }
}

/// The label of an event's entity without the instance: `shop` of `shop (i-1)`.
fn service(event: &Event) -> String {
    let label = event.entity.as_ref().map_or("", |entity| entity.label.as_str());
    label.split(" (").next().unwrap_or_default().to_string()
}

/// The time in violation, summed over entities, in relation to the length of the recording. One instant of the grid decides
/// nothing.
fn longer(d: usize, old: &Report, new: &Report, most: f64, found: &mut Found) {
    let length = |report: &Report| match (report.coverage.from, report.coverage.to) {
        (Some(from), Some(to)) if to > from => (to - from) as f64,
        (_, _) => 1.0,
    };
    let violated = |report: &Report| report.definitions[d].violating as f64 * report.definitions[d].step as f64;
    let (then, now) = (violated(old), violated(new));
    let scale = length(new) / length(old);
    let step = new.definitions[d].step as f64;
    if now > then * scale * (1.0 + most) + step {
        let scaled = if (scale - 1.0).abs() > 0.05 {
            format!(", {} in a recording of this length", span((then * scale) as Nanos))
        } else {
            String::new()
        };
        let message = format!("in violation for {}, {} before{scaled}", span(now as Nanos), span(then as Nanos));
        found.push(("longer-violation", message));
    }
}

fn worse(definition: &EventDefinition, d: usize, old: &Aggregates, new: &Aggregates, most: f64, found: &mut Found) {
    for (place, rule) in definition.rules.iter().enumerate() {
        let RuleKind::Threshold(threshold) = &rule.kind else { continue };
        let operator = threshold.condition.operator;
        let (Some(then), Some(now)) = (old.worst(d, place, operator), new.worst(d, place, operator)) else { continue };
        let is_high = matches!(operator, CompareOp::Greater | CompareOp::GreaterOrEqual);
        let by = if is_high { now - then } else { then - now };
        let base = then.abs().max(NOISE * threshold.condition.value.abs());
        if by > most * base && by > 0.0 {
            let (percentile, word) = if is_high { ("p95", "higher") } else { ("p5", "lower") };
            let (now, then) = (rounded(now), rounded(then));
            let share = (now - then).abs() / then.abs() * 100.0;
            let share = match share {
                _ if then == 0.0 => word.to_string(),
                ..1000.0 => format!("{share:.1}% {word}"),
                _ => format!("{share:.0}% {word}"),
            };
            let of = if definition.rules.len() > 1 { format!(" of rules[{place}]") } else { String::new() };
            let limit = threshold.condition.value;
            let message = format!("{percentile}{of} is {now}, {share} than {then} (threshold {limit})");
            found.push(("worse-aggregate", message));
        }
    }
}

/// Four digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn span(span: Nanos) -> String {
    let whole = Duration::from_secs(span.unsigned_abs() / 1_000_000_000);
    humantime::format_duration(whole).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::Values;

    #[test]
    fn quantiles_are_those_of_the_values_to_four_digits() {
        let mut values = Values::default();
        assert_eq!(values.quantile(0.5), None);
        for n in -50..=50 {
            values.add(f64::from(n) * 1.1, 1);
        }
        for (q, wanted) in [(0.0, -55.0), (0.05, -49.5), (0.5, 0.0), (0.95, 49.5), (1.0, 55.0)] {
            let got = values.quantile(q).expect("a value");
            assert!((got - wanted).abs() <= wanted.abs() * 1e-4, "{q}: {got} is not {wanted}");
        }
        values.add(1e9, 899);
        values.add(f64::NAN, 9999);
        let got = values.quantile(0.2).expect("a value");
        assert!((got - 1e9).abs() < 1e5, "{got}");
    }
}
