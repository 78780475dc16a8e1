//! Scenarios: what goes in and what must come out, read from text.
//!
//! A file is a stream of YAML documents. A document with the one key `common` gives keys to the scenarios after it; every
//! other document is a scenario. All mistakes of a file are collected with their places, and nothing that is not
//! understood is passed over: unknown keys are errors. Absent on purpose: files (rules are named and fetched by the
//! caller), running, comparing.

use super::reader::{Fields, Reader};
use super::tree::{self, Content, Key, Node};
use super::values::{self, MAX_SLOTS, Run, RunKind, Shape};
use crate::definition::{Position, Problem, Severity};
use crate::engine::{CloseReason, Counters, DropReason, InconclusiveReason, Options, SeriesMode, Timestamps};
use crate::model::{Attributes, Kind, MetricIdentity, Nanos, SECOND, Temporality};

/// Longest time a scenario may cover: 400 days.
pub const MAX_SPAN: Nanos = 400 * 24 * 3600 * SECOND;
/// Latest instant a scenario may start: the year 2100.
pub const MAX_START: Nanos = 4_102_444_800 * SECOND;
/// Where scenarios start unless they say so: 2026-01-01T00:00:00Z, a multiple of every usual step and window.
const DEFAULT_START: Nanos = 1_767_225_600 * SECOND;
const DEFAULT_INTERVAL: Nanos = 10 * SECOND;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The file it came from, as the caller named it.
    pub file: String,
    /// Where it begins.
    pub position: Position,
    pub rules: Vec<(String, Position)>,
    pub definitions: Vec<(Key, Node)>,
    pub options: Options,
    /// The instant everything is relative to; with recordings and without `start` the one they begin at.
    pub start: Nanos,
    pub starts_with_recordings: bool,
    pub recordings: Vec<(String, Position)>,
    pub until: Option<Nanos>,
    pub series: Vec<Series>,
    pub events: Vec<ExpectedEvent>,
    pub verdicts: Vec<ExpectedVerdict>,
    pub others_allowed: bool,
    pub dropped: Option<(Position, Vec<(DropReason, u64)>)>,
}

/// The points of one series, or some of them.
#[derive(Clone, Debug)]
pub struct Series {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub shape: Option<Shape>,
    pub runs: Vec<Run>,
    /// Instant of the first slot, relative to the scenario's start.
    pub starts: Nanos,
    pub interval: Nanos,
    pub arrival: Arrival,
}

/// When a point arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// This long after its own time.
    Late(Nanos),
    /// At this instant, relative to the scenario's start.
    At(Nanos),
}

/// An event that must be there. What is `None` is not compared.
#[derive(Clone, Debug)]
pub struct ExpectedEvent {
    pub position: Position,
    pub definition: String,
    pub entity: Option<String>,
    pub opens: When,
    pub ends: Option<When>,
    pub closes: Option<Closes>,
    pub reason: Option<CloseReason>,
    pub severity: Option<i64>,
    pub last_violation: Option<When>,
    pub attributes: Option<Attributes>,
    pub value: Option<f64>,
    pub points: Option<i64>,
    pub peak: Option<f64>,
    /// How far values may be off, relatively.
    pub tolerance: f64,
    /// How far instants may be off.
    pub within: Nanos,
}

/// An instant as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// So long after the scenario's start.
    After(Nanos),
    /// Then.
    At(Nanos),
}

impl When {
    pub fn resolve(self, start: Nanos) -> Nanos {
        match self {
            When::After(span) => start + span,
            When::At(at) => at,
        }
    }
}

/// When an event must be closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Closes {
    At(When),
    Never,
}

/// A verdict that must be reached.
#[derive(Clone, Debug)]
pub struct ExpectedVerdict {
    pub position: Position,
    pub definition: String,
    pub verdict: WantedVerdict,
}

