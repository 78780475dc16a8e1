//! What a scenario expects: events, verdicts, drops.
//!
//! Owns these keys and their words. Absent on purpose: comparing them with what came out.

use super::reader::{MapFields, NodeReader};
use super::tree::{Content, Node};
use crate::definition::Position;
use crate::engine::{CloseReason, DropReason, InconclusiveReason};
use crate::model::{Attributes, Nanos};

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
    pub verdict: WantedVerdict,
}

/// The verdicts that can be expected; that a definition fires is expected by its events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WantedVerdict {
    Quiet,
    Inconclusive(Option<InconclusiveReason>),
    Disabled,
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
const CLOSE_REASONS: [(&str, CloseReason); 2] =
    [("recovered", CloseReason::Recovered), ("no_data", CloseReason::NoData)];

pub(super) fn event(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<ExpectedEvent> {
    let fields = reader.fields(node, path, &EVENT_KEYS, &[])?;
    let whole =
        |reader: &mut NodeReader<'_>, node: &Node, path: &str| reader.whole(node, path, -1..=i64::from(u32::MAX));
    let attributes = |reader: &mut NodeReader<'_>, node: &Node, path: &str| {
        Some(reader.attributes(Some(node), path, &Attributes::default()))
    };
    let definition = reader.required(&fields, "definition", NodeReader::text);
    let opens = reader.required(&fields, "opens", time);
    let closes = reader.optional(&fields, "closes", closes);
    reader.optional(&fields, "note", NodeReader::text);
    Some(ExpectedEvent {
        position: fields.at,
        closes,
        entity: reader.optional(&fields, "entity", NodeReader::text).map(str::to_string),
        ends: reader.optional(&fields, "ends", time),
        reason: reader.optional(&fields, "reason", |reader, node, path| reader.word(node, path, &CLOSE_REASONS)),
        severity: reader.optional(&fields, "severity", whole),
        last_violation: reader.optional(&fields, "last-violation", time),
        attributes: reader.optional(&fields, "attributes", attributes),
        value: reader.optional(&fields, "value", NodeReader::number),
        points: reader.optional(&fields, "points", whole),
        peak: reader.optional(&fields, "peak", NodeReader::number),
        tolerance: reader.optional(&fields, "tolerance", NodeReader::number).unwrap_or(1e-9),
        within: reader.optional(&fields, "within", NodeReader::duration).unwrap_or(0),
        definition: definition?.to_string(),
        opens: opens?,
    })
}

/// A time since the start, or RFC 3339 text.
fn time(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<ExpectedTime> {
    match &node.content {
        // No duration has a hyphen.
        Content::Text(text) if text.contains('-') => reader.timestamp(node, path).map(ExpectedTime::At),
        _ => reader.duration(node, path).map(ExpectedTime::After),
    }
}

fn closes(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<ExpectedClose> {
    match &node.content {
        Content::Text(word) if word == "never" => Some(ExpectedClose::Never),
        _ => time(reader, node, path).map(ExpectedClose::At),
    }
}

pub(super) fn verdicts(reader: &mut NodeReader<'_>, fields: &MapFields<'_>) -> Vec<ExpectedVerdict> {
    let mut verdicts = Vec::new();
    let mut add = |names: Vec<(String, Position)>, verdict: WantedVerdict| {
        let expected = |(definition, position)| ExpectedVerdict { position, definition, verdict };
        verdicts.extend(names.into_iter().map(expected));
    };
    add(reader.texts(fields, "quiet"), WantedVerdict::Quiet);
    add(reader.texts(fields, "disabled"), WantedVerdict::Disabled);
    // `inconclusive: [a, b]`, or with reasons `inconclusive: {a: warming_up}`.
    let Some(Content::Map(map)) = fields.get("inconclusive").map(|node| &node.content) else {
        add(reader.texts(fields, "inconclusive"), WantedVerdict::Inconclusive(None));
        return verdicts;
    };
    let words = InconclusiveReason::ALL.map(|reason| (reason.as_str(), reason));
    for (key, node) in map {
        let reason = reader.word(node, &format!("inconclusive.{}", key.name), &words);
        add(vec![(key.name.clone(), key.at)], WantedVerdict::Inconclusive(reason));
    }
    verdicts
}

/// Numbers of dropped samples; what is not named is 0.
pub(super) fn dropped(reader: &mut NodeReader<'_>, node: &Node) -> Vec<(DropReason, u64)> {
    let known = DropReason::ALL.map(DropReason::as_str);
    let Some(fields) = reader.fields(node, "dropped", &known, &[]) else { return Vec::new() };
    let whole =
        |reader: &mut NodeReader<'_>, node: &Node, path: &str| reader.whole(node, path, 0..=i64::from(u32::MAX));
    let count = |reason: DropReason| Some((reason, reader.optional(&fields, reason.as_str(), whole)? as u64));
    DropReason::ALL.into_iter().filter_map(count).collect()
}
