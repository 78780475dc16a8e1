//! One series of a scenario: what identifies it, its values, and when they are received.
//!
//! Owns the keys of a series and which of them go together. Absent on purpose: the notation of values.

use super::tree::{MAX_SPAN, MapFields, NodeReader};
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
const SERIES_KEYS: &str = "metric kind monotonic temporality attributes values starts-at interval resource scope late-by at \
     bounds scale offset";

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
pub(super) fn all(fields: &MapFields<'_>) -> Vec<ScenarioSeries> {
    let defaults = SeriesDefaults {
        resource: fields.get("resource").map(|of| of.attributes(&Attributes::default())).unwrap_or_default(),
        scope: fields.read("scope", NodeReader::text).unwrap_or_default(),
        interval: fields.read("interval", NodeReader::duration).unwrap_or(DEFAULT_INTERVAL),
    };
    let mut slots = 0u64;
    let mut all = Vec::new();
    for of in fields.list("series") {
        let Some(series) = one(&of, &defaults) else { continue };
        slots = slots.saturating_add(series.runs.iter().map(|run| run.slots).sum());
        if slots > MAX_SLOTS {
            of.problem::<()>("too-much", format!("more than {MAX_SLOTS} values in one scenario"), None);
            break;
        }
        all.push(series);
    }
    all
}

fn one(of: &NodeReader<'_>, defaults: &SeriesDefaults<'_>) -> Option<ScenarioSeries> {
    let fields = of.fields(SERIES_KEYS, &[])?;
    let name = fields.required("metric", NodeReader::text);
    let kind = fields.required("kind", |of| of.word(&KINDS));
    let runs = fields.required("values", runs);
    let monotonic = fields.read("monotonic", NodeReader::flag).unwrap_or(false);
    let temporality = fields.read("temporality", |of| of.word(&TEMPORALITIES)).unwrap_or(Temporality::Cumulative);
    let scope = fields.read("scope", NodeReader::text).unwrap_or(defaults.scope);
    let on_top =
        |key: &str, below: &Attributes| fields.get(key).map_or_else(|| below.clone(), |of| of.attributes(below));
    let attributes = on_top("attributes", &Attributes::default());
    let resource = on_top("resource", &defaults.resource);
    let interval = fields.read("interval", NodeReader::duration).unwrap_or(defaults.interval);
    let starts = fields.read("starts-at", NodeReader::duration).unwrap_or(0);
    let received = receive_time(&fields);
    let (kind, runs) = (kind?, runs?);
    refuse(&fields, "monotonic", kind != Kind::Sum);
    refuse(&fields, "temporality", kind == Kind::Gauge);
    let layout = layout(&fields, kind, &runs)?;
    let slots: u64 = runs.iter().map(|run| run.slots).sum();
    let end = (slots as i64).checked_mul(interval).and_then(|span| span.checked_add(starts));
    if interval == 0 || end.is_none_or(|end| end > MAX_SPAN) {
        fields.problem("bad-interval", "interval", "the values take no time, or more than 400 days", None);
        return None;
    }
    let metric = MetricIdentity { scope: scope.to_string(), name: name?.to_string(), kind, temporality, monotonic };
    Some(ScenarioSeries { resource, metric, attributes, layout, runs, starts, interval, received })
}

fn refuse(fields: &MapFields<'_>, key: &str, is_unfit: bool) {
    if let Some(of) = fields.get(key).filter(|_| is_unfit) {
        of.problem::<()>("unfit-key", format!("this kind has no `{key}`"), None);
    }
}

fn receive_time(fields: &MapFields<'_>) -> ReceiveTime {
    let late = fields.read("late-by", NodeReader::duration);
    let at = fields.read("at", NodeReader::duration);
    match (late, at) {
        (Some(_), Some(_)) => {
            fields.problem("two-arrivals", "at", "`at` and `late-by` exclude each other", None);
            ReceiveTime::Late(0)
        }
        (None, Some(at)) => ReceiveTime::At(at),
        (late, None) => ReceiveTime::Late(late.unwrap_or(0)),
    }
}

fn runs(of: &NodeReader<'_>) -> Option<Vec<ValueRun>> {
    let text = of.spelling()?;
    match values::parse(text) {
        Ok(runs) if !runs.is_empty() => Some(runs),
        Ok(_) => of.wanted("at least one value"),
        Err((offset, message)) => {
            of.of.problem("bad-value", of.inside(text, offset), &of.path, message, None);
            None
        }
    }
}

/// The buckets of a histogram series. `Some(None)` for numbers; `None` when values and kind do not fit.
fn layout(fields: &MapFields<'_>, kind: Kind, runs: &[ValueRun]) -> Option<Option<BucketLayout>> {
    let is_unfit = |run: &ValueRun| match run.kind {
        RunKind::Numbers { .. } => kind.is_histogram(),
        RunKind::Histograms { .. } => !kind.is_histogram(),
        RunKind::Gap | RunKind::Stale | RunKind::Restart => false,
    };
    if runs.iter().any(is_unfit) {
        let wanted = if kind.is_histogram() { "histograms such as `(2 1 0 sum=12)`" } else { "numbers" };
        fields.problem("bad-value", "values", format!("the values of this kind are {wanted}"), None);
        return None;
    }
    refuse(fields, "bounds", kind != Kind::Histogram);
    refuse(fields, "scale", kind != Kind::ExponentialHistogram);
    refuse(fields, "offset", kind != Kind::ExponentialHistogram);
    let whole = |key: &str, most: i64| fields.read(key, |of| of.whole(-most..=most)).unwrap_or(0) as i32;
    Some(match kind {
        Kind::Histogram => {
            let path = fields.get("bounds").map(|of| of.path).unwrap_or_default();
            let bound = |of: NodeReader<'_>| NodeReader { path: path.clone(), ..of }.number();
            Some(BucketLayout::Explicit { bounds: fields.list("bounds").filter_map(bound).collect() })
        }
        Kind::ExponentialHistogram => {
            Some(BucketLayout::Exponential { scale: whole("scale", 20), offset: whole("offset", i64::from(i32::MAX)) })
        }
        Kind::Gauge | Kind::Sum | Kind::Summary => None,
    })
}
