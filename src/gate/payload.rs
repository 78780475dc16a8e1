//! The samples of a scenario as export requests, in the order in which they are received.
//!
//! All samples of one receive time and resource are in one request, in the order of the text.

use crate::model::{Kind, MS, Nanos, SampleValue, Temporality};
use crate::otlp::{self, DataPoint, MetricPoints};
use crate::scenario::{ReceiveTime, Scenario, ScenarioSeries, SlotValue};
use std::collections::HashMap;
use std::hash::Hash;

/// A sample and where it goes: ordered by receive time, resource, metric, then by the text.
struct Placed<'a> {
    received_at: Nanos,
    resource: usize,
    metric: usize,
    series: &'a ScenarioSeries,
    time: Nanos,
    start: Nanos,
    value: SlotValue,
}

/// The payloads of a scenario with the times they are received at, in order.
pub(super) fn payloads(scenario: &Scenario) -> Vec<(Nanos, Vec<u8>)> {
    let (mut resources, mut metrics) = (HashMap::new(), HashMap::new());
    let mut placed = Vec::new();
    for series in &scenario.series {
        let (resource, metric) = (number(&mut resources, &series.resource), number(&mut metrics, &series.metric));
        place(scenario.start, series, resource, metric, &mut placed);
    }
    placed.sort_by_key(|sample| (sample.received_at, sample.resource, sample.metric));
    placed
        .chunk_by(|a, b| (a.received_at, a.resource) == (b.received_at, b.resource))
        .map(|request| {
            let by_metric = request.chunk_by(|a, b| a.metric == b.metric);
            let metrics: Vec<MetricPoints<'_>> = by_metric
                .map(|samples| MetricPoints {
                    identity: &samples[0].series.metric,
                    points: samples.iter().map(point).collect(),
                })
                .collect();
            (request[0].received_at, otlp::encode(&request[0].series.resource, &metrics))
        })
        .collect()
}

fn point<'a>(placed: &'a Placed<'a>) -> DataPoint<'a> {
    let value = match (&placed.value, &placed.series.layout) {
        (SlotValue::Number(value), _) => Some(SampleValue::Number(*value)),
        (SlotValue::Histogram(value), Some(layout)) => Some(SampleValue::Histogram(value.to_histogram(layout).into())),
        (SlotValue::Gap | SlotValue::Stale | SlotValue::Histogram(_), _) => None,
    };
    DataPoint { attributes: &placed.series.attributes, time: placed.time, start: placed.start, value }
}

/// The number of a thing, in the order in which things are first seen.
fn number<T: Hash + Eq>(seen: &mut HashMap<T, usize>, thing: T) -> usize {
    let next = seen.len();
    *seen.entry(thing).or_insert(next)
}

/// Places the samples of one series.
///
/// A process that starts or restarts does so one millisecond before its next sample, like clients that first see a counter
/// when they export it. A later delta sample starts at the slot before it, so that a gap is a lost export.
fn place<'a>(begin: Nanos, series: &'a ScenarioSeries, resource: usize, metric: usize, placed: &mut Vec<Placed<'a>>) {
    let mut time = begin + series.starts;
    let mut start = time - MS;
    let mut is_first = true;
    for sample in series.samples() {
        is_first |= sample.restarted;
        if sample.value != SlotValue::Gap {
            if is_first {
                start = time - MS;
            } else if series.metric.temporality == Temporality::Delta {
                start = time - series.interval;
            }
            is_first = false;
            let received_at = match series.received {
                ReceiveTime::Late(by) => time + by,
                ReceiveTime::At(at) => begin + at,
            };
            let start = if series.metric.kind == Kind::Gauge { 0 } else { start };
            placed.push(Placed { received_at, resource, metric, series, time, start, value: sample.value });
        }
        time += series.interval;
    }
}
