//! Arrivals as plain data: what the oracle judges, and what is encoded for the engine.
//!
//! The flat list of points keeps the order of the body, so "the first one stays" means the same to both.

use foreshock::model::{Attributes, Buckets, ExponentialBuckets, Histogram, Kind, MetricIdentity, Temporality, Value};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::metrics::v1 as wire;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

pub const S: i64 = 1_000_000_000;
/// A multiple of five minutes, in nanoseconds.
pub const BASE: i64 = 1_763_793_000 * S;

/// One body and the instant it arrived at.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: Option<i64>,
    pub points: Vec<Point>,
}

/// One data point with everything that identifies its series.
#[derive(Clone, Debug)]
pub struct Point {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub time: i64,
    pub start: i64,
    pub value: PointValue,
}

#[derive(Clone, Debug)]
pub enum PointValue {
    /// The flag "no recorded value".
    Flagged,
    /// A number point without a number.
    Missing,
    Int(i64),
    Double(f64),
    Histogram(Histogram),
    Summary,
}

pub fn text(value: &str) -> Value {
    Value::String(value.to_string())
}

pub fn set(pairs: &[(&str, Value)]) -> Attributes {
    Attributes::new(pairs.iter().map(|(key, value)| (key.to_string(), value.clone())).collect())
}

/// The instant of a foreign recording's body: its newest time that is not later than the lower median of all times plus
/// five minutes. Times of 0 do not count.
pub fn foreign_at(points: &[Point]) -> Option<i64> {
    let mut times: Vec<i64> = points.iter().map(|point| point.time).filter(|time| *time != 0).collect();
    times.sort_unstable();
    let median = *times.get(times.len().checked_sub(1)? / 2)?;
    times.into_iter().rfind(|time| *time <= median + 300 * S)
}

/// The bytes of an arrival's body. Neighbouring points share a resource, scope or metric where they can.
pub fn encode(points: &[Point]) -> Vec<u8> {
    let mut request = ExportMetricsServiceRequest::default();
    for of_resource in points.chunk_by(|a, b| a.resource == b.resource) {
        let mut inner = wire::ResourceMetrics {
            resource: Some(Resource { attributes: key_values(&of_resource[0].resource), ..Resource::default() }),
            ..wire::ResourceMetrics::default()
        };
        for of_scope in of_resource.chunk_by(|a, b| a.metric.scope == b.metric.scope) {
            let name = of_scope[0].metric.scope.clone();
            let metrics = of_scope.chunk_by(|a, b| a.metric == b.metric && summary(a) == summary(b));
            inner.scope_metrics.push(wire::ScopeMetrics {
                scope: Some(InstrumentationScope { name, ..InstrumentationScope::default() }),
                metrics: metrics.map(metric).collect(),
                ..wire::ScopeMetrics::default()
            });
        }
        request.resource_metrics.push(inner);
    }
    request.encode_to_vec()
}

fn summary(point: &Point) -> bool {
    matches!(point.value, PointValue::Summary)
}

fn metric(points: &[Point]) -> wire::Metric {
    let identity = &points[0].metric;
    let aggregation_temporality = match identity.temporality {
        Temporality::Cumulative => 2,
        Temporality::Delta => 1,
    };
    let data = match identity.kind {
        _ if summary(&points[0]) => {
            let data_points = points.iter().map(|point| wire::SummaryDataPoint {
                attributes: key_values(&point.attributes),
                time_unix_nano: point.time as u64,
                ..wire::SummaryDataPoint::default()
            });
            wire::metric::Data::Summary(wire::Summary { data_points: data_points.collect() })
        }
        Kind::Gauge | Kind::Summary => {
            wire::metric::Data::Gauge(wire::Gauge { data_points: points.iter().map(number).collect() })
        }
        Kind::Sum => wire::metric::Data::Sum(wire::Sum {
            data_points: points.iter().map(number).collect(),
            aggregation_temporality,
            is_monotonic: identity.monotonic,
        }),
        Kind::Histogram => wire::metric::Data::Histogram(wire::Histogram {
            data_points: points.iter().map(explicit).collect(),
            aggregation_temporality,
        }),
        Kind::ExponentialHistogram => wire::metric::Data::ExponentialHistogram(wire::ExponentialHistogram {
            data_points: points.iter().map(exponential).collect(),
            aggregation_temporality,
        }),
    };
    wire::Metric { name: identity.name.clone(), data: Some(data), ..wire::Metric::default() }
}

