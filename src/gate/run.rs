//! Running a scenario: its samples become export requests, these go through the decoder into the engine, and the report of
//! the engine is compared with what is expected.
//!
//! Absent on purpose: files and threads (the caller reads rules, and may run scenarios in parallel: they share nothing).

use super::case::{Case, CaseResult, FileLocation, Finding};
use super::expectation::{self, Expectations, Failure};
use crate::definition::{self, EventDefinition, Position, Problem, Severity};
use crate::engine::{Engine, EvaluationReport, Input, Inputs};
use crate::model::{Export, Kind, MS, Nanos, SECOND, SampleValue, Temporality};
use crate::otlp::{self, DataPoint, MetricPoints};
use crate::scenario::{Key, Node, ReceiveTime, RuleOrigin, Scenario, ScenarioSeries, SlotValue};
use bytes::Bytes;
use std::collections::HashMap;
use std::hash::Hash;

/// The result of one scenario.
#[derive(Clone, Debug)]
pub struct ScenarioOutcome {
    /// The scenario's name.
    pub scenario: String,
    /// Its file, as the caller named it.
    pub file: String,
    /// Where it begins.
    pub position: Position,
    /// What differs from the expectations, in the order of the text; empty when it passed.
    pub failures: Vec<Failure>,
    /// Why it proves nothing, if it does: there was no input.
    pub inconclusive: Option<Failure>,
    /// The definitions it ran with.
    pub definitions: Vec<EventDefinition>,
    /// How many of them come from rules; the scenario's own are behind them.
    pub from_rules: usize,
    /// The report of the engine.
    pub report: EvaluationReport,
}

/// Finds rules by the name a scenario gives: the definitions, or the problems that keep them from being read.
pub type RuleSource<'a> = &'a dyn Fn(&str) -> Result<Vec<EventDefinition>, Vec<Problem>>;

