//! What a sample is by itself: a pure function of the sample and the time at which it was received.
//!
//! The checks come in a fixed order, and the first that fails gives the reason: value, time, future. The engine, the answer
//! to the sender and `inspect` all use this one. What depends on other samples is decided by `admit`.

use super::drop_reason::DropReason;
use crate::engine::options::Timestamps;
use crate::model::{Buckets, Export, Histogram, Kind, MINUTE, Nanos, PointSpan, PointValue, Sample, SampleValue};
use crate::otlp;

/// A sample may be this much later than it was received.
const FUTURE: Nanos = 5 * MINUTE;

/// When samples were received, and whether that is their time.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// The receive time; without one no sample can be accepted.
    pub received_at: Option<Nanos>,
    /// Which time a sample has.
    pub timestamps: Timestamps,
}

impl Received {
    #[inline]
    fn time_of(self, point: &PointSpan) -> Nanos {
        match self.timestamps {
            Timestamps::Event => point.time,
            Timestamps::Arrival => self.received_at.unwrap_or(0),
        }
    }

    /// The latest time of a sample.
    #[inline]
    fn latest(self) -> Nanos {
        self.received_at.map_or(Nanos::MIN, |at| at.saturating_add(FUTURE))
    }
}

/// A data point as a sample, or why it is dropped. `kind` is that of its metric.
#[inline]
pub fn classify(
    export: &Export,
    kind: Kind,
    point: &PointSpan,
    received: Received,
) -> Result<Sample<SampleValue>, DropReason> {
    let value = match point.value {
        PointValue::Number(value) if value.is_finite() => SampleValue::Number(value),
        PointValue::Number(_) => return Err(DropReason::NotFinite),
        PointValue::None => return Err(DropReason::NoRecordedValue),
        PointValue::Summary => return Err(DropReason::Summary),
        PointValue::Histogram(raw) => {
            let histogram = otlp::histogram(export.bytes(raw), kind == Kind::ExponentialHistogram)?;
            SampleValue::Histogram(Box::new(sound(histogram)?))
        }
    };
    let time = received.time_of(point);
    if time == 0 {
        return Err(DropReason::NoTime);
    }
    if time > received.latest() {
        return Err(DropReason::Future);
    }
    Ok(Sample { time, start: point.start, value })
}

/// The time of all these points, when it is the same and each of them is a number that passes all checks.
#[inline]
pub(super) fn classify_row(points: &[PointSpan], received: Received) -> Option<Nanos> {
    let first = points.first()?;
    let mut odd = 0;
    for point in points {
        let PointValue::Number(value) = point.value else { return None };
        odd |= (point.time ^ first.time) | Nanos::from(!value.is_finite());
    }
    let time = received.time_of(first);
    (odd == 0 && time != 0 && time <= received.latest()).then_some(time)
}

/// How many points of an export will be dropped for what they are, by reason: what its sender can be told at once.
pub fn count_dropped(export: &Export, received: Received) -> [u64; DropReason::ALL.len()] {
    let mut counts = [0; DropReason::ALL.len()];
    let mut first = 0;
    for metric in &export.metrics {
        for point in &export.points[first..metric.points_end as usize] {
            if let Err(reason) = classify(export, metric.kind, point, received) {
                counts[reason as usize] += 1;
            }
        }
        first = metric.points_end as usize;
    }
    counts
}

/// The histogram, when its parts are finite and fit together.
fn sound(histogram: Histogram) -> Result<Histogram, DropReason> {
    let Histogram { sum, min, max, .. } = &histogram;
    if [sum, min, max].into_iter().flatten().any(|part| !part.is_finite()) {
        return Err(DropReason::NotFinite);
    }
    match &histogram.buckets {
        Buckets::Explicit { bounds, counts } if !counts.is_empty() && counts.len() != bounds.len() + 1 => {
            Err(DropReason::Malformed)
        }
        _ => Ok(histogram),
    }
}

impl From<otlp::DecodeError> for DropReason {
    fn from(_: otlp::DecodeError) -> Self {
        DropReason::Malformed
    }
}
