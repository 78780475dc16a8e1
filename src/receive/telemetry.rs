//! What receiving reports of itself: counts, `/metrics` with the counts as OpenMetrics text, and warnings, at most one a minute and
//! reason, each with a remedy.
//!
//! Warnings are needed because clients hide what they are sent: the Python SDK drops a partial success without a word.

use super::rejection::RejectionReason;
use crate::engine::{Counts, DropReason, EventState, Transition};
use crate::model::{MINUTE, Nanos};
use crate::report;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The two ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Grpc,
    Http,
}

impl Transport {
    /// The names in metrics.
    const NAMES: [&str; 2] = ["grpc", "http"];
}

/// Why a connection was closed from this side, without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CloseReason {
    TooMany,
    Silent,
}

impl CloseReason {
    const ALL: [CloseReason; 2] = [CloseReason::TooMany, CloseReason::Silent];

    /// The name in metrics, and what to do about it.
    fn name_and_remedy(self) -> (&'static str, &'static str) {
        match self {
            CloseReason::TooMany => ("too_many", "raise --max-connections"),
            CloseReason::Silent => {
                ("silent", "something connects and sends no request; raise --header-timeout when it is only slow")
            }
        }
    }
}

/// A counter of requests or connections for each transport.
type PerTransport<T> = [T; Transport::NAMES.len()];

/// What receiving counts, and what the engine counted last.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: PerTransport<AtomicU64>,
    /// Accepted, with points that will be dropped.
    pub(super) partial: PerTransport<AtomicU64>,
    pub(super) rejected: PerTransport<[AtomicU64; RejectionReason::COUNT]>,
    pub(super) points: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) connections: PerTransport<AtomicU64>,
    pub(super) closed: [AtomicU64; CloseReason::ALL.len()],
    evaluated: Mutex<Evaluated>,
}

/// What became of the accepted exports.
#[derive(Clone, Debug, Default)]
struct Evaluated {
    counts: Counts,
    opened: u64,
    closed: u64,
}

impl Counters {
    /// Takes over what the engine counted, and adds the transitions since.
    pub(super) fn publish(&self, counts: &Counts, transitions: &[Transition]) {
        let opened = transitions.iter().filter(|transition| transition.event.state == EventState::Open).count();
        let mut evaluated = self.evaluated();
        evaluated.counts.clone_from(counts);
        evaluated.opened += opened as u64;
        evaluated.closed += (transitions.len() - opened) as u64;
    }

    fn evaluated(&self) -> MutexGuard<'_, Evaluated> {
        self.evaluated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Names of labels and their values.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// A metric, with its values in a fixed order.
#[derive(Clone, Debug)]
pub struct ExposedMetric {
    /// Its name, without the prefix that all have.
    pub name: &'static str,
    /// What it is, without a full stop.
    pub help: &'static str,
    /// Whether it only counts up.
    pub is_counter: bool,
    /// Its values.
    pub values: Vec<(Labels, f64)>,
}

/// Gives the metrics of another room.
pub type ExtraMetrics = Box<dyn Fn() -> Vec<ExposedMetric> + Send + Sync>;

impl EncodeMetric for ExposedMetric {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let put = |mut encoder: MetricEncoder<'_>, value: f64| match self.is_counter {
            true => encoder.encode_counter::<NoLabelSet, _, u64>(&(value as u64), None),
            false => encoder.encode_gauge(&value),
        };
        match &self.values[..] {
            [(labels, value)] if labels.is_empty() => put(encoder, *value),
            values => values.iter().try_for_each(|(labels, value)| put(encoder.encode_family(labels)?, *value)),
        }
    }

    fn metric_type(&self) -> MetricType {
        if self.is_counter { MetricType::Counter } else { MetricType::Gauge }
    }
}

