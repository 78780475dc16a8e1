//! What is counted, and `/metrics`: the counts as OpenMetrics text.

use super::rejection::RejectionReason;
use crate::engine::{Counts, DropReason};
use crate::model::{Nanos, SECOND};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
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
    const ALL: [Transport; 2] = [Transport::Grpc, Transport::Http];

    fn as_str(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

/// Why a connection was closed from this side, without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    TooMany,
    Silent,
}

impl CloseReason {
    pub(super) const ALL: [CloseReason; 2] = [CloseReason::TooMany, CloseReason::Silent];

    /// The name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            CloseReason::TooMany => "too_many",
            CloseReason::Silent => "silent",
        }
    }

    /// What to do about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            CloseReason::TooMany => "raise --max-connections",
            CloseReason::Silent => {
                "something connects and sends no request; raise --header-timeout when it is only slow"
            }
        }
    }
}

/// A counter of requests or connections for each transport.
type PerTransport<T> = [T; Transport::ALL.len()];

/// What receiving counts, and what the engine counted last.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: PerTransport<AtomicU64>,
    /// Accepted, with points that will be dropped.
    pub(super) partial: PerTransport<AtomicU64>,
    pub(super) rejected: PerTransport<[AtomicU64; RejectionReason::ALL.len()]>,
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
    /// Takes over what the engine counted, and adds events that were opened and closed since.
    pub(super) fn publish(&self, counts: &Counts, opened: u64, closed: u64) {
        let mut evaluated = self.evaluated();
        evaluated.counts.clone_from(counts);
        evaluated.opened += opened;
        evaluated.closed += closed;
    }

    /// Dropped points so far, by reason.
    pub(super) fn dropped(&self) -> [u64; DropReason::ALL.len()] {
        self.evaluated().counts.dropped
    }

    fn evaluated(&self) -> MutexGuard<'_, Evaluated> {
        self.evaluated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The queue at the moment.
pub(super) struct QueueLevel {
    pub(super) exports: usize,
    pub(super) bytes: usize,
    pub(super) limit_bytes: usize,
    pub(super) evaluation_lag: Nanos,
}

/// Names of labels and their values.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// A metric of another room.
#[derive(Clone, Debug)]
pub struct ExtraMetric {
    /// Its name, without the prefix that all have.
    pub name: &'static str,
    /// What it is, without a full stop.
    pub help: &'static str,
    /// Whether it only counts up.
    pub is_counter: bool,
    /// Its values.
    pub values: Vec<(Labels, u64)>,
}

/// Gives the metrics of another room.
pub type ExtraMetrics = Box<dyn Fn() -> Vec<ExtraMetric> + Send + Sync>;

/// Numbers of one name, in a fixed order.
#[derive(Debug)]
struct Numbers {
    kind: MetricType,
    values: Vec<(Labels, f64)>,
}

impl EncodeMetric for Numbers {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let put = |mut encoder: MetricEncoder<'_>, value: f64| match self.kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&(value as u64), None),
            _ => encoder.encode_gauge(&value),
        };
        match &self.values[..] {
            [(labels, value)] if labels.is_empty() => put(encoder, *value),
            values => values.iter().try_for_each(|(labels, value)| put(encoder.encode_family(labels)?, *value)),
        }
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

struct Exposition(Registry);

impl Exposition {
    fn put(&mut self, kind: MetricType, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
        let values = values.into_iter().map(|(labels, value)| (labels, value as f64)).collect();
        self.0.register(name, help, Numbers { kind, values });
    }

    fn counter(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
        self.put(MetricType::Counter, name, help, values);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.0.register(name, help, Numbers { kind: MetricType::Gauge, values: vec![(Vec::new(), value)] });
    }
}

/// The text of `/metrics`.
pub(super) fn exposition(
    counters: &Counters,
    queue: &QueueLevel,
    extra: Vec<ExtraMetric>,
) -> Result<String, fmt::Error> {
    let mut exposition = Exposition(Registry::with_prefix("foreshock"));
    received(&mut exposition, counters);
    exposition.gauge("inbox_exports", "Exports that wait for the engine", queue.exports as f64);
    exposition.gauge("inbox_bytes", "Bytes between the sockets and the engine", queue.bytes as f64);
    exposition.gauge("inbox_limit_bytes", "The most of them", queue.limit_bytes as f64);
    evaluated(&mut exposition, &counters.evaluated().clone());
    let lag = queue.evaluation_lag as f64 / SECOND as f64;
    exposition.gauge("evaluation_lag_seconds", "From the time of the last evaluation until it was done", lag);
    for ExtraMetric { name, help, is_counter, values } in extra {
        exposition.put(if is_counter { MetricType::Counter } else { MetricType::Gauge }, name, help, values);
    }
    let mut text = String::new();
    encode(&mut text, &exposition.0)?;
    Ok(text)
}

fn label(name: &'static str, value: &'static str) -> Labels {
    vec![(name, Cow::Borrowed(value))]
}

fn received(exposition: &mut Exposition, counters: &Counters) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (mut requests, mut rejected, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    for transport in Transport::ALL {
        let i = transport as usize;
        let of = |name, value| [label("transport", transport.as_str()), label(name, value)].concat();
        requests.push((of("result", "accepted"), read(&counters.accepted[i])));
        requests.push((of("result", "partial"), read(&counters.partial[i])));
        for reason in RejectionReason::ALL {
            rejected.push((of("reason", reason.as_str()), read(&counters.rejected[i][reason as usize])));
        }
        connections.push((label("transport", transport.as_str()), read(&counters.connections[i])));
    }
    let closed =
        CloseReason::ALL.map(|reason| (label("reason", reason.as_str()), read(&counters.closed[reason as usize])));
    let plain = |counter| [(Vec::new(), read(counter))];
    let help = "Exports that were accepted; partial: with points that are dropped";
    exposition.counter("requests", help, requests);
    exposition.counter("requests_rejected", "Exports that were rejected", rejected);
    exposition.counter("connections", "Connections that were accepted", connections);
    exposition.counter("connections_closed", "Connections closed from this side", closed);
    exposition.counter("received_points", "Data points of accepted exports", plain(&counters.points));
    let help = "Bytes of accepted exports after decompression";
    exposition.counter("received_bytes", help, plain(&counters.bytes));
}

fn evaluated(exposition: &mut Exposition, Evaluated { counts, opened, closed }: &Evaluated) {
    let dropped = DropReason::ALL.map(|reason| (label("reason", reason.as_str()), counts.dropped[reason as usize]));
    let events = [(label("state", "opened"), *opened), (label("state", "closed"), *closed)];
    exposition.counter("points", "Data points the engine ingested", [(Vec::new(), counts.points)]);
    exposition.counter("points_dropped", "Data points the engine dropped", dropped);
    exposition.gauge("series", "Series that are not evicted", counts.series_now as f64);
    exposition.gauge("entities", "Entities that are not evicted", counts.entities_now as f64);
    exposition.counter("events", "Events that were opened and closed", events);
    exposition.gauge("events_open", "Events that are open", opened.saturating_sub(*closed) as f64);
}
