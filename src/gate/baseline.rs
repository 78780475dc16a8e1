//! Two recordings of one application, evaluated with the same rules: is the new one worse?
//!
//! Worse is a new event, a longer time in violation, or an aggregate that came closer to its threshold or went further beyond
//! it. Aggregates are compared by the value that is exceeded for a twentieth of the time, over all entities: the 95th
//! percentile where a rule looks for high values, the 5th where it looks for low ones. Absent on purpose: presence and trend
//! rules have no aggregate, and `=` and `!=` have no worse side; of these, events and times alone are compared.

use super::case::{Case, CaseResult, FileLocation, Finding};
use crate::definition::{CompareOp, EventDefinition};
use crate::engine::{
    Engine, EvaluationReport, EvaluationTrace, Event, Input, Inputs, Options, TraceLimits, TraceSpan, Verdict,
};
use crate::model::{Nanos, SECOND, Sketch};
use crate::scenario::span;
use std::collections::BTreeMap;

/// The part of the time that the compared value is exceeded.
const EXCEEDED: f64 = 0.05;
/// A smaller part of a threshold is noise: an aggregate near zero is not twice as bad when it is twice as high.
const NOISE: f64 = 0.01;
/// Memory that a trace may take. Beyond it, the entities that came last are left out.
const MOST_BYTES: u64 = 512 << 20;

/// Recordings, or what was received, evaluated.
#[derive(Clone, Debug)]
pub struct EvaluatedRecording {
    pub definitions: Vec<EventDefinition>,
    pub report: EvaluationReport,
    /// The values that decided, when they were wanted.
    pub aggregates: Aggregates,
    /// What could not be read, one sentence each, when that matters.
    pub damage: Vec<String>,
    /// The names of the recordings.
    pub name: String,
}

impl EvaluatedRecording {
    /// Why a comparison would prove nothing, if it would.
    pub fn proves_nothing(&self) -> Option<Case> {
        let place = Some(FileLocation::file(&self.name));
        let finding = |code, message: String| Finding::new(code, message, place.clone());
        let findings: Vec<Finding> = if self.has_points() {
            self.damage.iter().map(|sentence| finding("damaged-recording", sentence.clone())).collect()
        } else {
            let message = format!("{} contains no data points: nothing was evaluated", self.name);
            vec![finding("empty-recording", message)]
        };
        let result = CaseResult::Inconclusive(findings.clone());
        (!findings.is_empty()).then(|| Case::new(&self.name, place, result))
    }

    /// Whether there is a data point in it.
    pub fn has_points(&self) -> bool {
        self.report.counts.points > 0
    }
}

/// Inputs of which a second engine keeps the values that decide each rule, so that any input can be compared with a baseline.
pub struct TracedInputs<I> {
    inputs: I,
    engine: Option<Engine>,
}

impl<I: Inputs> TracedInputs<I> {
    /// Traces them when `is_wanted`.
    pub fn new(inputs: I, is_wanted: bool, definitions: &[EventDefinition], options: &Options) -> Self {
        let watching = TraceLimits { first_entity: 0, most_bytes: MOST_BYTES };
        let engine = is_wanted.then(|| Engine::tracing(definitions.to_vec(), options.clone(), watching));
        TracedInputs { inputs, engine }
    }

    /// The inputs, and the values that decided.
    pub fn finish(self) -> (I, Aggregates) {
        let aggregates = self.engine.map(|mut engine| {
            engine.finish(&mut |_| {});
            let definitions = engine.definitions().to_vec();
            Aggregates::of(&definitions, &engine.trace())
        });
        (self.inputs, aggregates.unwrap_or_default())
    }
}

impl<I: Inputs> Inputs for TracedInputs<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        if let Some(engine) = &mut self.engine {
            engine.step(input, &mut |_| {});
        }
        Some(input)
    }
}

/// The values that the rules of every definition had, and for how long.
#[derive(Clone, Debug, Default)]
pub struct Aggregates {
    rules: Vec<Vec<Sketch<14>>>,
    /// There were too many entities to trace them all.
    pub left_out: bool,
}

impl Aggregates {
    fn of(definitions: &[EventDefinition], observed: &EvaluationTrace) -> Aggregates {
        let sketches = |definition: &EventDefinition| vec![Sketch::default(); definition.rules.len()];
        let mut rules: Vec<Vec<Sketch<14>>> = definitions.iter().map(sketches).collect();
        for (d, of_definition) in rules.iter_mut().enumerate() {
            let Some(TraceSpan { last, step, .. }) = observed.spans.get(d).copied().flatten() else { continue };
            for (rule, sketch) in of_definition.iter_mut().enumerate() {
                for entity in 0..observed.entities.len() {
                    let track = observed.track(entity, d, rule);
                    for (i, change) in track.iter().enumerate() {
                        let until = track.get(i + 1).map_or(last + step, |next| next.at);
                        let times = ((until - change.at) / step).max(0) as u64;
                        if change.value.is_finite() && times > 0 {
                            sketch.add(change.value, times);
                        }
                    }
                }
            }
        }
        Aggregates { rules, left_out: observed.next.is_some() }
    }