fn flags(point: &Point) -> u32 {
    u32::from(matches!(point.value, PointValue::Flagged))
}

fn number(point: &Point) -> wire::NumberDataPoint {
    wire::NumberDataPoint {
        attributes: key_values(&point.attributes),
        time_unix_nano: point.time as u64,
        start_time_unix_nano: point.start as u64,
        flags: flags(point),
        value: match point.value {
            PointValue::Int(v) => Some(wire::number_data_point::Value::AsInt(v)),
            PointValue::Double(v) => Some(wire::number_data_point::Value::AsDouble(v)),
            _ => None,
        },
        ..wire::NumberDataPoint::default()
    }
}

fn explicit(point: &Point) -> wire::HistogramDataPoint {
    let mut out = wire::HistogramDataPoint {
        attributes: key_values(&point.attributes),
        time_unix_nano: point.time as u64,
        start_time_unix_nano: point.start as u64,
        flags: flags(point),
        ..wire::HistogramDataPoint::default()
    };
    if let PointValue::Histogram(Histogram { count, sum, min, max, buckets: Buckets::Explicit { bounds, counts } }) =
        &point.value
    {
        (out.count, out.sum, out.min, out.max) = (*count, *sum, *min, *max);
        out.explicit_bounds = bounds.clone();
        out.bucket_counts = counts.clone();
    }
    out
}

fn exponential(point: &Point) -> wire::ExponentialHistogramDataPoint {
    let mut out = wire::ExponentialHistogramDataPoint {
        attributes: key_values(&point.attributes),
        time_unix_nano: point.time as u64,
        start_time_unix_nano: point.start as u64,
        flags: flags(point),
        ..wire::ExponentialHistogramDataPoint::default()
    };
    if let PointValue::Histogram(histogram) = &point.value
        && let Buckets::Exponential { scale, zero_count, positive, negative } = &histogram.buckets
    {
        let run = |buckets: &ExponentialBuckets| wire::exponential_histogram_data_point::Buckets {
            offset: buckets.offset,
            bucket_counts: buckets.counts.clone(),
        };
        (out.count, out.sum, out.min, out.max) = (histogram.count, histogram.sum, histogram.min, histogram.max);
        (out.scale, out.zero_count) = (*scale, *zero_count);
        (out.positive, out.negative) = (Some(run(positive)), Some(run(negative)));
    }
    out
}

fn key_values(set: &Attributes) -> Vec<KeyValue> {
    set.iter()
        .map(|(key, value)| KeyValue { key: key.to_string(), value: Some(any_value(value)), ..KeyValue::default() })
        .collect()
}

fn any_value(value: &Value) -> AnyValue {
    use any_value::Value as Wire;
    let value = match value {
        Value::Null => None,
        Value::String(v) => Some(Wire::StringValue(v.clone())),
        Value::Bool(v) => Some(Wire::BoolValue(*v)),
        Value::Int(v) => Some(Wire::IntValue(*v)),
        Value::Double(v) => Some(Wire::DoubleValue(*v)),
        Value::Bytes(v) => Some(Wire::BytesValue(v.clone())),
        Value::Array(v) => Some(Wire::ArrayValue(ArrayValue { values: v.iter().map(any_value).collect() })),
        Value::Map(v) => Some(Wire::KvlistValue(KeyValueList { values: key_values(v) })),
    };
    AnyValue { value }
}
