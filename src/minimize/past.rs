//! What was recorded before an event, series by series, and how a part of it becomes the series of a scenario.
//!
//! Bounded: too many data points are an error, because a search among half of them would find the wrong scenario. Absent on
//! purpose: running anything.

use crate::model::{Attributes, Export, Histogram, Kind, MS, MetricIdentity, Nanos, PointValue, SECOND, Temporality};
use crate::otlp;
use crate::scenario::{BucketLayout, HistogramValue, SampledSeries, SlotSample, SlotValue};
use std::collections::HashMap;

/// Data points that are kept at most.
const MAX_POINTS: usize = 1_000_000;

/// Data points by series, in the order in which the series were first received.
#[derive(Clone, Debug, Default)]
pub struct EventPast {
    pub(super) series: Vec<RecordedSeries>,
    by_identity: HashMap<(Attributes, MetricIdentity, Attributes), usize>,
    /// Only resources with all of these attributes are kept.
    only: Attributes,
    /// Nothing later is kept.
    until: Nanos,
    received_at: Nanos,
    points: usize,
}

/// The data points of one series as they were received.
#[derive(Clone, Debug)]
pub(super) struct RecordedSeries {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub samples: Vec<RecordedSample>,
}

#[derive(Clone, Debug)]
pub(super) struct RecordedSample {
    pub received_at: Nanos,
    pub time: Nanos,
    pub start: Nanos,
    pub value: RecordedValue,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum RecordedValue {
    None,
    Number(f64),
    Histogram(Box<Histogram>),
}

/// More data points than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are more than {MAX_POINTS} data points before the event; cut the recording first (`foreshock convert --from`)"
)]
pub struct TooMany;

impl EventPast {
    /// The past of the resources that have all of these attributes, up to a receive time.
    pub fn new(only: Attributes, until: Nanos) -> Self {
        EventPast { only, until, ..EventPast::default() }
    }

