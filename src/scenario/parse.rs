//! A file of scenarios, read.
//!
//! A file is a stream of YAML documents. A document with the one key `common` gives keys to the scenarios after it; every
//! other document is a scenario. All mistakes of a file are collected with their positions, and nothing is ignored: unknown
//! keys are errors. Absent on purpose: files (rules are named and fetched by the caller), running, comparing.

use super::series::{self, ScenarioSeries};
use super::tree::{self, Content, Key, MapFields, Node, NodeReader, ScenarioText};
use crate::definition::{Position, Problem};
use crate::engine::{CloseReason, Counters, DropReason, InconclusiveReason, Options, SeriesMode, Timestamps, Verdict};
use crate::model::{Attributes, Nanos, SECOND};
use std::cell::RefCell;
use std::ops::RangeInclusive;

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
        Problem::error(code, &self.file, Some(at), path, message)
    }
}

const SCENARIO_KEYS: &str = "scenario rules definitions options start until interval resource scope recordings series expect \
     quiet inconclusive disabled others dropped";
const COMMON_KEYS: &str = "rules definitions options start until interval resource scope recordings";

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
    let documents = match tree::documents(text) {
        Ok(documents) => documents,
        Err((at, message)) => return (Vec::new(), vec![Problem::error("not-yaml", file, at, "", message)]),
    };
    let of = ScenarioText { file, text, problems: RefCell::default() };
    let count = || of.problems.borrow().len();
    let mut common: &[(Key, Node)] = &[];
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for document in &documents {
        let before = count();
        let document = NodeReader { node: document, path: String::new(), of: &of };
        if let Some(given) = common_of(&document) {
            common = given;
            continue;
        }
        let Some(scenario) = scenario(&document, common, rules) else { continue };
        if !names.insert(scenario.name.clone()) {
            let message = format!("a second scenario is called `{}`", scenario.name);
            of.problem("duplicate-scenario", scenario.position, "scenario", message, None);
        } else if count() == before {
            scenarios.push(scenario);
        }
    }
    if scenarios.is_empty() && count() == 0 {
        let at = Position { line: 1, column: 1, bytes: (0, 0) };
        of.problem("no-scenario", at, "", "there is no scenario here".to_string(), None);
    }
    (scenarios, of.problems.into_inner())
}

/// The keys of a `common` document; their values are read, and checked where a scenario uses them.
fn common_of<'n>(document: &NodeReader<'n>) -> Option<&'n [(Key, Node)]> {
    let Content::Map(map) = &document.node.content else { return None };
    let [(key, node)] = map.as_slice() else { return None };
    if key.name != "common" {
        return None;
    }
    NodeReader { node, path: "common".to_string(), ..document.clone() }.fields(COMMON_KEYS, &[])?;
    if let Content::Map(given) = &node.content { Some(given) } else { None }
}

fn scenario(document: &NodeReader<'_>, common: &[(Key, Node)], origin: RuleOrigin) -> Option<Scenario> {
    let fields = document.fields(SCENARIO_KEYS, common)?;
    let name = fields.required("scenario", NodeReader::text).unwrap_or_default();
    let rules = fields.texts("rules");
    let definitions = fields.read("definitions", |of| match &of.node.content {
        Content::Map(map) => Some(map.clone()),
        _ => of.wanted("a mapping from names to definitions"),
    });
    let definitions = definitions.unwrap_or_default();
    if rules.is_empty() && definitions.is_empty() && origin == RuleOrigin::Scenario {
        let help = Some("`rules: builtin:python`, or `definitions:` with definitions by name");
        fields.problem("no-rules", "rules", "a scenario needs rules or definitions", help);
    }
    let options = fields.read("options", options).unwrap_or_default();
    let start = fields.read("start", NodeReader::timestamp);
    let recordings = fields.texts("recordings");
    let until = fields.read("until", NodeReader::duration);
    let series = series::all(&fields);
    let events = fields.list("expect").filter_map(|event| expected_event(&event)).collect();
    let verdicts = verdicts(&fields);
    let others_allowed = fields.read("others", |of| of.word(&[("allowed", true), ("forbidden", false)]));
    let dropped = fields.get("dropped").map(|of| (of.node.at, dropped(&of)));
    if !expects_something(&fields) {
        let help = Some("say what opens (`expect`), or what stays `quiet` or `inconclusive`");
        fields.problem("expects-nothing", "expect", "the scenario expects nothing", help);
    }
    Some(Scenario {
        name: name.to_string(),
        file: document.of.file.to_string(),
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
        others_allowed: others_allowed.unwrap_or(false),
        dropped,
    })
}

