//! The document of `inspect`.

use crate::inspect::{Findings, Gap, Instance, Metric, Service};
use crate::model::{Kind, MetricIdentity, Nanos, Temporality, to_ms};
use crate::report::phrase::losses::dropped;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InspectionDocument<'a> {
    schema_version: u32,
    bodies: u64,
    points: u64,
    series: u64,
    arrived: Option<SpanJson>,
    dropped: BTreeMap<&'static str, u64>,
    out_of_order: u64,
    clients: Vec<ClientJson<'a>>,
    services: Vec<ServiceJson<'a>>,
    metrics: Vec<MetricJson<'a>>,
}

impl<'a> InspectionDocument<'a> {
    pub fn new(findings: &'a Findings) -> Self {
        InspectionDocument {
            schema_version: 1,
            bodies: findings.bodies,
            points: findings.points,
            series: findings.series,
            arrived: findings.arrived.map(|(from, to)| SpanJson { from: to_ms(from), to: to_ms(to) }),
            dropped: dropped(&findings.dropped).map(|(reason, n)| (reason.as_str(), n)).collect(),
            out_of_order: findings.out_of_order,
            clients: findings.clients.iter().map(|c| ClientJson { scope: &c.scope, version: &c.version }).collect(),
            services: findings.services.iter().map(ServiceJson::new).collect(),
            metrics: findings.metrics.iter().map(MetricJson::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ClientJson<'a> {
    scope: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct SpanJson {
    from: i64,
    to: i64,
}

impl SpanJson {
    fn new(gap: &Gap) -> Self {
        SpanJson { from: to_ms(gap.from), to: to_ms(gap.to) }
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
    gaps: Vec<SpanJson>,
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
            gaps: instance.gaps.iter().map(SpanJson::new).collect(),
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
