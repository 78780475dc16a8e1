//! An export goes in, on one of two paths: whole, when it is like the resource's last one; otherwise sample by sample.
//!
//! A resource and an entity exist from the first sample that `classify` lets pass.

use super::admit::{Admission, admit, has_room};
use super::changes::ReceivedFrom;
use super::classify::{Received, classify, classify_row};
use super::drop_reason::DropReason;
use super::resources::{Ingest, add_bytes};
use crate::model::{Export, MetricSpan, Nanos, PointSpan, PointValue, ResourceSpan, Sample};
use crate::otlp;
use crate::series::{NameBytes, ResourceId};

/// Takes an export in at the engine's time; what it has changed is in the changes then.
pub(in crate::engine) fn ingest(ingest: &mut Ingest, export: &Export) {
    ingest.counts.points += export.points.len() as u64;
    if let Some(now) = ingest.now {
        ingest.coverage.from.get_or_insert(now);
    }
    ingest.any_time |= export.points.iter().any(|p| p.time != 0);
    let (mut metric, mut point) = (0, 0);
    for resource in &export.resources {
        let metrics = &export.metrics[metric..resource.metrics_end as usize];
        metric = resource.metrics_end as usize;
        let end = metrics.last().map_or(point, |m| m.points_end as usize);
        if !ingest_row(ingest, export, resource, &export.points[point..end]) {
            ingest_samples(ingest, export, resource, metrics, point);
        }
        point = end;
    }
}

/// The first path: an export of the shape of the resource's last one, all of whose samples are plain. Tells whether it was.
#[inline]
fn ingest_row(ingest: &mut Ingest, export: &Export, span: &ResourceSpan, points: &[PointSpan]) -> bool {
    if span.shape == 0 || ingest.merges() {
        return false;
    }
    let received = Received { received_at: ingest.now, timestamps: ingest.options.timestamps };
    let (Some(resource), Some(now)) = (ingest.find_bytes(export.bytes(span.raw)), ingest.now) else {
        return false;
    };
    let Some(time) = classify_row(points, received) else { return false };
    if !ingest.store.put_row(resource, span.shape, points, time, now) {
        return false;
    }
    let mut forwarded = 0;
    while let Some((position, series)) = ingest.store.forwarded(resource, forwarded) {
        forwarded += 1;
        let PointSpan { start, value: PointValue::Number(value), .. } = points[position] else { continue };
        ingest.changes.trend_samples.push((series, Sample { time, start, value }));
    }
    end_export(ingest, resource, time);
    true
}

/// The second path: each sample is classified and admitted by itself. The points begin at `first`.
fn ingest_samples(ingest: &mut Ingest, export: &Export, span: &ResourceSpan, metrics: &[MetricSpan], first: usize) {
    let received = Received { received_at: ingest.now, timestamps: ingest.options.timestamps };
    let mut admission: Option<Admission> = None;
    let mut begin = first;
    for metric in metrics {
        let points = &export.points[begin..metric.points_end as usize];
        begin = metric.points_end as usize;
        let mut is_begun = false;
        for point in points {
            let result = classify(export, metric.kind, point, received).and_then(|sample| {
                let admission = match &mut admission {
                    Some(admission) => admission,
                    None => admission.insert(begin_export(ingest, export.bytes(span.raw))?),
                };
                if !is_begun {
                    is_begun = true;
                    begin_metric(ingest, admission, export, metric);
                }
                admit(ingest, admission, export.bytes(point.attributes), sample)
            });
            if let Err(reason) = result {
                ingest.counts.dropped[reason as usize] += 1;
            }
        }
    }
    if let Some(Admission { cursor, newest, .. }) = admission {
        let (resource, is_whole) = (cursor.resource(), cursor.points() == begin - first);
        ingest.store.end(cursor, if is_whole { span.shape } else { 0 });
        end_export(ingest, resource, newest);
    }
}

fn begin_export(ingest: &mut Ingest, raw: &[u8]) -> Result<Admission, DropReason> {
    let resource = match ingest.find_bytes(raw) {
        Some(resource) => resource,
        None => add_bytes(ingest, raw)?,
    };
    let entity = ingest.resources[resource as usize].entity;
    let cursor = ingest.store.index().begin(resource);
    // A sample that `classify` lets pass has been received.
    Ok(Admission { cursor, entity, now: ingest.now.unwrap_or(Nanos::MIN), newest: Nanos::MIN })
}

#[inline]
fn begin_metric(ingest: &mut Ingest, admission: &mut Admission, export: &Export, metric: &MetricSpan) {
    let has_room = has_room(ingest, admission.entity);
    let bytes = NameBytes {
        metric: Some((metric.kind, metric.temporality, metric.monotonic)),
        scope: export.bytes(metric.scope),
        name: export.bytes(metric.name),
    };
    ingest.store.index().metric(&mut admission.cursor, &bytes, has_room, || otlp::metric(export, metric));
}

/// An export of a resource is in; the newest of its samples has this time.
#[inline]
fn end_export(ingest: &mut Ingest, resource: ResourceId, newest: Nanos) {
    let entity = ingest.resources[resource as usize].entity;
    let of = &mut ingest.entities[entity as usize];
    of.newest = of.newest.max(newest);
    ingest.changes.received.push(ReceivedFrom { entity, newest });
}