/// An empty `dropped` expects something (no drops); an empty list of events or verdicts does not.
fn expects_something(fields: &MapFields<'_>) -> bool {
    let is_given = |key: &&str| {
        fields.get(key).is_some_and(|of| match &of.node.content {
            Content::List(list) => !list.is_empty(),
            Content::Map(map) => !map.is_empty() || *key == "dropped",
            _ => true,
        })
    };
    ["expect", "quiet", "inconclusive", "disabled", "dropped"].iter().any(is_given)
}

const OPTION_KEYS: &str = "step series counters min-coverage timestamps max-points-per-series";
const SERIES_MODES: [(&str, SeriesMode); 2] =
    [(SeriesMode::Each.as_str(), SeriesMode::Each), (SeriesMode::Merge.as_str(), SeriesMode::Merge)];
const COUNTERS: [(&str, Counters); 2] =
    [(Counters::Raw.as_str(), Counters::Raw), (Counters::Increase.as_str(), Counters::Increase)];
const TIMESTAMPS: [(&str, Timestamps); 2] =
    [(Timestamps::Event.as_str(), Timestamps::Event), (Timestamps::Arrival.as_str(), Timestamps::Arrival)];

fn options(of: &NodeReader<'_>) -> Option<Options> {
    let fields = of.fields(OPTION_KEYS, &[])?;
    let usual = Options::default();
    let step = fields.read("step", |of| {
        let step = of.duration().filter(|step| *step >= SECOND);
        step.or_else(|| of.problem("bad-step", "a step is at least 1s", None))
    });
    let series = fields.read("series", |of| of.word(&SERIES_MODES));
    let counters = fields.read("counters", |of| of.word(&COUNTERS));
    let timestamps = fields.read("timestamps", |of| of.word(&TIMESTAMPS));
    let min_coverage = fields.read("min-coverage", |of| {
        let fraction = of.number()?;
        let is_good = (0.0..=1.0).contains(&fraction);
        if is_good { Some(fraction) } else { of.problem("bad-fraction", "a fraction from 0 to 1", None) }
    });
    let most = fields.read("max-points-per-series", |of| of.whole(16..=1_000_000));
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

/// An event that must be there. What is `None` is not compared.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedEvent {
    pub position: Position,
    pub definition: String,
    pub entity: Option<String>,
    pub opens: ExpectedTime,
    pub ends: Option<ExpectedTime>,
    pub closes: Option<ExpectedClose>,
    pub reason: Option<CloseReason>,
    pub severity: Option<i64>,
    pub last_violation: Option<ExpectedTime>,
    pub attributes: Option<Attributes>,
    pub value: Option<f64>,
    pub points: Option<i64>,
    pub peak: Option<f64>,
    /// How far values may be off, relatively.
    pub tolerance: f64,
    /// How far times may be off.
    pub within: Nanos,
}

/// A time as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ExpectedTime {
    /// So long after the scenario's start.
    After(Nanos),
    At(Nanos),
}

impl ExpectedTime {
    pub fn resolve(self, start: Nanos) -> Nanos {
        match self {
            ExpectedTime::After(span) => start + span,
            ExpectedTime::At(time) => time,
        }
    }
}

/// When an event must be closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ExpectedClose {
    At(ExpectedTime),
    Never,
}

