//! A file of scenarios, read.
//!
//! A file is a stream of YAML documents. A document with the one key `common` gives keys to the scenarios after it; every
//! other document is a scenario. All mistakes of a file are collected with their positions, and nothing is ignored: unknown
//! keys are errors. Absent on purpose: files (rules are named and fetched by the caller), running, comparing.

use super::expected::{self, ExpectedEvent, ExpectedVerdict};
use super::reader::{MapFields, NodeReader};
use super::series::{self, ScenarioSeries};
use super::tree::{self, Content, Key, Node, YamlError};
use crate::definition::{Position, Problem, Severity};
use crate::engine::{Counters, DropReason, Options, SeriesMode, Timestamps};
use crate::model::{Nanos, SECOND};

/// Where scenarios start unless they say so: 2026-01-01T00:00:00Z, a multiple of every usual step and window.
pub(crate) const DEFAULT_START: Nanos = 1_767_225_600 * SECOND;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The file it came from, as the caller named it.
    pub file: String,
    /// Where it begins.
    pub position: Position,
    pub(crate) rules: Vec<(String, Position)>,
    pub(crate) definitions: Vec<(Key, Node)>,
    pub(crate) options: Options,
    /// What every time is relative to; with recordings and without `start` their first whole second.
    pub(crate) start: Nanos,
    pub(crate) starts_with_recordings: bool,
    pub(crate) recordings: Vec<(String, Position)>,
    pub(crate) until: Option<Nanos>,
    pub(crate) series: Vec<ScenarioSeries>,
    pub(crate) events: Vec<ExpectedEvent>,
    pub(crate) verdicts: Vec<ExpectedVerdict>,
    pub(crate) others_allowed: bool,
    pub(crate) dropped: Option<(Position, Vec<(DropReason, u64)>)>,
}

impl Scenario {
    /// The scenario with these rules in place of those it names; one with only definitions of its own stays as it is.
    pub(crate) fn with_rules(mut self, rules: &str) -> Scenario {
        if !self.rules.is_empty() || self.definitions.is_empty() {
            self.rules = vec![(rules.to_string(), self.position)];
        }
        self
    }

    /// A mistake at a position of its file.
    pub(crate) fn problem(&self, at: Position, code: &'static str, path: &str, message: String) -> Problem {
        Problem {
            severity: Severity::Error,
            code,
            file: self.file.clone(),
            position: Some(at),
            path: path.to_string(),
            message,
            help: None,
        }
    }
}

const SCENARIO_KEYS: [&str; 17] = [
    "scenario",
    "rules",
    "definitions",
    "options",
    "start",
    "until",
    "interval",
    "resource",
    "scope",
    "recordings",
    "series",
    "expect",
    "quiet",
    "inconclusive",
    "disabled",
    "others",
    "dropped",
];
const COMMON_KEYS: [&str; 9] =
    ["rules", "definitions", "options", "start", "until", "interval", "resource", "scope", "recordings"];

/// Which rules a scenario is evaluated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOrigin {
    /// Those it names.
    Scenario,
    /// Those the caller gives; a scenario need not name any.
    Caller,
}

/// The scenarios of a text, and every mistake in it. A scenario with a mistake is left out of the list.
pub fn parse(file: &str, text: &str, rules: RuleOrigin) -> (Vec<Scenario>, Vec<Problem>) {
    let mut reader = NodeReader { file, text, problems: Vec::new() };
    let documents = match tree::documents(text) {
        Ok(documents) => documents,
        Err(YamlError { at, message }) => {
            let (file, path) = (file.to_string(), String::new());
            let severity = Severity::Error;
            let problem = Problem { severity, code: "not-yaml", file, position: at, path, message, help: None };
            return (Vec::new(), vec![problem]);
        }
    };
    let mut common: &[(Key, Node)] = &[];
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for document in &documents {
        let before = reader.problems.len();
        if let Some(given) = common_of(&mut reader, document) {
            common = given;
            continue;
        }
        let Some(scenario) = scenario(&mut reader, document, common, rules) else { continue };
        if !names.insert(scenario.name.clone()) {
            let message = format!("a second scenario is called `{}`", scenario.name);
            reader.problem("duplicate-scenario", scenario.position, "scenario", message, None);
        } else if reader.problems.len() == before {
            scenarios.push(scenario);
        }
    }
    if scenarios.is_empty() && reader.problems.is_empty() {
        let at = Position { line: 1, column: 1, bytes: (0, 0) };
        reader.problem("no-scenario", at, "", "there is no scenario here".to_string(), None);
    }
    (scenarios, reader.problems)
}

/// The keys of a `common` document; their values are read, and checked where a scenario uses them.
fn common_of<'n>(reader: &mut NodeReader<'_>, document: &'n Node) -> Option<&'n [(Key, Node)]> {
    let Content::Map(map) = &document.content else { return None };
    let [(key, node)] = map.as_slice() else { return None };
    if key.name != "common" {
        return None;
    }
    reader.fields(node, "common", &COMMON_KEYS, &[])?;
    match &node.content {
        Content::Map(given) => Some(given),
        _ => None,
    }
}

