//! Running a scenario: its points become bodies, the bodies go through the decoder into the engine, and what the engine
//! says is compared with what was expected.
//!
//! All points of one instant and resource arrive in one body, in the order of the text. Absent on purpose: files and
//! threads (the caller reads rules, and may run scenarios side by side: they share nothing).

use super::case::{Case, CaseResult, Finding, Place};
use super::compare::{self, Failure};
use crate::definition::{self, EventDefinition, Position, Problem, Severity};
use crate::engine::{Engine, Input, Inputs, Report};
use crate::model::{
    Attributes, Buckets, ExponentialBuckets, Export, Histogram, MS, MetricIdentity, Nanos, SECOND, Temporality,
};
use crate::otlp::{self, DataPoint, DataValue, MetricPoints};
use crate::scenario::{Arrival, Key, Node, RunKind, Sample, Scenario, Series, Shape};
use bytes::Bytes;
use std::collections::HashMap;

/// What became of one scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// Its file, as the caller named it.
    pub file: String,
    /// Where it begins.
    pub position: Position,
    /// What was not as expected, in the order of the text; empty when it passed.
    pub failures: Vec<Failure>,
    /// Why it proves nothing, when it does not: nothing went in, or it was not what it should be.
    pub inconclusive: Option<Failure>,
    /// The definitions it ran with.
    pub definitions: Vec<EventDefinition>,
    /// How many of them come from rules; the scenario's own are behind them.
    pub from_rules: usize,
    /// What the engine said.
    pub report: Report,
}

/// Finds rules by the name a scenario gives: the definitions, or the problems that keep them from being read.
pub type RuleSource<'a> = &'a dyn Fn(&str) -> Result<Vec<EventDefinition>, Vec<Problem>>;

/// Runs every scenario of a text. Scenarios with problems do not run, and there are no recordings.
pub fn run_all(file: &str, text: &str, rules: RuleSource<'_>) -> (Vec<Outcome>, Vec<Problem>) {
    let (scenarios, mut problems) = crate::scenario::parse(file, text);
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        match run(&scenario, rules) {
            Ok(outcome) => outcomes.push(outcome),
            Err(more) => problems.extend(more),
        }
    }
    (outcomes, problems)
}

/// Runs one scenario that needs no recordings.
pub fn run(scenario: &Scenario, rules: RuleSource<'_>) -> Result<Outcome, Vec<Problem>> {
    if let Some((name, at)) = scenario.recordings.first() {
        let message = format!("the recording {name} cannot be read here");
        return Err(vec![problem(scenario, *at, "unreadable-recording", "recordings", message)]);
    }
    Ok(prepare(scenario.clone(), rules)?.run(None))
}

/// A scenario with its definitions: ready to run, as often as wanted.
#[derive(Clone, Debug)]
pub struct Prepared {
    scenario: Scenario,
    definitions: Vec<EventDefinition>,
    /// How many of the definitions come from rules; the scenario's own are behind them.
    from_rules: usize,
}

/// Finds the definitions of a scenario, and whether everything it expects is about one of them.
pub fn prepare(scenario: Scenario, rules: RuleSource<'_>) -> Result<Prepared, Vec<Problem>> {
    let (definitions, from_rules) = definitions(&scenario, rules)?;
    let unknown = compare::unknown_names(&scenario, &definitions);
    if unknown.is_empty() { Ok(Prepared { scenario, definitions, from_rules }) } else { Err(unknown) }
}

impl Outcome {
    /// The outcome as reports tell it.
    pub fn case(&self, seconds: Option<f64>) -> Case {
        let place = |position| Some(Place { file: self.file.clone(), position: Some(position) });
        let finding = |failure: &Failure| Finding {
            code: failure.code,
            message: failure.message.clone(),
            details: String::new(),
            place: place(failure.position),
        };
        let result = match &self.inconclusive {
            Some(why) if self.failures.is_empty() => CaseResult::Inconclusive(vec![finding(why)]),
            Some(_) | None if self.failures.is_empty() => CaseResult::Passed,
            Some(_) | None => CaseResult::Failed(self.failures.iter().map(finding).collect()),
        };
        Case { name: self.scenario.clone(), place: place(self.position), seconds, result }
    }
}

