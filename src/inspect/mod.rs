//! What is in a recording, without any rule: services and instances, metrics with kind, unit and attributes, the export
//! interval, the client's release, gaps, resets, several writers, and what would be dropped.
//!
//! Pure: exports in, findings out; `render` gives them a shape. Absent on purpose: judging. Whether a point is too late or
//! too dense depends on the rules, so neither is counted here; points that arrive out of order are.

mod client;
mod facts;
mod findings;

pub use client::{Client, Clients};
pub use findings::{Findings, Gap, Instance, Metric, Service};

use crate::engine::{DropReason, Received, Timestamps, classify};
use crate::model::{Attributes, Export, MetricIdentity, MetricSpan, Nanos, PointSpan};
use crate::otlp;
use facts::{ResourceFacts, SeriesFacts};
use std::collections::HashMap;

/// Collects facts from exports.
#[derive(Debug, Default)]
pub struct Inspection {
    clients: Clients,
    resources: Vec<ResourceFacts>,
    by_raw_resource: HashMap<Vec<u8>, usize>,
    by_resource: HashMap<Attributes, usize>,
    /// What is known of the metrics without their series.
    metrics: Vec<Metric>,
    by_metric: HashMap<MetricIdentity, usize>,
    by_raw_metric: HashMap<Vec<u8>, usize>,
    series: Vec<SeriesFacts>,
    by_raw_series: HashMap<SeriesKey, HashMap<Vec<u8>, Result<usize, DropReason>>>,
    by_series: HashMap<(SeriesKey, Attributes), usize>,
    /// What is known without looking at all of it.
    totals: Findings,
}

/// Resource and metric.
type SeriesKey = (usize, usize);

impl Inspection {
    /// Looks at one arrival.
    pub fn add(&mut self, export: &Export, at: Option<Nanos>) {
        self.clients.add(export);
        self.totals.bodies += 1;
        if let Some(at) = at {
            let (first, last) = self.totals.arrived.unwrap_or((at, at));
            self.totals.arrived = Some((first.min(at), last.max(at)));
        }
        let (mut metric, mut point) = (0, 0);
        for span in &export.resources {
            let resource = self.resource(export.bytes(span.raw));
            let mut newest = None;
            while metric < span.metrics_end as usize {
                let Some(metric_span) = export.metrics.get(metric) else { break };
                let known = self.metric(export, metric_span);
                let end = metric_span.points_end as usize;
                for point in export.points.get(point..end).unwrap_or_default() {
                    let kept = self.point(export, (resource, known), metric_span, point, at);
                    newest = newest.max(kept);
                }
                point = end;
                metric += 1;
            }
            if let (Some(facts), Some(newest)) = (self.resources.get_mut(resource), newest) {
                facts.exported(newest);
            }
        }
    }

    fn resource(&mut self, raw: &[u8]) -> usize {
        if let Some(index) = self.by_raw_resource.get(raw) {
            return *index;
        }
        // The decoder has walked these bytes already; what it can still refuse is read as an empty resource.
        let attributes = otlp::resource(raw).unwrap_or_default();
        let next = self.resources.len();
        let index = *self.by_resource.entry(attributes).or_insert_with_key(|attributes| {
            self.resources.push(ResourceFacts::new(attributes.clone()));
            next
        });
        self.by_raw_resource.insert(raw.to_vec(), index);
        index
    }

    fn metric(&mut self, export: &Export, span: &MetricSpan) -> usize {
        let mut key = vec![span.kind as u8, span.temporality as u8, u8::from(span.monotonic)];
        for part in [span.scope, span.scope_version, span.name] {
            key.extend_from_slice(&(part.end - part.start).to_le_bytes());
            key.extend_from_slice(export.bytes(part));
        }
        if let Some(index) = self.by_raw_metric.get(&key) {
            return *index;
        }
        let next = self.metrics.len();
        let index = *self.by_metric.entry(otlp::metric(export, span)).or_insert_with_key(|identity| {
            self.metrics.push(Metric::new(identity.clone()));
            next
        });
        if let Some(facts) = self.metrics.get_mut(index) {
            let (unit, _) = otlp::metric_text(export.bytes(span.raw));
            facts.units.insert(unit);
            let version = String::from_utf8_lossy(export.bytes(span.scope_version)).into_owned();
            facts.versions.extend(Some(version).filter(|version| !version.is_empty()));
        }
        self.by_raw_metric.insert(key, index);
        index
    }

    /// The time of the point when it passes all checks.
    fn point(
        &mut self,
        export: &Export,
        key: SeriesKey,
        metric: &MetricSpan,
        point: &PointSpan,
        at: Option<Nanos>,
    ) -> Option<Nanos> {
        self.totals.points += 1;
        // Without a receive time no point is in the future.
        let received = Received { received_at: at.or(Some(Nanos::MAX)), timestamps: Timestamps::Event };
        let sample = match classify(export, metric.kind, point, received) {
            Ok(sample) => sample,
            Err(reason) => return self.drop(reason),
        };
        let series = match self.series(key, export.bytes(point.attributes)) {
            Ok(series) => series,
            Err(reason) => return self.drop(reason),
        };
        match self.series.get_mut(series)?.add(metric, sample) {
            Ok(is_in_order) => self.totals.out_of_order += u64::from(!is_in_order),
            Err(not_kept) => return self.drop(not_kept.into()),
        }
        Some(point.time)
    }

    fn drop(&mut self, reason: DropReason) -> Option<Nanos> {
        if let Some(n) = self.totals.dropped.get_mut(reason as usize) {
            *n += 1;
        }
        None
    }

    /// The series of these raw attributes, or why its points are dropped.
    fn series(&mut self, key: SeriesKey, raw: &[u8]) -> Result<usize, DropReason> {
        let known = self.by_raw_series.entry(key).or_default();
        if let Some(index) = known.get(raw) {
            return *index;
        }
        let index = otlp::attributes(raw).map_err(DropReason::from).map(|attributes| {
            let next = self.series.len();
            *self.by_series.entry((key, attributes)).or_insert_with_key(|(_, attributes)| {
                self.series.push(SeriesFacts::new(key, attributes.clone()));
                next
            })
        });
        known.insert(raw.to_vec(), index);
        index
    }
}
