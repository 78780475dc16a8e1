//! The findings of `inspect` as one JSON document; spans and instants are whole milliseconds.

use crate::engine::DropReason;
use crate::inspect::{Findings, Gap, Instance, Metric, Service};
use crate::model::{Kind, MetricIdentity, Nanos, Temporality, to_ms};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes the document, indented, one line's end behind it.
pub fn json(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    let document = Document {
        schema_version: 1,
        bodies: findings.bodies,
        points: findings.points,
        series: findings.series,
        arrived: findings.arrived.map(|(from, to)| Span { from: to_ms(from), to: to_ms(to) }),
        dropped: DropReason::ALL
            .into_iter()
            .zip(findings.dropped)
            .filter(|(_, n)| *n > 0)
            .map(|(reason, n)| (reason.as_str(), n))
            .collect(),
        out_of_order: findings.out_of_order,
        clients: findings.clients.iter().map(|c| Client { scope: &c.scope, version: &c.version }).collect(),
        services: findings.services.iter().map(ServiceJson::new).collect(),
        metrics: findings.metrics.iter().map(MetricJson::new).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    bodies: u64,
    points: u64,
    series: u64,
    arrived: Option<Span>,
    dropped: BTreeMap<&'static str, u64>,
    out_of_order: u64,
    clients: Vec<Client<'a>>,
    services: Vec<ServiceJson<'a>>,
    metrics: Vec<MetricJson<'a>>,
}

#[derive(Serialize)]
struct Client<'a> {
    scope: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    fn new(gap: &Gap) -> Self {
        Span { from: to_ms(gap.from), to: to_ms(gap.to) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceJson<'a> {
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    sdks: &'a [String],
    interval: Option<i64>,
    instances: Vec<InstanceJson>,
}

impl<'a> ServiceJson<'a> {
    fn new(service: &'a Service) -> Self {
        ServiceJson {
            namespace: service.namespace.as_deref(),
            name: service.name.as_deref(),
            sdks: &service.sdks,
            interval: service.interval.map(to_ms),
            instances: service.instances.iter().map(InstanceJson::new).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceJson {
    resource: serde_json::Value,
    from: Option<i64>,
    to: Option<i64>,
    exports: u64,
    series: u64,
    points: u64,
    interval: Option<i64>,
    gaps: Vec<Span>,
    several_writers: bool,
}

impl InstanceJson {
    fn new(instance: &Instance) -> Self {
        let ms = |at: Option<Nanos>| at.map(to_ms);
        InstanceJson {
            resource: instance.resource.to_json(),
            from: ms(instance.from),
            to: ms(instance.to),
            exports: instance.exports,
            series: instance.series,
            points: instance.points,
            interval: ms(instance.interval),
            gaps: instance.gaps.iter().map(Span::new).collect(),
            several_writers: instance.several_writers,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricJson<'a> {
    metric_name: String,
    scope: &'a str,
    scope_versions: &'a [String],
    name: &'a str,
    kind: &'static str,
    temporality: Option<&'static str>,
    monotonic: bool,
    units: &'a [String],
    series: u64,
    points: u64,
    attributes: Vec<serde_json::Value>,
    min: Option<f64>,
    max: Option<f64>,
    resets: u64,
    start_changes: u64,
    several_writers: u64,
    negative_deltas: u64,
}

impl<'a> MetricJson<'a> {
    fn new(metric: &'a Metric) -> Self {
        let identity = &metric.identity;
        MetricJson {
            metric_name: identity.id(),
            scope: &identity.scope,
            scope_versions: &metric.versions,
            name: &identity.name,
            kind: kind(identity.kind),
            temporality: temporality(identity),
            monotonic: identity.monotonic,
            units: &metric.units,
            series: metric.series,
            points: metric.points,
            attributes: metric.attributes.iter().map(|attributes| attributes.to_json()).collect(),
            min: metric.range.map(|(low, _)| low),
            max: metric.range.map(|(_, high)| high),
            resets: metric.resets,
            start_changes: metric.start_changes,
            several_writers: metric.several_writers,
            negative_deltas: metric.negative_deltas,
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge => "gauge",
        Kind::Sum => "sum",
        Kind::Histogram => "histogram",
        Kind::ExponentialHistogram => "exponentialHistogram",
        Kind::Summary => "summary",
    }
}

/// Gauges and summaries have none.
fn temporality(identity: &MetricIdentity) -> Option<&'static str> {
    match (identity.kind, identity.temporality) {
        (Kind::Gauge | Kind::Summary, _) => None,
        (_, Temporality::Cumulative) => Some("cumulative"),
        (_, Temporality::Delta) => Some("delta"),
    }
}