/// Runs every scenario of a text. Scenarios with problems do not run, and there are no recordings.
pub fn run_all(file: &str, text: &str, rules: RuleSource<'_>) -> (Vec<ScenarioOutcome>, Vec<Problem>) {
    let (scenarios, mut problems) = crate::scenario::parse(file, text, RuleOrigin::Scenario);
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
pub fn run(scenario: &Scenario, rules: RuleSource<'_>) -> Result<ScenarioOutcome, Vec<Problem>> {
    if let Some((name, at)) = scenario.recordings.first() {
        let message = format!("the recording {name} cannot be read here");
        return Err(vec![scenario.problem(*at, "unreadable-recording", "recordings", message)]);
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
    let unknown = expectation::unknown_names(&scenario, &definitions);
    if unknown.is_empty() { Ok(Prepared { scenario, definitions, from_rules }) } else { Err(unknown) }
}

impl ScenarioOutcome {
    /// The outcome as a case of reports.
    pub fn case(&self, seconds: Option<f64>) -> Case {
        let place = |position| Some(FileLocation { file: self.file.clone(), position: Some(position) });
        let finding = |failure: &Failure| Finding::new(failure.code, &failure.message, place(failure.position));
        let result = match &self.inconclusive {
            Some(why) if self.failures.is_empty() => CaseResult::Inconclusive(vec![finding(why)]),
            Some(_) | None => CaseResult::of(self.failures.iter().map(finding).collect()),
        };
        Case { seconds, ..Case::new(&self.scenario, place(self.position), result) }
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

    /// Whether it fails when a definition of its rules is another one, evaluated without the others.
    pub fn notices(&self, other: &EventDefinition, recording: Option<&mut dyn Inputs>) -> bool {
        let mut scenario = self.scenario.clone();
        scenario.events.retain(|event| event.definition == other.name);
        scenario.verdicts.retain(|verdict| verdict.definition == other.name);
        scenario.dropped = None;
        !evaluate(&scenario, vec![other.clone()], recording).failures.is_empty()
    }

    /// Whether something is expected of a definition.
    pub fn expects(&self, definition: &str) -> bool {
        self.scenario.events.iter().any(|event| event.definition == definition)
            || self.scenario.verdicts.iter().any(|verdict| verdict.definition == definition)
    }

    /// Runs it. `recording` is what the recordings it names hold, in order.
    pub fn run(&self, recording: Option<&mut dyn Inputs>) -> ScenarioOutcome {
        let outcome = evaluate(&self.scenario, self.definitions.clone(), recording);
        ScenarioOutcome { from_rules: self.from_rules, ..outcome }
    }
}

fn evaluate(
    scenario: &Scenario,
    definitions: Vec<EventDefinition>,
    mut recording: Option<&mut dyn Inputs>,
) -> ScenarioOutcome {
    let mut engine = Engine::new(definitions, scenario.options.clone());
    let mut relative = None;
    if scenario.starts_with_recordings
        && let Some(recording) = recording.as_deref_mut()
    {
        // Inputs before the first receive time move nothing.
        while let Some(input) = recording.next() {
            engine.step(input, &mut |_| {});
            if let Some(at) = input.received_at {
                relative = Some(Scenario { start: at - at.rem_euclid(SECOND), ..scenario.clone() });
                break;
            }
        }
    }
    let scenario = relative.as_ref().unwrap_or(scenario);
    let mut failures = Vec::new();
    feed(scenario, &mut engine, recording, &mut failures);
    let report = engine.report();
    failures.extend(Expectations { scenario, definitions: engine.definitions(), report: &report }.failures());
    let inconclusive = proves_nothing(scenario, &report);
    if inconclusive.is_some() {
        failures.clear();
    }
    ScenarioOutcome {
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

/// Merges the scenario's own exports with those of the recordings by receive time; at the same time recordings come first.
fn feed(scenario: &Scenario, engine: &mut Engine, mut recording: Option<&mut dyn Inputs>, failures: &mut Vec<Failure>) {
    let mut export = Export::default();
    let mut own = payloads(scenario).into_iter().peekable();
    let mut step = |engine: &mut Engine, at: Nanos, payload: Vec<u8>| match otlp::decode(
        otlp::Encoding::Protobuf,
        Bytes::from(payload),
        &mut export,
    ) {
        Ok(()) => engine.step(Input { received_at: Some(at), export: Some(&export) }, &mut |_| {}),
        Err(error) => {
            let message = format!("the samples at {} cannot be decoded: {error}", expectation::since(scenario, at));
            failures.push(Failure { position: scenario.position, message, code: "undecodable" });
        }
    };
    while let Some(input) = recording.as_deref_mut().and_then(|recording| recording.next()) {
        while let Some((at, payload)) = own.next_if(|(at, _)| input.received_at.is_some_and(|next| *at < next)) {
            step(engine, at, payload);
        }
        engine.step(input, &mut |_| {});
    }
    for (at, payload) in own {
        step(engine, at, payload);
    }
    if let Some(until) = scenario.until {
        engine.step(Input { received_at: Some(scenario.start + until), export: None }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
}

/// Silence is no pass: recordings must hold data points, and without any only an expected verdict asserts something.
fn proves_nothing(scenario: &Scenario, report: &EvaluationReport) -> Option<Failure> {
    let (code, message) = if report.counts.points > 0 {
        return None;
    } else if !scenario.recordings.is_empty() {
        ("empty-recording", "the recording contains no data points: nothing was evaluated")
    } else if scenario.events.is_empty() && scenario.verdicts.is_empty() {
        ("expects-nothing", "no data points and no expected verdict: the scenario asserts nothing")
    } else {
        return None;
    };
    Some(Failure { position: scenario.position, message: message.to_string(), code })
}

/// The definitions of a scenario: the named rules first, then its own; and how many are of the former.
fn definitions(scenario: &Scenario, rules: RuleSource<'_>) -> Result<(Vec<EventDefinition>, usize), Vec<Problem>> {
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for (name, at) in &scenario.rules {
        match rules(name) {
            Ok(found) => all.extend(found),
            // Rules that cannot be loaded are a mistake of the scenario; other problems have positions of their own.
            Err(found) => problems.extend(found.into_iter().map(|problem| match problem.file == scenario.file {
                true => Problem { position: Some(*at), ..problem },
                false => problem,
            })),
        }
    }
    let from_rules = all.len();
    for (key, node) in &scenario.definitions {
        let (found, found_problems) = inline_definition(scenario, key, node);
        // JSON that is no custom event gives no definition and a mere warning; here it is a mistake.
        let is_definition = !found.is_empty();
        all.extend(found);
        problems.extend(found_problems.into_iter().filter(|one| one.severity == Severity::Error || !is_definition));
    }
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = all.iter().find(|definition| !names.insert(definition.name.as_str())) {
        let message = format!("two definitions are called `{}`", twice.name);
        problems.push(scenario.problem(scenario.position, "duplicate-definition", "definitions", message));
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

/// A sample and where it goes: ordered by receive time, resource, metric, then by the text.
struct Placed<'a> {
    received_at: Nanos,
    resource: usize,
    metric: usize,
    series: &'a ScenarioSeries,
    time: Nanos,
    start: Nanos,
    value: SlotValue,
}

/// The payloads of a scenario with the times they are received at, in order. All samples of one receive time and resource are
/// in one request, in the order of the text.
fn payloads(scenario: &Scenario) -> Vec<(Nanos, Vec<u8>)> {
    let (mut resources, mut metrics) = (HashMap::new(), HashMap::new());
    let mut placed = Vec::new();
    for series in &scenario.series {
        let (resource, metric) = (number(&mut resources, &series.resource), number(&mut metrics, &series.metric));
        place(scenario.start, series, resource, metric, &mut placed);
    }
    placed.sort_by_key(|sample| (sample.received_at, sample.resource, sample.metric));
    placed
        .chunk_by(|a, b| (a.received_at, a.resource) == (b.received_at, b.resource))
        .map(|request| {
            let by_metric = request.chunk_by(|a, b| a.metric == b.metric);
            let metrics: Vec<MetricPoints<'_>> = by_metric
                .map(|samples| MetricPoints {
                    identity: &samples[0].series.metric,
                    points: samples.iter().map(point).collect(),
                })
                .collect();
            (request[0].received_at, otlp::encode(&request[0].series.resource, &metrics))
        })
        .collect()
}

fn point<'a>(placed: &'a Placed<'a>) -> DataPoint<'a> {
    let value = match (&placed.value, &placed.series.layout) {
        (SlotValue::Number(value), _) => Some(SampleValue::Number(*value)),
        (SlotValue::Histogram(value), Some(layout)) => Some(SampleValue::Histogram(value.to_histogram(layout).into())),
        (SlotValue::Gap | SlotValue::Stale | SlotValue::Histogram(_), _) => None,
    };
    DataPoint { attributes: &placed.series.attributes, time: placed.time, start: placed.start, value }
}

/// The number of a thing, in the order in which things are first seen.
fn number<T: Hash + Eq>(seen: &mut HashMap<T, usize>, thing: T) -> usize {
    let next = seen.len();
    *seen.entry(thing).or_insert(next)
}

/// Places the samples of one series.
///
/// A process that starts or restarts does so one millisecond before its next sample, like clients that first see a counter
/// when they export it. A later delta sample starts at the slot before it, so that a gap is a lost export.
fn place<'a>(begin: Nanos, series: &'a ScenarioSeries, resource: usize, metric: usize, placed: &mut Vec<Placed<'a>>) {
    let mut time = begin + series.starts;
    let mut start = time - MS;
    let mut is_first = true;
    for sample in series.samples() {
        is_first |= sample.restarted;
        if sample.value != SlotValue::Gap {
            if is_first {
                start = time - MS;
            } else if series.metric.temporality == Temporality::Delta {
                start = time - series.interval;
            }
            is_first = false;
            let received_at = match series.received {
                ReceiveTime::Late(by) => time + by,
                ReceiveTime::At(at) => begin + at,
            };
            let start = if series.metric.kind == Kind::Gauge { 0 } else { start };
            placed.push(Placed { received_at, resource, metric, series, time, start, value: sample.value });
        }
        time += series.interval;
    }
}
