//! What a scenario expects: events, verdicts, drops.
//!
//! Owns these keys and their words. Absent on purpose: comparing them with what came out.

use super::reader::{MapFields, NodeReader};
use super::tree::Content;
use crate::definition::Position;
use crate::engine::{CloseReason, DropReason, InconclusiveReason, Verdict};
use crate::model::{Attributes, Nanos};
use std::ops::RangeInclusive;

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

const EVENT_KEYS: &str = "definition entity opens ends closes reason severity last-violation attributes value points peak tolerance \
    within note";
const CLOSE_REASONS: [(&str, CloseReason); 2] =
    [("recovered", CloseReason::Recovered), ("no_data", CloseReason::NoData)];

/// Every number that is counted.
const COUNTS: RangeInclusive<i64> = 0..=u32::MAX as i64;

pub(super) fn event(of: &NodeReader<'_>) -> Option<ExpectedEvent> {
    let fields = of.fields(EVENT_KEYS.split(' '), &[])?;
    let whole = |key: &str| fields.read(key, |of| of.whole(-1..=*COUNTS.end()));
    let number = |key: &str| fields.read(key, NodeReader::number);
    let definition = fields.required("definition", NodeReader::text);
    let opens = fields.required("opens", time);
    let closes = fields.read("closes", closes);
    fields.read("note", NodeReader::text);
    Some(ExpectedEvent {
        position: fields.at,
        closes,
        entity: fields.read("entity", NodeReader::text).map(str::to_string),
        ends: fields.read("ends", time),
        reason: fields.read("reason", |of| of.word(&CLOSE_REASONS)),
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

pub(super) fn verdicts(fields: &MapFields<'_>) -> Vec<ExpectedVerdict> {
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
pub(super) fn dropped(of: &NodeReader<'_>) -> Vec<(DropReason, u64)> {
    let Some(fields) = of.fields(DropReason::ALL.into_iter().map(DropReason::as_str), &[]) else { return Vec::new() };
    let count = |reason: DropReason| Some((reason, fields.read(reason.as_str(), |of| of.whole(COUNTS))? as u64));
    DropReason::ALL.into_iter().filter_map(count).collect()
}
