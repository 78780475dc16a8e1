//! The data points of one export, as ranges of its payload.
//!
//! Nothing is owned but the payload: names and attributes stay the bytes that were received, so that decoding allocates
//! nothing once the lists have grown, and a series is recognised by comparing bytes. What the bytes mean is known to `otlp`.

use super::{Kind, MINUTE, Nanos, Temporality};
use bytes::Bytes;

/// A range of bytes of an [`Export`]'s payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// The decoded form of one payload: three flat lists over its bytes.
///
/// `resources[i].metrics_end` and `metrics[i].points_end` close the runs that start where the one before ended, so the
/// lists nest without pointers: resource i owns the metrics from `resources[i-1].metrics_end` on, and so on.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// The protobuf bytes all spans point into: the payload as received, for JSON its transcription, and for a payload
    /// whose parts lay apart a longer encoding of the same message.
    pub payload: Bytes,
    /// One per `ResourceMetrics`.
    pub resources: Vec<ResourceSpan>,
    /// One per metric with at least one point.
    pub metrics: Vec<MetricSpan>,
    /// One per data point, in the order of the payload.
    pub points: Vec<PointSpan>,
}

/// One `ResourceMetrics`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceSpan {
    /// The `Resource` message.
    pub raw: Span,
    /// Index behind the resource's last metric in [`Export::metrics`].
    pub metrics_end: u32,
    /// Number of the resource's shape, 0 when it has none: resources with the same shape have byte for byte the same
    /// metrics with the same points, apart from times and values.
    pub shape: u64,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricSpan {
    /// Name of the instrumentation scope (text).
    pub scope: Span,
    /// Version of the instrumentation scope (text).
    pub scope_version: Span,
    /// Name of the metric (text).
    pub name: Span,
    /// The whole `Metric` message: unit and description are read from it when they are asked for.
    pub raw: Span,
    /// Data kind.
    pub kind: Kind,
    /// Temporality; `Cumulative` for gauges and for an unspecified one.
    pub temporality: Temporality,
    /// Whether a sum is declared monotonic.
    pub monotonic: bool,
    /// Index behind the metric's last point in [`Export::points`].
    pub points_end: u32,
}

/// One data point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointSpan {
    /// The `attributes` fields, tags and lengths included, without a gap.
    pub attributes: Span,
    /// `time_unix_nano`; 0 when the client set none.
    pub time: Nanos,
    /// `start_time_unix_nano`; 0 when the client set none.
    pub start: Nanos,
    /// The value.
    pub value: PointValue,
}

/// The value of a data point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PointValue {
    /// The flag "no recorded value", or a number point without a number.
    None,
    /// Gauge or sum; integers are converted.
    Number(f64),
    /// The message of a histogram or exponential histogram point, still encoded.
    Histogram(Span),
    /// A summary point.
    Summary,
}

impl Export {
    /// The bytes of a span.
    #[inline]
    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.payload[span.start as usize..span.end as usize]
    }

    /// The receive time of an export that has none of its own: the newest timestamp of its points that is not later than
    /// their lower median + 5 min, so that a few clocks far ahead do not move it. Points without a timestamp do not
    /// count; `None` when there is no other. `scratch` keeps its capacity from call to call.
    pub fn data_time(&self, scratch: &mut Vec<Nanos>) -> Option<Nanos> {
        const AHEAD: Nanos = 5 * MINUTE;
        let times = || self.points.iter().map(|point| point.time).filter(|&time| time != 0);
        let (oldest, newest) = times().fold((Nanos::MAX, 0), |(low, high), time| (low.min(time), high.max(time)));
        if newest == 0 {
            return None;
        }
        // The median is not older than the oldest, so the newest is within its reach: nothing needs to be sorted.
        if newest <= oldest.saturating_add(AHEAD) {
            return Some(newest);
        }
        scratch.clear();
        scratch.extend(times());
        let middle = (scratch.len() - 1) / 2;
        let limit = scratch.select_nth_unstable(middle).1.saturating_add(AHEAD);
        scratch.iter().copied().filter(|&time| time <= limit).max()
    }

    /// Empties the lists and keeps their capacity for the next payload.
    pub fn clear(&mut self) {
        self.payload = Bytes::new();
        self.resources.clear();
        self.metrics.clear();
        self.points.clear();
    }
}