impl Prepared {
    /// What was read.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The definitions that come from rules, not from the scenario itself.
    pub fn rules(&self) -> &[EventDefinition] {
        self.definitions.get(..self.from_rules).unwrap_or_default()
    }

    /// What is not as expected of one definition of its rules, in the form given here, judged without the others.
    pub(super) fn judge_alone(&self, definition: &EventDefinition, recording: Option<&mut dyn Inputs>) -> Vec<Failure> {
        let mut scenario = self.scenario.clone();
        scenario.events.retain(|event| event.definition == definition.name);
        scenario.verdicts.retain(|verdict| verdict.definition == definition.name);
        scenario.dropped = None;
        judge(&scenario, vec![definition.clone()], recording).failures
    }

    /// Whether something is expected of a definition.
    pub fn speaks_of(&self, definition: &str) -> bool {
        self.scenario.events.iter().any(|event| event.definition == definition)
            || self.scenario.verdicts.iter().any(|verdict| verdict.definition == definition)
    }

    /// Runs it. `recording` is what the recordings it names hold, in order.
    pub fn run(&self, recording: Option<&mut dyn Inputs>) -> Outcome {
        let outcome = judge(&self.scenario, self.definitions.clone(), recording);
        Outcome { from_rules: self.from_rules, ..outcome }
    }
}

fn judge(scenario: &Scenario, definitions: Vec<EventDefinition>, mut recording: Option<&mut dyn Inputs>) -> Outcome {
    let mut engine = Engine::new(definitions, scenario.options.clone());
    let mut found = None;
    if scenario.starts_with_recordings
        && let Some(recording) = recording.as_deref_mut()
    {
        // What comes before the first instant has none and moves nothing.
        while let Some(input) = recording.next() {
            engine.step(input, &mut |_| {});
            if let Some(at) = input.at {
                found = Some(Scenario { start: at - at.rem_euclid(SECOND), ..scenario.clone() });
                break;
            }
        }
    }
    let scenario = found.as_ref().unwrap_or(scenario);
    let mut failures = Vec::new();
    take_in(scenario, &mut engine, recording, &mut failures);
    let report = engine.report();
    failures.extend(compare::failures(scenario, engine.definitions(), &report));
    let inconclusive = proves_nothing(scenario, &report);
    if inconclusive.is_some() {
        failures.clear();
    }
    Outcome {
        scenario: scenario.name.clone(),
        file: scenario.file.clone(),
        position: scenario.position,
        failures,
        inconclusive,
        definitions: engine.definitions().to_vec(),
        from_rules: 0,
        report,
    }
}

