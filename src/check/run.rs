//! Running a scenario: its points become bodies, the bodies go through the decoder into the engine, and what the engine
//! says is compared with what was expected.
//!
//! All points of one instant and resource arrive in one body, in the order of the text. Absent on purpose: files and
//! threads (the caller reads rules, and may run scenarios side by side: they share nothing).

use super::compare::{self, Failure};
use super::encode::{self, Point, PointValue};
use super::scenario::{Arrival, Scenario, Series};
use super::tree::{Key, Node};
use super::values::{RunKind, Sample};
use crate::engine::{Engine, Input, Report};
use crate::event::{self, EventDefinition, Position, Problem, Severity};
use crate::model::{Attributes, Batch, MS, MetricIdentity, Nanos, Temporality};
use crate::otlp;
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
    /// The definitions it ran with.
    pub definitions: Vec<EventDefinition>,
    /// What the engine said.
    pub report: Report,
}

/// Finds rules by the name a scenario gives: the definitions, or the problems that keep them from being read.
pub type RuleSource<'a> = &'a dyn Fn(&str) -> Result<Vec<EventDefinition>, Vec<Problem>>;

/// Runs every scenario of a text. Scenarios with problems do not run.
pub fn run_all(file: &str, text: &str, rules: RuleSource<'_>) -> (Vec<Outcome>, Vec<Problem>) {
    let (scenarios, mut problems) = super::parse(file, text);
    let mut outcomes = Vec::new();
    for scenario in &scenarios {
        match run(scenario, rules) {
            Ok(outcome) => outcomes.push(outcome),
            Err(more) => problems.extend(more),
        }
    }
    (outcomes, problems)
}

/// Runs one scenario.
pub fn run(scenario: &Scenario, rules: RuleSource<'_>) -> Result<Outcome, Vec<Problem>> {
    let definitions = definitions(scenario, rules)?;
    let unknown = compare::unknown_names(scenario, &definitions);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let mut engine = Engine::new(definitions, scenario.options.clone());
    let mut batch = Batch::default();
    let mut failures = Vec::new();
    for (at, body) in bodies(scenario) {
        match otlp::decode(otlp::Encoding::Protobuf, Bytes::from(body), &mut batch) {
            Ok(()) => engine.step(Input { at: Some(at), batch: Some(&batch) }, &mut |_| {}),
            Err(error) => {
                let message = format!("the points at {} cannot be decoded: {error}", compare::since(scenario, at));
                failures.push(Failure { position: scenario.position, message });
            }
        }
    }
    if let Some(until) = scenario.until {
        engine.step(Input { at: Some(scenario.start + until), batch: None }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
    let report = engine.report();
    failures.extend(compare::failures(scenario, engine.definitions(), &report));
    Ok(Outcome {
        scenario: scenario.name.clone(),
        file: scenario.file.clone(),
        position: scenario.position,
        failures,
        definitions: engine.definitions().to_vec(),
        report,
    })
}

/// The definitions of a scenario: the named rules first, then its own.
fn definitions(scenario: &Scenario, rules: RuleSource<'_>) -> Result<Vec<EventDefinition>, Vec<Problem>> {
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for (name, _) in &scenario.rules {
        match rules(name) {
            Ok(found) => all.extend(found),
            Err(found) => problems.extend(found),
        }
    }
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
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// A definition written in the scenario. Its key is its name; `name` and `entityType` may be left out.
fn inline_definition(scenario: &Scenario, key: &Key, node: &Node) -> (Vec<EventDefinition>, Vec<Problem>) {
    let mut json = node.to_json();
    if let Some(object) = json.as_object_mut() {
        object.entry("name").or_insert_with(|| key.name.as_str().into());
        object.entry("entityType").or_insert_with(|| "openTelemetry".into());
    }
    let (definitions, mut problems) = event::parse(&format!("{}.json", key.name), &json.to_string());
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
    value: Owned,
}

enum Owned {
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
                .map(|points| (&points[0].series.metric, points.iter().map(point).collect::<Vec<_>>()))
                .collect();
            (arrival[0].at, encode::request(&arrival[0].series.resource, &metrics))
        })
        .collect()
}

fn point<'a>(placed: &'a Placed<'a>) -> Point<'a> {
    let value = match (&placed.value, &placed.series.shape) {
        (Owned::Number(value), _) => PointValue::Number(*value),
        (Owned::Histogram(sample), Some(shape)) => PointValue::Histogram { sample: sample.clone(), shape },
        (Owned::Stale | Owned::Histogram(_), _) => PointValue::Stale,
    };
    Point { attributes: &placed.series.attributes, time: placed.time, start: placed.start, value }
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
                RunKind::Stale => Some(Owned::Stale),
                RunKind::Numbers { first, step } => Some(Owned::Number(first + step * n as f64)),
                RunKind::Histograms { first, step: Some(step) } => Some(Owned::Histogram(first.plus(step, n))),
                RunKind::Histograms { first, step: None } => Some(Owned::Histogram(first.clone())),
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