fn scenario(
    reader: &mut NodeReader<'_>,
    document: &Node,
    common: &[(Key, Node)],
    origin: RuleOrigin,
) -> Option<Scenario> {
    let fields = reader.fields(document, "", &SCENARIO_KEYS, common)?;
    let name = reader.required(&fields, "scenario", NodeReader::text).unwrap_or_default();
    let rules = reader.texts(&fields, "rules");
    let definitions = reader.optional(&fields, "definitions", definitions).unwrap_or_default();
    if rules.is_empty() && definitions.is_empty() && origin == RuleOrigin::Scenario {
        let help = Some("`rules: builtin:python`, or `definitions:` with definitions by name".to_string());
        reader.problem("no-rules", fields.at, "rules", "a scenario needs rules or definitions".to_string(), help);
    }
    let options = reader.optional(&fields, "options", options).unwrap_or_default();
    let start = reader.optional(&fields, "start", NodeReader::timestamp);
    let recordings = reader.texts(&fields, "recordings");
    let until = reader.optional(&fields, "until", NodeReader::duration);
    let series = series::all(reader, &fields);
    let events = reader.list(&fields, "expect", expected::event);
    let verdicts = expected::verdicts(reader, &fields);
    let others = |reader: &mut NodeReader<'_>, node: &Node, path: &str| {
        reader.word(node, path, &[("allowed", true), ("forbidden", false)])
    };
    let others_allowed = reader.optional(&fields, "others", others).unwrap_or(false);
    let dropped = fields.get("dropped").map(|node| (node.at, expected::dropped(reader, node)));
    if !expects_something(&fields) {
        let help = Some("say what opens (`expect`), or what stays `quiet` or `inconclusive`".to_string());
        reader.problem("expects-nothing", fields.at, "expect", "the scenario expects nothing".to_string(), help);
    }
    Some(Scenario {
        name: name.to_string(),
        file: reader.file.to_string(),
        position: fields.at,
        rules,
        definitions,
        options,
        start: start.unwrap_or(DEFAULT_START),
        starts_with_recordings: start.is_none() && !recordings.is_empty(),
        recordings,
        until,
        series,
        events,
        verdicts,
        others_allowed,
        dropped,
    })
}

/// An empty `dropped` expects something (no drops); an empty list of events or verdicts does not.
fn expects_something(fields: &MapFields<'_>) -> bool {
    let is_given = |key: &&str| {
        fields.get(key).is_some_and(|node| match &node.content {
            Content::List(list) => !list.is_empty(),
            Content::Map(map) => !map.is_empty() || *key == "dropped",
            _ => true,
        })
    };
    ["expect", "quiet", "inconclusive", "disabled", "dropped"].iter().any(is_given)
}

fn definitions(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<Vec<(Key, Node)>> {
    match &node.content {
        Content::Map(map) => Some(map.clone()),
        _ => {
            reader.wanted(node, path, "a mapping from names to definitions");
            None
        }
    }
}

const OPTION_KEYS: [&str; 6] = ["step", "series", "counters", "min-coverage", "timestamps", "max-points-per-series"];
const SERIES_MODES: [(&str, SeriesMode); 2] = [("each", SeriesMode::Each), ("merge", SeriesMode::Merge)];
const COUNTERS: [(&str, Counters); 2] = [("raw", Counters::Raw), ("increase", Counters::Increase)];
const TIMESTAMPS: [(&str, Timestamps); 2] = [("event", Timestamps::Event), ("arrival", Timestamps::Arrival)];

fn options(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<Options> {
    let fields = reader.fields(node, path, &OPTION_KEYS, &[])?;
    let usual = Options::default();
    let step = reader.optional(&fields, "step", |reader, node, path| {
        let step = reader.duration(node, path).filter(|step| *step >= SECOND);
        if step.is_none() {
            reader.problem("bad-step", node.at, path, "a step is at least 1s".to_string(), None);
        }
        step
    });
    let series = reader.optional(&fields, "series", |reader, node, path| reader.word(node, path, &SERIES_MODES));
    let counters = reader.optional(&fields, "counters", |reader, node, path| reader.word(node, path, &COUNTERS));
    let timestamps = reader.optional(&fields, "timestamps", |reader, node, path| reader.word(node, path, &TIMESTAMPS));
    let min_coverage = reader.optional(&fields, "min-coverage", |reader, node, path| {
        let fraction = reader.number(node, path)?;
        if !(0.0..=1.0).contains(&fraction) {
            reader.problem("bad-fraction", node.at, path, "a fraction from 0 to 1".to_string(), None);
        }
        Some(fraction)
    });
    let most = reader
        .optional(&fields, "max-points-per-series", |reader, node, path| reader.whole(node, path, 16..=1_000_000));
    Some(Options {
        step,
        series: series.unwrap_or(usual.series),
        counters: counters.unwrap_or(usual.counters),
        timestamps: timestamps.unwrap_or(usual.timestamps),
        min_coverage: min_coverage.unwrap_or(usual.min_coverage),
        max_points_per_series: most.map_or(usual.max_points_per_series, |most| most as usize),
        ..usual
    })
}
