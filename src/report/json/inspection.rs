//! The document of `inspect`.

use crate::inspect::{Client, Findings, Instance, Metric, Service};
use crate::model::{Attributes, Kind, MetricIdentity, Nanos, Temporality, to_ms};
use crate::report::document::{JsonNode, list, object, or_null};
use crate::report::phrase::losses::dropped_by_name;

pub(super) fn document(findings: &Findings) -> JsonNode {
    let client = |of: &Client| object! { "scope": of.scope.as_str(), "version": of.version.as_str() };
    object! {
        "schemaVersion": 1,
        "bodies": findings.bodies,
        "points": findings.points,
        "series": findings.series,
        "arrived": or_null(findings.arrived.map(|(from, to)| span(from, to))),
        "dropped": dropped_by_name(&findings.dropped),
        "outOfOrder": findings.out_of_order,
        "clients": list(findings.clients.iter().map(client)),
        "services": list(findings.services.iter().map(service)),
        "metrics": list(findings.metrics.iter().map(metric)),
    }
}

fn span(from: Nanos, to: Nanos) -> JsonNode {
    object! { "from": to_ms(from), "to": to_ms(to) }
}

fn service(service: &Service) -> JsonNode {
    object! {
        "namespace": service.namespace.as_deref(),
        "name": service.name.as_deref(),
        "sdks": service.sdks.as_slice(),
        "interval": service.interval.map(to_ms),
        "instances": list(service.instances.iter().map(instance)),
    }
}

fn instance(instance: &Instance) -> JsonNode {
    object! {
        "resource": instance.resource.to_json(),
        "from": instance.from.map(to_ms),
        "to": instance.to.map(to_ms),
        "exports": instance.exports,
        "series": instance.series,
        "points": instance.points,
        "interval": instance.interval.map(to_ms),
        "gaps": list(instance.gaps.iter().map(|gap| span(gap.from, gap.to))),
        "severalWriters": instance.several_writers,
    }
}

fn metric(metric: &Metric) -> JsonNode {
    let identity = &metric.identity;
    object! {
        "metricName": identity.id(),
        "scope": identity.scope.as_str(),
        "scopeVersions": list(metric.versions.iter().map(String::as_str)),
        "name": identity.name.as_str(),
        "kind": kind(identity.kind),
        "temporality": temporality(identity),
        "monotonic": identity.monotonic,
        "units": list(metric.units.iter().map(String::as_str)),
        "series": metric.series,
        "points": metric.points,
        "attributes": list(metric.attributes.iter().map(Attributes::to_json)),
        "min": metric.range.map(|(low, _)| low),
        "max": metric.range.map(|(_, high)| high),
        "resets": metric.resets,
        "startChanges": metric.start_changes,
        "severalWriters": metric.several_writers,
        "negativeDeltas": metric.negative_deltas,
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
