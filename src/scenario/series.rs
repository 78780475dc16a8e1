//! One series of a scenario: what identifies it, its values, and when they are received.
//!
//! Owns the keys of a series and which of them go together. Absent on purpose: the notation of values.

use super::reader::{MAX_SPAN, MapFields, NodeReader};
use super::tree::Node;
use super::values::{self, BucketLayout, MAX_SLOTS, RunKind, SlotSample, ValueRun};
use crate::model::{Attributes, Kind, MetricIdentity, Nanos, SECOND, Temporality};

const DEFAULT_INTERVAL: Nanos = 10 * SECOND;
const KINDS: [(&str, Kind); 4] = [
    ("gauge", Kind::Gauge),
    ("sum", Kind::Sum),
    ("histogram", Kind::Histogram),
    ("exponential-histogram", Kind::ExponentialHistogram),
];
const TEMPORALITIES: [(&str, Temporality); 2] =
    [("cumulative", Temporality::Cumulative), ("delta", Temporality::Delta)];
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

/// A series, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioSeries {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub layout: Option<BucketLayout>,
    pub runs: Vec<ValueRun>,
    /// Time of the first slot, relative to the scenario's start.
    pub starts: Nanos,
    pub interval: Nanos,
    pub received: ReceiveTime,
}

/// When a sample is received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReceiveTime {
    /// This long after its own timestamp.
    Late(Nanos),
    /// At this time, relative to the scenario's start.
    At(Nanos),
}

impl ScenarioSeries {
    /// Its slots, which are `interval` apart.
    pub fn samples(&self) -> impl Iterator<Item = SlotSample> {
        values::samples(&self.runs, self.interval)
    }

    /// The word for the kind of a metric.
    pub fn kind_word(kind: Kind) -> &'static str {
        KINDS.iter().find(|(_, other)| *other == kind).map_or("gauge", |(word, _)| word)
    }
}

/// What a scenario says of every series that does not say it itself.
struct SeriesDefaults<'n> {
    resource: Attributes,
    scope: &'n str,
    interval: Nanos,
}

/// The series of a scenario.
pub(super) fn all(reader: &mut NodeReader<'_>, fields: &MapFields<'_>) -> Vec<ScenarioSeries> {
    let defaults = SeriesDefaults {
        resource: reader.attributes(fields.get("resource"), "resource", &Attributes::default()),
        scope: reader.optional(fields, "scope", NodeReader::text).unwrap_or_default(),
        interval: reader.optional(fields, "interval", NodeReader::duration).unwrap_or(DEFAULT_INTERVAL),
    };
    let mut slots = 0u64;
    reader.list(fields, "series", |reader, node, path| {
        if slots > MAX_SLOTS {
            return None;
        }
        let series = one(reader, node, path, &defaults)?;
        slots = slots.saturating_add(series.runs.iter().map(|run| run.slots).sum());
        if slots > MAX_SLOTS {
            reader.problem("too-much", node.at, path, format!("more than {MAX_SLOTS} values in one scenario"), None);
            return None;
        }
        Some(series)
    })
}

