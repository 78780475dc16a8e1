//! Two recordings of one application, evaluated with the same rules: is the new one worse?
//!
//! Worse is a new event, a longer time in violation, or an aggregate that came closer to its threshold or went further beyond
//! it. Aggregates are compared by the value that is exceeded for a twentieth of the time, over all entities: the 95th
//! percentile where a rule looks for high values, the 5th where it looks for low ones. Absent on purpose: presence and trend
//! rules have no aggregate, and `=` and `!=` have no worse side; of these, events and times alone are compared.

use super::case::{Case, CaseResult, Difference, FileLocation, Finding};
use crate::definition::{CompareOp, Condition, EventDefinition};
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
                        let until = track.get(i + 1).map_or(last + step, |next| next.since);
                        let times = ((until - change.since) / step).max(0) as u64;
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
    cases.extend((0..new.definitions.len()).filter_map(|d| Sides { d, old, new, most }.case()));
    let is_evaluated = |verdict: Verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet);
    if !new.report.definitions.iter().any(|report| is_evaluated(report.verdict)) {
        let finding = Finding::new("nothing-judged", "no definition could be evaluated", None);
        cases.push(Case::new("all definitions", None, CaseResult::Inconclusive(vec![finding])));
    }
    cases
}

/// One definition in both recordings.
struct Sides<'a> {
    d: usize,
    old: &'a EvaluatedRecording,
    new: &'a EvaluatedRecording,
    most: f64,
}

impl Sides<'_> {
    fn case(&self) -> Option<Case> {
        let definition = &self.new.definitions[self.d];
        let (then, now) = (self.old.report.definitions.get(self.d)?, self.new.report.definitions.get(self.d)?);
        let place = FileLocation::of_rules(&definition.file, None);
        let name = definition.name.clone();
        match (then.verdict, now.verdict) {
            (Verdict::Disabled, _) | (_, Verdict::Disabled) => None,
            (Verdict::Fired | Verdict::Quiet, Verdict::Inconclusive(reason)) => {
                let message = format!("can no longer be evaluated ({}); in the baseline it could", reason.as_str());
                let finding = Finding::new("not-judged", message, place.clone());
                Some(Case::new(name, place, CaseResult::Inconclusive(vec![finding])))
            }
            (Verdict::Inconclusive(_), Verdict::Inconclusive(reason)) => {
                let name = format!("{name} (not compared: inconclusive in both, {})", reason.as_str());
                Some(Case::new(name, place, CaseResult::Passed))
            }
            (_, Verdict::Fired | Verdict::Quiet) => {
                let mut found = self.new_events();
                found.extend(self.longer());
                found.extend(self.worse());
                Some(Case::of_differences(name, place, found))
            }
        }
    }

    /// A service has more events than it had; instances come and go.
    fn new_events(&self) -> Vec<Difference> {
        let by_service = |of: &EvaluatedRecording| {
            let mut services: BTreeMap<String, Vec<Nanos>> = BTreeMap::new();
            let from = of.report.coverage.from.unwrap_or_default();
            for event in of.report.events.iter().filter(|event| event.definition == self.d) {
                services.entry(service(event)).or_default().push(event.start - from);
            }
            services
        };
        let then = by_service(self.old);
        let more = by_service(self.new).into_iter().filter_map(|(service, starts)| {
            let before = then.get(&service).map_or(0, Vec::len);
            let at: Vec<String> = starts.iter().map(|start| seconds(*start)).collect();
            let on = if service.is_empty() { String::new() } else { format!(" on {service}") };
            let (count, noun) = (starts.len(), if starts.len() == 1 { "event" } else { "events" });
            let was = if before == 0 { "none".to_string() } else { before.to_string() };
            let message = format!("{count} {noun}{on} (opened {} after the start), {was} before", at.join(", "));
            (count > before).then_some(("new-event", message))
        });
        more.collect()
    }

    /// The time in violation, summed over entities, in relation to the length of the recording. One evaluation more
    /// is no regression.
    fn longer(&self) -> Option<Difference> {
        let length = |of: &EvaluatedRecording| match (of.report.coverage.from, of.report.coverage.to) {
            (Some(from), Some(to)) if to > from => (to - from) as f64,
            (_, _) => 1.0,
        };
        let violated = |of: &EvaluatedRecording| {
            let report = &of.report.definitions[self.d];
            report.violating as f64 * report.step as f64
        };
        let (then, now) = (violated(self.old), violated(self.new));
        let scale = length(self.new) / length(self.old);
        let step = self.new.report.definitions[self.d].step as f64;
        if now <= then * scale * (1.0 + self.most) + step {
            return None;
        }
        let scaled = if (scale - 1.0).abs() > 0.05 {
            format!(", {} in a recording of this length", seconds((then * scale) as Nanos))
        } else {
            String::new()
        };
        let message = format!("in violation for {}, {} before{scaled}", seconds(now as Nanos), seconds(then as Nanos));
        Some(("longer-violation", message))
    }

    /// Aggregates that came closer to their threshold, or went further beyond it.
    fn worse(&self) -> Vec<Difference> {
        let rules = &self.new.definitions[self.d].rules;
        let worse = rules.iter().enumerate().filter_map(|(place, rule)| {
            let Condition { operator, value: limit } = rule.threshold()?.condition;
            let then = self.old.aggregates.worst(self.d, place, operator)?;
            let now = self.new.aggregates.worst(self.d, place, operator)?;
            let is_high = matches!(operator, CompareOp::Greater | CompareOp::GreaterOrEqual);
            let by = if is_high { now - then } else { then - now };
            let base = then.abs().max(NOISE * limit.abs());
            if by <= self.most * base || by <= 0.0 {
                return None;
            }
            let (percentile, word) = if is_high { ("p95", "higher") } else { ("p5", "lower") };
            let (now, then) = (rounded(now), rounded(then));
            let share = match (now - then).abs() / then.abs() * 100.0 {
                _ if then == 0.0 => word.to_string(),
                share @ ..1000.0 => format!("{share:.1}% {word}"),
                share => format!("{share:.0}% {word}"),
            };
            let of = if rules.len() > 1 { format!(" of rules[{place}]") } else { String::new() };
            let message = format!("{percentile}{of} is {now}, {share} than {then} (threshold {limit})");
            Some(("worse-aggregate", message))
        });
        worse.collect()
    }
}

/// The label of an event's entity without the instance: `shop` of `shop (i-1)`.
fn service(event: &Event) -> String {
    let label = event.entity.as_ref().map_or("", |entity| entity.label.as_str());
    label.split(" (").next().unwrap_or_default().to_string()
}

/// Four digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Whole seconds.
fn seconds(time: Nanos) -> String {
    span(time / SECOND * SECOND)
}