/// The verdicts that can be asked for; that a definition fired is said by its events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WantedVerdict {
    Quiet,
    Inconclusive(Option<InconclusiveReason>),
    Disabled,
}

impl Scenario {
    /// The recordings it names, and where it does.
    pub fn recordings(&self) -> impl ExactSizeIterator<Item = (&str, Position)> {
        self.recordings.iter().map(|(name, at)| (name.as_str(), *at))
    }

    /// The scenario with these rules in place of those it names; one with only definitions of its own stays as it is.
    pub fn judged_with(mut self, rules: &str) -> Scenario {
        if !self.rules.is_empty() || self.definitions.is_empty() {
            self.rules = vec![(rules.to_string(), self.position)];
        }
        self
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

/// The scenarios of a text, and every mistake in it. A scenario with a mistake is left out of the list.
pub fn parse(file: &str, text: &str) -> (Vec<Scenario>, Vec<Problem>) {
    parse_with(file, text, Rules::OfScenario)
}

/// Which rules a scenario runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those it names.
    OfScenario,
    /// Those the caller gives; a scenario need not name any.
    OfCaller,
}

/// The same, for a caller that may have rules for all of them.
pub fn parse_with(file: &str, text: &str, rules: Rules) -> (Vec<Scenario>, Vec<Problem>) {
    let mut reader = Reader { file, text, problems: Vec::new() };
    let documents = match tree::documents(text) {
        Ok(documents) => documents,
        Err(tree::Unreadable { at, message }) => {
            let problem = Problem {
                severity: Severity::Error,
                code: "not-yaml",
                file: file.to_string(),
                position: at,
                path: String::new(),
                message,
                help: None,
            };
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

/// The keys of a `common` document; their values are read, and complained of, where a scenario uses them.
fn common_of<'n>(reader: &mut Reader<'_>, document: &'n Node) -> Option<&'n [(Key, Node)]> {
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

fn scenario(reader: &mut Reader<'_>, document: &Node, common: &[(Key, Node)], whose_rules: Rules) -> Option<Scenario> {
    let fields = reader.fields(document, "", &SCENARIO_KEYS, common)?;
    let name = reader.need(&fields, "scenario").and_then(|node| reader.text(node, "scenario")).unwrap_or_default();
    let rules = names(reader, &fields, "rules");
    let definitions = match fields.get("definitions").map(|node| (node, &node.content)) {
        Some((_, Content::Map(map))) => map.clone(),
        Some((node, _)) => {
            reader.wanted(node, "definitions", "a mapping from names to definitions");
            Vec::new()
        }
        None => Vec::new(),
    };
    if rules.is_empty() && definitions.is_empty() && whose_rules == Rules::OfScenario {
        let help = Some("`rules: builtin:python`, or `definitions:` with definitions by name".to_string());
        reader.problem("no-rules", fields.at, "rules", "a scenario needs rules or definitions".to_string(), help);
    }
    let options = fields.get("options").map(|node| options(reader, node)).unwrap_or_default();
    let start = fields.get("start").and_then(|node| reader.instant(node, "start"));
    let recordings = names(reader, &fields, "recordings");
    let until = fields.get("until").and_then(|node| reader.duration(node, "until"));
    let series = all_series(reader, &fields);
    let events: Vec<ExpectedEvent> = list_of(reader, &fields, "expect", expected_event);
    let verdicts = verdicts(reader, &fields);
    let others = [("allowed", true), ("forbidden", false)];
    let others_allowed = fields.get("others").and_then(|n| reader.word(n, "others", &others)).unwrap_or(false);
    let dropped = fields.get("dropped").map(|node| (node.at, dropped(reader, node)));
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

/// Nothing dropped is something to expect; nothing opened, or nothing quiet, is not.
fn expects_something(fields: &Fields<'_>) -> bool {
    let said = |key: &&str| {
        fields.get(key).is_some_and(|node| match &node.content {
            Content::List(list) => !list.is_empty(),
            Content::Map(map) => !map.is_empty() || *key == "dropped",
            _ => true,
        })
    };
    ["expect", "quiet", "inconclusive", "disabled", "dropped"].iter().any(said)
}

/// Names, each with its place.
fn names(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<(String, Position)> {
    let nodes = fields.get(key).map(|node| reader.list(node)).unwrap_or_default();
    nodes.iter().filter_map(|node| Some((reader.text(node, key)?.to_string(), node.at))).collect()
}

fn verdicts(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<ExpectedVerdict> {
    let mut verdicts = Vec::new();
    for (key, verdict) in [("quiet", WantedVerdict::Quiet), ("disabled", WantedVerdict::Disabled)] {
        for (definition, position) in names(reader, fields, key) {
            verdicts.push(ExpectedVerdict { position, definition, verdict });
        }
    }
    verdicts.extend(inconclusive(reader, fields));
    verdicts
}

fn list_of<T>(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    name: &str,
    read: fn(&mut Reader<'_>, &Node, &str) -> Option<T>,
) -> Vec<T> {
    let nodes = fields.get(name).map(|node| reader.list(node)).unwrap_or_default();
    nodes.iter().enumerate().filter_map(|(i, node)| read(reader, node, &format!("{name}[{i}]"))).collect()
}

fn options(reader: &mut Reader<'_>, node: &Node) -> Options {
    let mut options = Options::default();
    let known = ["step", "series", "counters", "min-coverage", "timestamps", "max-points-per-series"];
    let Some(fields) = reader.fields(node, "options", &known, &[]) else { return options };
    let path = |name: &str| format!("options.{name}");
    if let Some(node) = fields.get("step") {
        options.step = reader.duration(node, &path("step")).filter(|step| *step >= SECOND);
        if options.step.is_none() {
            reader.problem("bad-step", node.at, &path("step"), "a step is at least 1s".to_string(), None);
        }
    }
    let modes = [("each", SeriesMode::Each), ("merge", SeriesMode::Merge)];
    if let Some(mode) = fields.get("series").and_then(|n| reader.word(n, &path("series"), &modes)) {
        options.series = mode;
    }
    let counters = [("raw", Counters::Raw), ("increase", Counters::Increase)];
    if let Some(mode) = fields.get("counters").and_then(|n| reader.word(n, &path("counters"), &counters)) {
        options.counters = mode;
    }
    let times = [("event", Timestamps::Event), ("arrival", Timestamps::Arrival)];
    if let Some(mode) = fields.get("timestamps").and_then(|n| reader.word(n, &path("timestamps"), &times)) {
        options.timestamps = mode;
    }
    if let Some(node) = fields.get("min-coverage")
        && let Some(fraction) = reader.number(node, &path("min-coverage"))
    {
        if (0.0..=1.0).contains(&fraction) {
            options.min_coverage = fraction;
        } else {
            reader.problem("bad-fraction", node.at, &path("min-coverage"), "a fraction from 0 to 1".to_string(), None);
        }
    }
    let most = fields.get("max-points-per-series");
    if let Some(most) = most.and_then(|n| reader.whole(n, &path("max-points-per-series"), 16..=1_000_000)) {
        options.max_points_per_series = most as usize;
    }
    options
}

fn all_series(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Series> {
    let resource = reader.attributes(fields.get("resource"), "resource", &Attributes::default());
    let scope = fields.get("scope").and_then(|node| reader.text(node, "scope")).unwrap_or_default();
    let interval =
        fields.get("interval").and_then(|node| reader.duration(node, "interval")).unwrap_or(DEFAULT_INTERVAL);
    let nodes = fields.get("series").map(|node| reader.list(node)).unwrap_or_default();
    let mut all = Vec::new();
    let mut slots = 0u64;
    for (i, node) in nodes.iter().enumerate() {
        let Some(series) = one_series(reader, node, &format!("series[{i}]"), &resource, scope, interval) else {
            continue;
        };
        slots = slots.saturating_add(series.runs.iter().map(|run| run.slots).sum());
        if slots > MAX_SLOTS {
            let message = format!("more than {MAX_SLOTS} values in one scenario");
            reader.problem("too-much", node.at, &format!("series[{i}]"), message, None);
            break;
        }
        all.push(series);
    }
    all
}

const KINDS: [(&str, Kind); 4] = [
    ("gauge", Kind::Gauge),
    ("sum", Kind::Sum),
    ("histogram", Kind::Histogram),
    ("exponential-histogram", Kind::ExponentialHistogram),
];
const SERIES_KEYS: [&str; 15] = [
    "metric",
    "kind",
    "monotonic",
    "temporality",
    "attributes",
    "values",
    "starts-at",
    "interval",
    "resource",
    "scope",
    "late-by",
    "at",
    "bounds",
    "scale",
    "offset",
];

fn one_series(
    reader: &mut Reader<'_>,
    node: &Node,
    path: &str,
    resource: &Attributes,
    scope: &str,
    interval: Nanos,
) -> Option<Series> {
    let fields = reader.fields(node, path, &SERIES_KEYS, &[])?;
    let name = reader.need(&fields, "metric").and_then(|n| reader.text(n, &fields.path("metric")));
    let kind = reader.need(&fields, "kind").and_then(|n| reader.word(n, &fields.path("kind"), &KINDS));
    let runs = reader.need(&fields, "values").and_then(|n| runs(reader, n, &fields.path("values")));
    let monotonic = fields.get("monotonic").and_then(|n| reader.flag(n, &fields.path("monotonic"))).unwrap_or(false);
    let temporalities = [("cumulative", Temporality::Cumulative), ("delta", Temporality::Delta)];
    let temporality =
        fields.get("temporality").and_then(|n| reader.word(n, &fields.path("temporality"), &temporalities));
    let scope = fields.get("scope").and_then(|n| reader.text(n, &fields.path("scope"))).unwrap_or(scope);
    let attributes = reader.attributes(fields.get("attributes"), &fields.path("attributes"), &Attributes::default());
    let resource = reader.attributes(fields.get("resource"), &fields.path("resource"), resource);
    let own = fields.get("interval").and_then(|n| reader.duration(n, &fields.path("interval")));
    let interval = own.unwrap_or(interval);
    let starts = fields.get("starts-at").and_then(|n| reader.duration(n, &fields.path("starts-at"))).unwrap_or(0);
    let arrival = arrival(reader, &fields);
    let (kind, runs) = (kind?, runs?);
    for (key, unfit) in [("monotonic", kind != Kind::Sum), ("temporality", kind == Kind::Gauge)] {
        if let Some(node) = fields.get(key).filter(|_| unfit) {
            reader.problem("unfit-key", node.at, &fields.path(key), format!("this kind has no `{key}`"), None);
        }
    }
    let shape = shape(reader, &fields, kind, &runs)?;
    let slots: u64 = runs.iter().map(|run| run.slots).sum();
    let end = (slots as i64).checked_mul(interval).and_then(|span| span.checked_add(starts));
    if interval == 0 || end.is_none_or(|end| end > MAX_SPAN) {
        let message = "the values take no time, or more than 400 days".to_string();
        reader.problem("bad-interval", node.at, &fields.path("interval"), message, None);
        return None;
    }
    let metric = MetricIdentity {
        scope: scope.to_string(),
        name: name?.to_string(),
        kind,
        temporality: temporality.unwrap_or(Temporality::Cumulative),
        monotonic,
    };
    Some(Series { resource, metric, attributes, shape, runs, starts, interval, arrival })
}

fn arrival(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Arrival {
    let late = fields.get("late-by").and_then(|n| reader.duration(n, &fields.path("late-by")));
    let at = fields.get("at").and_then(|n| reader.duration(n, &fields.path("at")));
    match (late, at) {
        (Some(_), Some(_)) => {
            let message = "`at` and `late-by` exclude each other".to_string();
            reader.problem("two-arrivals", fields.at, &fields.path("at"), message, None);
            Arrival::Late(0)
        }
        (None, Some(at)) => Arrival::At(at),
        (late, None) => Arrival::Late(late.unwrap_or(0)),
    }
}

fn runs(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<Vec<Run>> {
    let text = reader.spelling(node, path)?;
    match values::parse(&text) {
        Ok(runs) if !runs.is_empty() => Some(runs),
        Ok(_) => {
            reader.wanted(node, path, "at least one value");
            None
        }
        Err(bad) => {
            let at = reader.inside(node, &text, bad.offset);
            reader.problem("bad-value", at, path, bad.message, None);
            None
        }
    }
}

/// The bucket shape of a histogram series. `Some(None)` for numbers; `None` when values and kind do not fit.
fn shape(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: Kind, runs: &[Run]) -> Option<Option<Shape>> {
    let unfit = |run: &Run| match run.kind {
        RunKind::Numbers { .. } => kind.is_histogram(),
        RunKind::Histograms { .. } => !kind.is_histogram(),
        RunKind::Gap | RunKind::Stale | RunKind::Restart => false,
    };
    if runs.iter().any(unfit) {
        let wanted = if kind.is_histogram() { "histograms such as `(2 1 0 sum=12)`" } else { "numbers" };
        let message = format!("the values of this kind are {wanted}");
        reader.problem("bad-value", fields.at, &fields.path("values"), message, None);
        return None;
    }
    let keys = ["bounds", "scale", "offset"];
    let allowed: &[&str] = match kind {
        Kind::Histogram => &keys[..1],
        Kind::ExponentialHistogram => &keys[1..],
        Kind::Gauge | Kind::Sum | Kind::Summary => &[],
    };
    for key in keys.iter().filter(|key| !allowed.contains(key)) {
        if let Some(node) = fields.get(key) {
            reader.problem("unfit-key", node.at, &fields.path(key), format!("this kind has no `{key}`"), None);
        }
    }
    let whole = |reader: &mut Reader<'_>, key: &str, most: i64| {
        fields.get(key).and_then(|n| reader.whole(n, &fields.path(key), -most..=most)).unwrap_or(0) as i32
    };
    Some(match kind {
        Kind::Histogram => {
            let nodes = fields.get("bounds").map(|n| reader.list(n)).unwrap_or_default();
            Some(Shape::Explicit {
                bounds: nodes.iter().filter_map(|n| reader.number(n, &fields.path("bounds"))).collect(),
            })
        }
        Kind::ExponentialHistogram => Some(Shape::Exponential {
            scale: whole(reader, "scale", 20),
            offset: whole(reader, "offset", i64::from(i32::MAX)),
        }),
        Kind::Gauge | Kind::Sum | Kind::Summary => None,
    })
}

const EVENT_KEYS: [&str; 15] = [
    "definition",
    "entity",
    "opens",
    "ends",
    "closes",
    "reason",
    "severity",
    "last-violation",
    "attributes",
    "value",
    "points",
    "peak",
    "tolerance",
    "within",
    "note",
];

fn expected_event(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<ExpectedEvent> {
    let fields = reader.fields(node, path, &EVENT_KEYS, &[])?;
    let text = |reader: &mut Reader<'_>, key: &str| {
        fields.get(key).and_then(|n| reader.text(n, &fields.path(key)).map(str::to_string))
    };
    let time = |reader: &mut Reader<'_>, key: &str| fields.get(key).and_then(|n| when(reader, n, &fields.path(key)));
    let number = |reader: &mut Reader<'_>, key: &str| fields.get(key).and_then(|n| reader.number(n, &fields.path(key)));
    let definition = reader.need(&fields, "definition").and_then(|n| reader.text(n, &fields.path("definition")));
    let opens = reader.need(&fields, "opens").and_then(|n| when(reader, n, &fields.path("opens")));
    let closes = match fields.get("closes") {
        Some(Node { content: Content::Text(word), .. }) if word == "never" => Some(Closes::Never),
        Some(node) => when(reader, node, &fields.path("closes")).map(Closes::At),
        None => None,
    };
    let reasons = [("recovered", CloseReason::Recovered), ("no_data", CloseReason::NoData)];
    let whole = |reader: &mut Reader<'_>, key: &str| {
        fields.get(key).and_then(|n| reader.whole(n, &fields.path(key), -1..=i64::from(u32::MAX)))
    };
    text(reader, "note");
    Some(ExpectedEvent {
        position: fields.at,
        entity: text(reader, "entity"),
        ends: time(reader, "ends"),
        closes,
        reason: fields.get("reason").and_then(|n| reader.word(n, &fields.path("reason"), &reasons)),
        severity: whole(reader, "severity"),
        last_violation: time(reader, "last-violation"),
        attributes: fields
            .get("attributes")
            .map(|n| reader.attributes(Some(n), &fields.path("attributes"), &Attributes::default())),
        value: number(reader, "value"),
        points: whole(reader, "points"),
        peak: number(reader, "peak"),
        tolerance: number(reader, "tolerance").unwrap_or(1e-9),
        within: fields.get("within").and_then(|n| reader.duration(n, &fields.path("within"))).unwrap_or(0),
        definition: definition?.to_string(),
        opens: opens?,
    })
}

/// An instant, as a time since the start or as RFC 3339 text.
fn when(reader: &mut Reader<'_>, node: &Node, path: &str) -> Option<When> {
    match &node.content {
        // No duration has a hyphen.
        Content::Text(text) if text.contains('-') => reader.instant(node, path).map(When::At),
        _ => reader.duration(node, path).map(When::After),
    }
}

const INCONCLUSIVE: [(&str, InconclusiveReason); 8] = [
    ("no_series", InconclusiveReason::NoSeries),
    ("no_entity", InconclusiveReason::NoEntity),
    ("warming_up", InconclusiveReason::WarmingUp),
    ("no_value", InconclusiveReason::NoValue),
    ("problem", InconclusiveReason::Problem),
    ("gap", InconclusiveReason::Gap),
    ("several_writers", InconclusiveReason::SeveralWriters),
    ("scaled", InconclusiveReason::Scaled),
];

/// `inconclusive: [a, b]`, or with reasons `inconclusive: {a: warming_up}`.
fn inconclusive(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<ExpectedVerdict> {
    let Some(node) = fields.get("inconclusive") else { return Vec::new() };
    let verdict = |position, definition: &str, reason| ExpectedVerdict {
        position,
        definition: definition.to_string(),
        verdict: WantedVerdict::Inconclusive(reason),
    };
    if let Content::Map(map) = &node.content {
        return map
            .iter()
            .map(|(key, node)| {
                let reason = reader.word(node, &format!("inconclusive.{}", key.name), &INCONCLUSIVE);
                verdict(key.at, &key.name, reason)
            })
            .collect();
    }
    let nodes = reader.list(node);
    nodes.iter().filter_map(|node| Some(verdict(node.at, reader.text(node, "inconclusive")?, None))).collect()
}

fn dropped(reader: &mut Reader<'_>, node: &Node) -> Vec<(DropReason, u64)> {
    let known = DropReason::ALL.map(DropReason::as_str);
    let Some(fields) = reader.fields(node, "dropped", &known, &[]) else { return Vec::new() };
    let mut counts = Vec::new();
    for reason in DropReason::ALL {
        let Some(node) = fields.get(reason.as_str()) else { continue };
        let count = reader.whole(node, &fields.path(reason.as_str()), 0..=i64::from(u32::MAX));
        counts.extend(count.map(|count| (reason, count as u64)));
    }
    counts
}
