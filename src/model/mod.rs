//! The nouns every room speaks: timestamps, attributes, metric kinds, histograms, and the [`Export`] of one export.
//!
//! Owns the data types and nothing else: no parsing, no arithmetic over windows, no rules. A type lands here when two
//! rooms that may not see each other have to pass it on.

mod aggregation;
mod attributes;
mod export;
mod metric;
mod sample;
mod sketch;
mod time;

pub use aggregation::Aggregation;
pub use attributes::{Attributes, Value};
pub use export::{Export, MetricSpan, PointSpan, PointValue, ResourceSpan, Span};
pub use metric::{Kind, MetricIdentity, Temporality};
pub use sample::{Buckets, ExponentialBuckets, Histogram, Sample, SampleValue};
pub use sketch::Sketch;
pub use time::{MINUTE, MS, Moment, Nanos, SECOND, clamp_time, to_ms};