    /// Adds an export. Data points without a time are left out, as the engine drops them.
    pub fn add(&mut self, received_at: Option<Nanos>, export: &Export) -> Result<(), TooMany> {
        self.received_at = self.received_at.max(received_at.unwrap_or(self.received_at));
        if self.received_at > self.until {
            return Ok(());
        }
        let (mut metric_at, mut point_at) = (0, 0);
        for resource in &export.resources {
            let metrics = export.metrics.get(metric_at..resource.metrics_end as usize).unwrap_or_default();
            metric_at = resource.metrics_end as usize;
            let attributes = otlp::resource(export.bytes(resource.raw)).unwrap_or_default();
            let is_kept = self.only.iter().all(|(key, value)| attributes.get(key) == Some(value));
            for metric in metrics {
                let points = export.points.get(point_at..metric.points_end as usize).unwrap_or_default();
                point_at = metric.points_end as usize;
                if !is_kept || metric.kind == Kind::Summary {
                    continue;
                }
                let identity = otlp::metric(export, metric);
                for point in points.iter().filter(|point| point.time != 0) {
                    let own = otlp::attributes(export.bytes(point.attributes)).unwrap_or_default();
                    let value = match point.value {
                        PointValue::None | PointValue::Summary => RecordedValue::None,
                        PointValue::Number(value) => RecordedValue::Number(value),
                        PointValue::Histogram(raw) => {
                            let exponential = metric.kind == Kind::ExponentialHistogram;
                            otlp::histogram(export.bytes(raw), exponential)
                                .map_or(RecordedValue::None, |histogram| RecordedValue::Histogram(Box::new(histogram)))
                        }
                    };
                    let (received_at, time, start) = (self.received_at, point.time, point.start);
                    let sample = RecordedSample { received_at, time, start, value };
                    self.push((attributes.clone(), identity.clone(), own), sample)?;
                }
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        identity: (Attributes, MetricIdentity, Attributes),
        sample: RecordedSample,
    ) -> Result<(), TooMany> {
        if self.points == MAX_POINTS {
            return Err(TooMany);
        }
        self.points += 1;
        let all = &mut self.series;
        let index = *self.by_identity.entry(identity).or_insert_with_key(|(resource, metric, attributes)| {
            let (resource, metric, attributes) = (resource.clone(), metric.clone(), attributes.clone());
            all.push(RecordedSeries { resource, metric, attributes, samples: Vec::new() });
            all.len() - 1
        });
        all[index].samples.push(sample);
        Ok(())
    }

    /// Number of data points.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Number of series.
    pub fn series(&self) -> usize {
        self.series.len()
    }
}

/// How times are rounded when samples are put into slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rounding {
    /// Times and intervals are multiples of this.
    unit: Nanos,
    /// Slots are an interval of the series apart, not a unit.
    even: bool,
    /// Samples are received as late as they usually were.
    keeps_lateness: bool,
}

/// From the most readable to the most exact.
pub(super) const ROUNDINGS: [Rounding; 6] = [
    Rounding { unit: SECOND, even: true, keeps_lateness: false },
    Rounding { unit: SECOND, even: true, keeps_lateness: true },
    Rounding { unit: 100 * MS, even: true, keeps_lateness: false },
    Rounding { unit: 100 * MS, even: true, keeps_lateness: true },
    Rounding { unit: 100 * MS, even: false, keeps_lateness: true },
    Rounding { unit: MS, even: false, keeps_lateness: true },
];

impl RecordedSeries {
    /// The samples from a time on as the series of a scenario that starts at `start`; `None` when there is none, or when they
    /// cannot be written.
    pub fn sampled(&self, from: Nanos, start: Nanos, rounding: Rounding) -> Option<SampledSeries> {
        let Rounding { unit, even, keeps_lateness } = rounding;
        let mut recorded: Vec<&RecordedSample> = self.samples.iter().filter(|sample| sample.time >= from).collect();
        recorded.sort_by_key(|sample| sample.time);
        let first = recorded.first()?;
        let interval = if even { round(median_gap(&recorded), unit).max(unit) } else { unit };
        let origin = round(first.time - start, unit).max(0);
        let lateness = median(recorded.iter().map(|sample| sample.received_at - sample.time).collect()).unwrap_or(0);
        let (mut samples, mut layout, mut last_start): (Vec<SlotSample>, _, _) = (Vec::new(), None, None);
        for sample in &recorded {
            let slot = (sample.time - start - origin + interval / 2).div_euclid(interval);
            let slot = usize::try_from(slot).unwrap_or(0);
            if slot < samples.len() {
                // Of two samples in one slot the first stands for both.
                continue;
            }
            samples.resize(slot, SlotSample { restarted: false, value: SlotValue::Gap });
            let is_later = last_start.is_some_and(|last| sample.start > last);
            last_start = Some(sample.start);
            let value = slot_value(&sample.value, self.metric.kind, &mut layout)?;
            samples.push(SlotSample { restarted: is_later && self.metric.temporality != Temporality::Delta, value });
        }
        Some(SampledSeries {
            resource: self.resource.clone(),
            metric: self.metric.clone(),
            attributes: self.attributes.clone(),
            layout,
            starts: origin,
            interval,
            late_by: if keeps_lateness { round(lateness, unit).max(0) } else { 0 },
            samples,
        })
    }
}

/// A value in the notation of scenarios. All histograms of a series must have the same buckets.
fn slot_value(value: &RecordedValue, kind: Kind, layout: &mut Option<BucketLayout>) -> Option<SlotValue> {
    match value {
        RecordedValue::None => Some(SlotValue::Stale),
        RecordedValue::Number(value) => (!kind.is_histogram()).then_some(SlotValue::Number(*value)),
        RecordedValue::Histogram(histogram) => {
            let (value, own) = HistogramValue::of(histogram)?;
            let shared = layout.get_or_insert_with(|| own.clone());
            (*shared == own).then_some(SlotValue::Histogram(value))
        }
    }
}

fn round(span: Nanos, unit: Nanos) -> Nanos {
    (span + unit / 2).div_euclid(unit) * unit
}

fn median(mut values: Vec<Nanos>) -> Option<Nanos> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// The usual time between two samples; a single one counts as one a second.
fn median_gap(samples: &[&RecordedSample]) -> Nanos {
    let gaps = samples.windows(2).map(|pair| pair[1].time - pair[0].time).filter(|gap| *gap > 0);
    median(gaps.collect()).unwrap_or(SECOND)
}
