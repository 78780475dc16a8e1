//! What `/metrics` says, as OpenMetrics text.

use super::counters::{Hangup, Judged, Transport, read};
use super::reception::Reception;
use super::refusal::Reason;
use crate::engine::DropReason;
use crate::model::SECOND;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names of labels and their values.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// A metric of another room.
#[derive(Clone, Debug)]
pub struct Metric {
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
pub type MoreMetrics = Box<dyn Fn() -> Vec<Metric> + Send + Sync>;

/// Numbers of one name, in a fixed order.
#[derive(Debug)]
struct Numbers {
    kind: MetricType,
    values: Vec<(Labels, f64)>,
}

impl EncodeMetric for Numbers {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, value) in &self.values {
            if labels.is_empty() {
                put(&mut encoder, self.kind, *value)?;
            } else {
                put(&mut encoder.encode_family(labels)?, self.kind, *value)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

fn put(encoder: &mut MetricEncoder<'_>, kind: MetricType, value: f64) -> Result<(), fmt::Error> {
    match kind {
        MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&(value as u64), None),
        _ => encoder.encode_gauge(&value),
    }
}

fn counter(values: Vec<(Labels, u64)>) -> Numbers {
    let values = values.into_iter().map(|(labels, value)| (labels, value as f64)).collect();
    Numbers { kind: MetricType::Counter, values }
}

fn gauge(value: f64) -> Numbers {
    Numbers { kind: MetricType::Gauge, values: vec![(Vec::new(), value)] }
}

/// The text.
pub(super) fn text(reception: &Reception) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("foreshock");
    received(reception, &mut registry);
    judged(reception, &mut registry);
    for Metric { name, help, is_counter, values } in reception.more_metrics() {
        let values = values.into_iter().map(|(labels, value)| (labels, value as f64)).collect();
        let kind = if is_counter { MetricType::Counter } else { MetricType::Gauge };
        registry.register(name, help, Numbers { kind, values });
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn received(reception: &Reception, registry: &mut Registry) {
    let counters = &reception.counters;
    let label = |name, value: &'static str| (name, Cow::Borrowed(value));
    let of = |transport: Transport, name, value| vec![label("transport", transport.as_str()), label(name, value)];
    let mut requests = Vec::new();
    let mut refused = Vec::new();
    let mut connections = Vec::new();
    for transport in Transport::ALL {
        let (accepted, partial) = (&counters.accepted[transport as usize], &counters.partial[transport as usize]);
        requests.push((of(transport, "result", "accepted"), read(accepted)));
        requests.push((of(transport, "result", "partial"), read(partial)));
        for reason in Reason::ALL {
            let value = read(&counters.refused[transport as usize][reason as usize]);
            refused.push((of(transport, "reason", reason.as_str()), value));
        }
        let value = read(&counters.connections[transport as usize]);
        connections.push((vec![label("transport", transport.as_str())], value));
    }
    let hangups = Hangup::ALL.map(|hangup| {
        let value = read(&counters.hangups[hangup as usize]);
        (vec![label("reason", hangup.as_str())], value)
    });
    let plain = |counter_value| counter(vec![(Vec::new(), counter_value)]);
    registry.register(
        "requests",
        "Exports that were accepted; partial: with points that are dropped",
        counter(requests),
    );
    registry.register("requests_refused", "Exports that were refused", counter(refused));
    registry.register("connections", "Connections that were accepted", counter(connections));
    registry.register("connections_closed", "Connections closed from this side", counter(hangups.to_vec()));
    registry.register("received_points", "Data points of accepted exports", plain(read(&counters.points)));
    registry.register("received_bytes", "Bytes of accepted exports after decompression", plain(read(&counters.bytes)));
    registry.register("inbox_bodies", "Bodies that wait for the engine", gauge(reception.depth() as f64));
    registry.register("inbox_bytes", "Bytes between the sockets and the engine", gauge(reception.budget.used() as f64));
    registry.register("inbox_limit_bytes", "The most of them", gauge(reception.budget.limit() as f64));
}

fn judged(reception: &Reception, registry: &mut Registry) {
    let Judged { counts, opened, closed } = reception.counters.judged().clone();
    let label = |name, value: &'static str| vec![(name, Cow::Borrowed(value))];
    let dropped = DropReason::ALL.map(|reason| (label("reason", reason.as_str()), counts.dropped[reason as usize]));
    let events = vec![(label("state", "opened"), opened), (label("state", "closed"), closed)];
    let lag = reception.counters.lag.load(Ordering::Relaxed) as f64 / SECOND as f64;
    registry.register("points", "Data points the engine took", counter(vec![(Vec::new(), counts.points)]));
    registry.register("points_dropped", "Data points the engine dropped", counter(dropped.to_vec()));
    registry.register("series", "Series that are not forgotten", gauge(counts.series_now as f64));
    registry.register("entities", "Entities that are not forgotten", gauge(counts.entities_now as f64));
    registry.register("events", "Events that were opened and closed", counter(events));
    registry.register("events_open", "Events that are open", gauge(opened.saturating_sub(closed) as f64));
    registry.register("evaluation_lag_seconds", "From the last instant of the grid until it was judged", gauge(lag));
}