/// The text of `/metrics`: what is counted here, and more.
pub(super) fn exposition(counters: &Counters, more: Vec<ExposedMetric>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("foreshock");
    for metric in received(counters).into_iter().chain(evaluated(&counters.evaluated())).chain(more) {
        registry.register(metric.name, metric.help, metric);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn counter(name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) -> ExposedMetric {
    let values = values.into_iter().map(|(labels, value)| (labels, value as f64)).collect();
    ExposedMetric { name, help, is_counter: true, values }
}

/// A metric with one value, which may fall.
pub(super) fn gauge(name: &'static str, help: &'static str, value: f64) -> ExposedMetric {
    ExposedMetric { name, help, is_counter: false, values: vec![(Vec::new(), value)] }
}

fn label(name: &'static str, value: &'static str) -> Labels {
    vec![(name, Cow::Borrowed(value))]
}

fn received(counters: &Counters) -> [ExposedMetric; 6] {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (mut requests, mut rejected, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    for (i, transport) in Transport::NAMES.into_iter().enumerate() {
        let of = |name, value| [label("transport", transport), label(name, value)].concat();
        requests.push((of("result", "accepted"), read(&counters.accepted[i])));
        requests.push((of("result", "partial"), read(&counters.partial[i])));
        for reason in RejectionReason::all() {
            rejected.push((of("reason", reason.as_str()), read(&counters.rejected[i][reason as usize])));
        }
        connections.push((label("transport", transport), read(&counters.connections[i])));
    }
    let closed = CloseReason::ALL
        .map(|reason| (label("reason", reason.name_and_remedy().0), read(&counters.closed[reason as usize])));
    let plain = |counter| vec![(Vec::new(), read(counter))];
    [
        counter("requests", "Exports that were accepted; partial: with points that are dropped", requests),
        counter("requests_rejected", "Exports that were rejected", rejected),
        counter("connections", "Connections that were accepted", connections),
        counter("connections_closed", "Connections closed from this side", closed.to_vec()),
        counter("received_points", "Data points of accepted exports", plain(&counters.points)),
        counter("received_bytes", "Bytes of accepted exports after decompression", plain(&counters.bytes)),
    ]
}

fn evaluated(Evaluated { counts, opened, closed }: &Evaluated) -> [ExposedMetric; 6] {
    let dropped = DropReason::ALL.map(|reason| (label("reason", reason.as_str()), counts.dropped[reason as usize]));
    let events = vec![(label("state", "opened"), *opened), (label("state", "closed"), *closed)];
    [
        counter("points", "Data points the engine ingested", vec![(Vec::new(), counts.points)]),
        counter("points_dropped", "Data points the engine dropped", dropped.to_vec()),
        gauge("series", "Series that are not evicted", counts.series_now as f64),
        gauge("entities", "Entities that are not evicted", counts.entities_now as f64),
        counter("events", "Events that were opened and closed", events),
        gauge("events_open", "Events that are open", opened.saturating_sub(*closed) as f64),
    ]
}

/// What can be warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WarningKind {
    Request(RejectionReason),
    Connection(CloseReason),
    Points(DropReason),
}

impl WarningKind {
    fn line(self, count: u64, example: &str) -> String {
        let many = if count == 1 { "" } else { "s" };
        match self {
            WarningKind::Request(reason) => {
                format!("{count} request{many} rejected ({}): {example}; {}", reason.as_str(), reason.remedy())
            }
            WarningKind::Connection(reason) => {
                let (name, remedy) = reason.name_and_remedy();
                format!("{count} connection{many} closed ({name}): {example}; {remedy}")
            }
            WarningKind::Points(reason) => {
                format!("{count} data point{many} dropped ({}): {}", reason.as_str(), report::explain_drop(reason))
            }
        }
    }
}

/// What there is to warn of.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    of_kind: BTreeMap<WarningKind, PendingWarning>,
    /// Dropped points that were taken note of.
    dropped: [u64; DropReason::ALL.len()],
}

#[derive(Debug, Default)]
struct PendingWarning {
    count: u64,
    /// Of the first one: writing one for each request would cost more than the request.
    example: Option<String>,
    reported_at: Option<Nanos>,
}

impl Warnings {
    /// Takes note of one.
    pub(super) fn note(&self, kind: WarningKind, example: impl FnOnce() -> String) {
        let mut pending = self.lock();
        let warning = pending.of_kind.entry(kind).or_default();
        warning.count += 1;
        warning.example.get_or_insert_with(example);
    }

    /// The lines that are due; all there are when it is the last time.
    pub(super) fn due(&self, counters: &Counters, now: Nanos, is_last: bool) -> Vec<String> {
        let mut pending = self.lock();
        let before = std::mem::replace(&mut pending.dropped, counters.evaluated().counts.dropped);
        for reason in DropReason::ALL {
            let fresh = pending.dropped[reason as usize] - before[reason as usize];
            pending.of_kind.entry(WarningKind::Points(reason)).or_default().count += fresh;
        }
        let mut lines = Vec::new();
        for (kind, warning) in &mut pending.of_kind {
            // A clock that was set back does not silence anything.
            let waits = warning.reported_at.is_some_and(|at| (at..at.saturating_add(MINUTE)).contains(&now));
            if warning.count > 0 && (is_last || !waits) {
                lines.push(kind.line(warning.count, warning.example.as_deref().unwrap_or_default()));
                *warning = PendingWarning { reported_at: Some(now), ..PendingWarning::default() };
            }
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