    fn worst(&self, definition: usize, rule: usize, operator: CompareOp) -> Option<f64> {
        let sketch = self.rules.get(definition)?.get(rule)?;
        let part = match operator {
            CompareOp::Greater | CompareOp::GreaterOrEqual => 1.0 - EXCEEDED,
            CompareOp::Less | CompareOp::LessOrEqual => EXCEEDED,
            CompareOp::Equal | CompareOp::NotEqual => return None,
        };
        sketch.at_rank((part * sketch.total().checked_sub(1)? as f64).round() as u64 + 1)
    }
}

/// What is worse in a recording than in an older one: a case for every definition, and for what proves nothing. `most` is how
/// much worse an aggregate or a time may be, relatively.
pub fn compare(old: &EvaluatedRecording, new: &EvaluatedRecording, most: f64) -> Vec<Case> {
    let mut cases: Vec<Case> = [old, new].into_iter().filter_map(EvaluatedRecording::proves_nothing).collect();
    if !old.has_points() || !new.has_points() {
        return cases;
    }
    cases.extend((0..new.definitions.len()).filter_map(|d| case(d, old, new, most)));
    let is_evaluated = |verdict: Verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet);
    if !new.report.definitions.iter().any(|report| is_evaluated(report.verdict)) {
        let finding = Finding::new("nothing-judged", "no definition could be evaluated", None);
        cases.push(Case::new("all definitions", None, CaseResult::Inconclusive(vec![finding])));
    }
    cases
}

fn case(d: usize, old: &EvaluatedRecording, new: &EvaluatedRecording, most: f64) -> Option<Case> {
    let definition = &new.definitions[d];
    let (then, now) = (old.report.definitions.get(d)?, new.report.definitions.get(d)?);
    let place = FileLocation::of_rules(&definition.file, None);
    let mut name = definition.name.clone();
    let result = match (then.verdict, now.verdict) {
        (Verdict::Disabled, _) | (_, Verdict::Disabled) => return None,
        (Verdict::Fired | Verdict::Quiet, Verdict::Inconclusive(reason)) => {
            let message = format!("can no longer be evaluated ({}); in the baseline it could", reason.as_str());
            CaseResult::Inconclusive(vec![Finding::new("not-judged", message, place.clone())])
        }
        (Verdict::Inconclusive(_), Verdict::Inconclusive(reason)) => {
            name = format!("{name} (not compared: inconclusive in both, {})", reason.as_str());
            CaseResult::Passed
        }
        (_, Verdict::Fired | Verdict::Quiet) => {
            let mut found = Vec::new();
            new_events(d, &old.report, &new.report, &mut found);
            longer(d, &old.report, &new.report, most, &mut found);
            worse(definition, d, &old.aggregates, &new.aggregates, most, &mut found);
            CaseResult::of(
                found.into_iter().map(|(code, message)| Finding::new(code, message, place.clone())).collect(),
            )
        }
    };
    Some(Case::new(name, place, result))
}

/// A service has more events than it had; instances come and go.
fn new_events(d: usize, old: &EvaluationReport, new: &EvaluationReport, found: &mut Vec<(&'static str, String)>) {
    let by_service = |report: &EvaluationReport| {
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
        let at: Vec<String> = starts.iter().map(|start| seconds(*start)).collect();
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

/// The time in violation, summed over entities, in relation to the length of the recording. One evaluation more
/// is no regression.
fn longer(
    d: usize,
    old: &EvaluationReport,
    new: &EvaluationReport,
    most: f64,
    found: &mut Vec<(&'static str, String)>,
) {
    let length = |report: &EvaluationReport| match (report.coverage.from, report.coverage.to) {
        (Some(from), Some(to)) if to > from => (to - from) as f64,
        (_, _) => 1.0,
    };
    let violated =
        |report: &EvaluationReport| report.definitions[d].violating as f64 * report.definitions[d].step as f64;
    let (then, now) = (violated(old), violated(new));
    let scale = length(new) / length(old);
    let step = new.definitions[d].step as f64;
    if now > then * scale * (1.0 + most) + step {
        let scaled = if (scale - 1.0).abs() > 0.05 {
            format!(", {} in a recording of this length", seconds((then * scale) as Nanos))
        } else {
            String::new()
        };
        let message = format!("in violation for {}, {} before{scaled}", seconds(now as Nanos), seconds(then as Nanos));
        found.push(("longer-violation", message));
    }
}

fn worse(
    definition: &EventDefinition,
    d: usize,
    old: &Aggregates,
    new: &Aggregates,
    most: f64,
    found: &mut Vec<(&'static str, String)>,
) {
    for (place, rule) in definition.rules.iter().enumerate() {
        let Some(threshold) = rule.threshold() else { continue };
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

/// Whole seconds.
fn seconds(time: Nanos) -> String {
    span(time / SECOND * SECOND)
}