/// A verdict that must be reached.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedVerdict {
    pub position: Position,
    pub definition: String,
    /// `None`: inconclusive, for whatever reason.
    pub verdict: Option<Verdict>,
}

const EVENT_KEYS: &str = "definition entity opens ends closes reason severity last-violation attributes value points peak \
     tolerance within note";

/// Every number that is counted.
const COUNTS: RangeInclusive<i64> = 0..=u32::MAX as i64;

fn expected_event(of: &NodeReader<'_>) -> Option<ExpectedEvent> {
    let fields = of.fields(EVENT_KEYS, &[])?;
    let whole = |key: &str| fields.read(key, |of| of.whole(-1..=*COUNTS.end()));
    let number = |key: &str| fields.read(key, NodeReader::number);
    let reasons = [CloseReason::Recovered, CloseReason::NoData].map(|reason| (reason.as_str(), reason));
    let definition = fields.required("definition", NodeReader::text);
    let opens = fields.required("opens", time);
    let closes = fields.read("closes", closes);
    fields.read("note", NodeReader::text);
    Some(ExpectedEvent {
        position: fields.at,
        closes,
        entity: fields.read("entity", NodeReader::text).map(str::to_string),
        ends: fields.read("ends", time),
        reason: fields.read("reason", |of| of.word(&reasons)),
        severity: whole("severity"),
        last_violation: fields.read("last-violation", time),
        attributes: fields.get("attributes").map(|of| of.attributes(&Attributes::default())),
        value: number("value"),
        points: whole("points"),
        peak: number("peak"),
        tolerance: number("tolerance").unwrap_or(1e-9),
        within: fields.read("within", NodeReader::duration).unwrap_or(0),
        definition: definition?.to_string(),
        opens: opens?,
    })
}

/// A time since the start, or RFC 3339 text.
fn time(of: &NodeReader<'_>) -> Option<ExpectedTime> {
    match &of.node.content {
        // No duration has a hyphen.
        Content::Text(text) if text.contains('-') => of.timestamp().map(ExpectedTime::At),
        _ => of.duration().map(ExpectedTime::After),
    }
}

fn closes(of: &NodeReader<'_>) -> Option<ExpectedClose> {
    match &of.node.content {
        Content::Text(word) if word == "never" => Some(ExpectedClose::Never),
        _ => time(of).map(ExpectedClose::At),
    }
}

fn verdicts(fields: &MapFields<'_>) -> Vec<ExpectedVerdict> {
    let mut verdicts = Vec::new();
    let mut add = |names: Vec<(String, Position)>, verdict: Option<Verdict>| {
        let expected = |(definition, position)| ExpectedVerdict { position, definition, verdict };
        verdicts.extend(names.into_iter().map(expected));
    };
    add(fields.texts("quiet"), Some(Verdict::Quiet));
    add(fields.texts("disabled"), Some(Verdict::Disabled));
    // `inconclusive: [a, b]`, or with reasons `inconclusive: {a: warming_up}`.
    let Some(of) = fields.get("inconclusive") else { return verdicts };
    let Content::Map(map) = &of.node.content else {
        add(fields.texts("inconclusive"), None);
        return verdicts;
    };
    let words = InconclusiveReason::ALL.map(|reason| (reason.as_str(), reason));
    for (key, node) in map {
        let reason = NodeReader { node, path: format!("inconclusive.{}", key.name), ..of.clone() }.word(&words);
        add(vec![(key.name.clone(), key.at)], reason.map(Verdict::Inconclusive));
    }
    verdicts
}

/// Numbers of dropped samples; what is not named is 0.
fn dropped(of: &NodeReader<'_>) -> Vec<(DropReason, u64)> {
    let Some(fields) = of.fields(&DropReason::ALL.map(DropReason::as_str).join(" "), &[]) else { return Vec::new() };
    let count = |reason: DropReason| Some((reason, fields.read(reason.as_str(), |of| of.whole(COUNTS))? as u64));
    DropReason::ALL.into_iter().filter_map(count).collect()
}