/// Merges what the text says with what the recordings hold, by arrival; of the same instant the recordings come first.
fn take_in(
    scenario: &Scenario,
    engine: &mut Engine,
    mut recording: Option<&mut dyn Inputs>,
    failures: &mut Vec<Failure>,
) {
    let mut export = Export::default();
    let mut told = bodies(scenario).into_iter().peekable();
    let mut tell = |engine: &mut Engine, at: Nanos, body: Vec<u8>| match otlp::decode(
        otlp::Encoding::Protobuf,
        Bytes::from(body),
        &mut export,
    ) {
        Ok(()) => engine.step(Input { at: Some(at), export: Some(&export) }, &mut |_| {}),
        Err(error) => {
            let message = format!("the points at {} cannot be decoded: {error}", compare::since(scenario, at));
            failures.push(Failure { position: scenario.position, message, code: "undecodable" });
        }
    };
    while let Some(input) = recording.as_deref_mut().and_then(|recording| recording.next()) {
        while let Some((at, body)) = told.next_if(|(at, _)| input.at.is_some_and(|next| *at < next)) {
            tell(engine, at, body);
        }
        engine.step(input, &mut |_| {});
    }
    for (at, body) in told {
        tell(engine, at, body);
    }
    if let Some(until) = scenario.until {
        engine.step(Input { at: Some(scenario.start + until), export: None }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
}

/// Silence is no pass: recordings must hold something, and without any point only a verdict that is asked for says anything.
fn proves_nothing(scenario: &Scenario, report: &Report) -> Option<Failure> {
    let said = |code, message: &str| Some(Failure { position: scenario.position, message: message.to_string(), code });
    if report.counts.points > 0 {
        return None;
    }
    if !scenario.recordings.is_empty() {
        return said("empty-recording", "the recording contains no data points: nothing was evaluated");
    }
    if scenario.events.is_empty() && scenario.verdicts.is_empty() {
        return said("expects-nothing", "no data points and no expected verdict: the scenario asserts nothing");
    }
    None
}

/// The definitions of a scenario: the named rules first, then its own; and how many are of the former.
fn definitions(scenario: &Scenario, rules: RuleSource<'_>) -> Result<(Vec<EventDefinition>, usize), Vec<Problem>> {
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for (name, at) in &scenario.rules {
        match rules(name) {
            Ok(found) => all.extend(found),
            // Rules that cannot be had are a mistake of the scenario; others have places of their own.
            Err(found) => problems.extend(found.into_iter().map(|problem| match problem.file == scenario.file {
                true => Problem { position: Some(*at), ..problem },
                false => problem,
            })),
        }
    }
    let from_rules = all.len();
    for (key, node) in &scenario.definitions {
        let (found, said) = inline_definition(scenario, key, node);
        // JSON that is no custom event gives no definition and a mere warning; here it is a mistake.
        let is_definition = !found.is_empty();
        all.extend(found);
        problems.extend(said.into_iter().filter(|one| one.severity == Severity::Error || !is_definition));
    }
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = all.iter().find(|definition| !names.insert(definition.name.as_str())) {
        let message = format!("two definitions are called `{}`", twice.name);
        problems.push(problem(scenario, scenario.position, "duplicate-definition", "definitions", message));
    }
    if problems.is_empty() { Ok((all, from_rules)) } else { Err(problems) }
}

/// A definition written in the scenario. Its key is its name; `name` and `entityType` may be left out.
fn inline_definition(scenario: &Scenario, key: &Key, node: &Node) -> (Vec<EventDefinition>, Vec<Problem>) {
    let mut json = node.to_json();
    if let Some(object) = json.as_object_mut() {
        object.entry("name").or_insert_with(|| key.name.as_str().into());
        object.entry("entityType").or_insert_with(|| "openTelemetry".into());
    }
    let (definitions, mut problems) = definition::parse(&format!("{}.json", key.name), &json.to_string());
    for problem in &mut problems {
        problem.position = Some(node.nearest(&problem.path).at);
        problem.path = format!("definitions.{}.{}", key.name, problem.path);
        problem.file = scenario.file.clone();
    }
    (definitions, problems)
}

pub(super) fn problem(scenario: &Scenario, at: Position, code: &'static str, path: &str, message: String) -> Problem {
    Problem {
        severity: Severity::Error,
        code,
        file: scenario.file.clone(),
        position: Some(at),
        path: path.to_string(),
        message,
        help: None,
    }
}

/// A point and where it goes: ordered by arrival, resource, metric, then by the text.
struct Placed<'a> {
    at: Nanos,
    resource: usize,
    metric: usize,
    series: &'a Series,
    time: Nanos,
    start: Nanos,
    value: PlacedValue,
}

enum PlacedValue {
    Stale,
    Number(f64),
    Histogram(Sample),
}

/// The bodies of a scenario with the instants they arrive at, in order.
fn bodies(scenario: &Scenario) -> Vec<(Nanos, Vec<u8>)> {
    let mut resources: Numbered<&Attributes> = Numbered::new();
    let mut metrics: Numbered<&MetricIdentity> = Numbered::new();
    let mut placed = Vec::new();
    for series in &scenario.series {
        let (resource, metric) = (resources.number(&series.resource), metrics.number(&series.metric));
        place(scenario.start, series, resource, metric, &mut placed);
    }
    placed.sort_by_key(|point| (point.at, point.resource, point.metric));
    placed
        .chunk_by(|a, b| (a.at, a.resource) == (b.at, b.resource))
        .map(|arrival| {
            let by_metric = arrival.chunk_by(|a, b| a.metric == b.metric);
            let metrics: Vec<_> = by_metric
                .map(|points| MetricPoints {
                    identity: &points[0].series.metric,
                    points: points.iter().map(point).collect(),
                })
                .collect();
            (arrival[0].at, otlp::encode(&arrival[0].series.resource, &metrics))
        })
        .collect()
}

fn point<'a>(placed: &'a Placed<'a>) -> DataPoint<'a> {
    let value = match (&placed.value, &placed.series.shape) {
        (PlacedValue::Number(value), _) => DataValue::Number(*value),
        (PlacedValue::Histogram(sample), Some(shape)) => DataValue::Histogram(histogram(sample, shape)),
        (PlacedValue::Stale | PlacedValue::Histogram(_), _) => DataValue::NotRecorded,
    };
    DataPoint { attributes: &placed.series.attributes, time: placed.time, start: placed.start, value }
}

fn histogram(sample: &Sample, shape: &Shape) -> Histogram {
    let counts = sample.counts.clone();
    let buckets = match shape {
        Shape::Explicit { bounds } => Buckets::Explicit { bounds: bounds.clone(), counts },
        Shape::Exponential { scale, offset } => Buckets::Exponential {
            scale: *scale,
            zero_count: sample.zero,
            positive: ExponentialBuckets { offset: *offset, counts },
            negative: ExponentialBuckets::default(),
        },
    };
    Histogram { count: sample.total(), sum: sample.sum, min: sample.min, max: sample.max, buckets }
}

/// Numbers things in the order they are first seen.
struct Numbered<T>(HashMap<T, usize>);

impl<T: std::hash::Hash + Eq> Numbered<T> {
    fn new() -> Self {
        Numbered(HashMap::new())
    }

    fn number(&mut self, thing: T) -> usize {
        let next = self.0.len();
        *self.0.entry(thing).or_insert(next)
    }
}

/// The points of one series.
///
/// A series that begins, or begins anew, starts one millisecond before its next point, as clients do that first see a
/// counter when they export it. A later delta point starts at the slot before it, so that a gap is a lost export.
fn place<'a>(begin: Nanos, series: &'a Series, resource: usize, metric: usize, placed: &mut Vec<Placed<'a>>) {
    let mut time = begin + series.starts;
    let mut start = time - MS;
    let mut fresh = true;
    for run in &series.runs {
        for n in 0..run.slots {
            let value = match &run.kind {
                RunKind::Gap | RunKind::Restart => None,
                RunKind::Stale => Some(PlacedValue::Stale),
                RunKind::Numbers { first, step, terms } => {
                    let more: f64 = terms.iter().map(|term| term.at(n, series.interval)).sum();
                    Some(PlacedValue::Number(first + step * n as f64 + more))
                }
                RunKind::Histograms { first, step: Some(step) } => Some(PlacedValue::Histogram(first.plus(step, n))),
                RunKind::Histograms { first, step: None } => Some(PlacedValue::Histogram(first.clone())),
            };
            if fresh && value.is_some() {
                start = time - MS;
            } else if series.metric.temporality == Temporality::Delta {
                start = time - series.interval;
            }
            if let Some(value) = value {
                fresh = false;
                let at = match series.arrival {
                    Arrival::Late(by) => time + by,
                    Arrival::At(at) => begin + at,
                };
                let start = if series.metric.kind == crate::model::Kind::Gauge { 0 } else { start };
                placed.push(Placed { at, resource, metric, series, time, start, value });
            }
            time += series.interval;
        }
        fresh |= run.kind == RunKind::Restart;
    }
}