fn one(reader: &mut NodeReader<'_>, node: &Node, path: &str, defaults: &SeriesDefaults<'_>) -> Option<ScenarioSeries> {
    let fields = reader.fields(node, path, &SERIES_KEYS, &[])?;
    let name = reader.required(&fields, "metric", NodeReader::text);
    let kind = reader.required(&fields, "kind", |reader, node, path| reader.word(node, path, &KINDS));
    let runs = reader.required(&fields, "values", runs);
    let monotonic = reader.optional(&fields, "monotonic", NodeReader::flag).unwrap_or(false);
    let temporality =
        reader.optional(&fields, "temporality", |reader, node, path| reader.word(node, path, &TEMPORALITIES));
    let scope = reader.optional(&fields, "scope", NodeReader::text).unwrap_or(defaults.scope);
    let attributes = reader.attributes(fields.get("attributes"), &fields.path("attributes"), &Attributes::default());
    let resource = reader.attributes(fields.get("resource"), &fields.path("resource"), &defaults.resource);
    let interval = reader.optional(&fields, "interval", NodeReader::duration).unwrap_or(defaults.interval);
    let starts = reader.optional(&fields, "starts-at", NodeReader::duration).unwrap_or(0);
    let received = receive_time(reader, &fields);
    let (kind, runs) = (kind?, runs?);
    for (key, is_unfit) in [("monotonic", kind != Kind::Sum), ("temporality", kind == Kind::Gauge)] {
        refuse(reader, &fields, key, is_unfit);
    }
    let layout = layout(reader, &fields, kind, &runs)?;
    let slots: u64 = runs.iter().map(|run| run.slots).sum();
    let end = (slots as i64).checked_mul(interval).and_then(|span| span.checked_add(starts));
    if interval == 0 || end.is_none_or(|end| end > MAX_SPAN) {
        let message = "the values take no time, or more than 400 days".to_string();
        reader.problem("bad-interval", node.at, &fields.path("interval"), message, None);
        return None;
    }
    let temporality = temporality.unwrap_or(Temporality::Cumulative);
    let metric = MetricIdentity { scope: scope.to_string(), name: name?.to_string(), kind, temporality, monotonic };
    Some(ScenarioSeries { resource, metric, attributes, layout, runs, starts, interval, received })
}

fn refuse(reader: &mut NodeReader<'_>, fields: &MapFields<'_>, key: &str, is_unfit: bool) {
    if let Some(node) = fields.get(key).filter(|_| is_unfit) {
        reader.problem("unfit-key", node.at, &fields.path(key), format!("this kind has no `{key}`"), None);
    }
}

fn receive_time(reader: &mut NodeReader<'_>, fields: &MapFields<'_>) -> ReceiveTime {
    let late = reader.optional(fields, "late-by", NodeReader::duration);
    let at = reader.optional(fields, "at", NodeReader::duration);
    match (late, at) {
        (Some(_), Some(_)) => {
            let message = "`at` and `late-by` exclude each other".to_string();
            reader.problem("two-arrivals", fields.at, &fields.path("at"), message, None);
            ReceiveTime::Late(0)
        }
        (None, Some(at)) => ReceiveTime::At(at),
        (late, None) => ReceiveTime::Late(late.unwrap_or(0)),
    }
}

fn runs(reader: &mut NodeReader<'_>, node: &Node, path: &str) -> Option<Vec<ValueRun>> {
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

/// The buckets of a histogram series. `Some(None)` for numbers; `None` when values and kind do not fit.
fn layout(
    reader: &mut NodeReader<'_>,
    fields: &MapFields<'_>,
    kind: Kind,
    runs: &[ValueRun],
) -> Option<Option<BucketLayout>> {
    let is_unfit = |run: &ValueRun| match run.kind {
        RunKind::Numbers { .. } => kind.is_histogram(),
        RunKind::Histograms { .. } => !kind.is_histogram(),
        RunKind::Gap | RunKind::Stale | RunKind::Restart => false,
    };
    if runs.iter().any(is_unfit) {
        let wanted = if kind.is_histogram() { "histograms such as `(2 1 0 sum=12)`" } else { "numbers" };
        let message = format!("the values of this kind are {wanted}");
        reader.problem("bad-value", fields.at, &fields.path("values"), message, None);
        return None;
    }
    refuse(reader, fields, "bounds", kind != Kind::Histogram);
    refuse(reader, fields, "scale", kind != Kind::ExponentialHistogram);
    refuse(reader, fields, "offset", kind != Kind::ExponentialHistogram);
    let whole = |reader: &mut NodeReader<'_>, key: &str, most: i64| {
        reader.optional(fields, key, |reader, node, path| reader.whole(node, path, -most..=most)).unwrap_or(0) as i32
    };
    Some(match kind {
        Kind::Histogram => {
            let path = fields.path("bounds");
            let bounds = reader.list(fields, "bounds", |reader, node, _| reader.number(node, &path));
            Some(BucketLayout::Explicit { bounds })
        }
        Kind::ExponentialHistogram => Some(BucketLayout::Exponential {
            scale: whole(reader, "scale", 20),
            offset: whole(reader, "offset", i64::from(i32::MAX)),
        }),
        Kind::Gauge | Kind::Sum | Kind::Summary => None,
    })
}
