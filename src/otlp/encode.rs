//! Data points as the payload of one `ExportMetricsServiceRequest`: the writing half, for points that come from a text.
//!
//! Absent on purpose: summaries, exemplars, units, descriptions.

use super::messages::{ExponentialPoint, HistogramPoint, Resource, bucket_list, key_values};
use crate::model::{Attributes, Buckets, Histogram, Kind, MetricIdentity, Nanos, SampleValue, Temporality};
use prost::Message;
use prost::encoding::message;

/// A metric and its points.
pub struct MetricPoints<'a> {
    /// The metric; a summary is written as a gauge.
    pub identity: &'a MetricIdentity,
    /// Its points.
    pub points: Vec<DataPoint<'a>>,
}

/// One data point to write.
pub struct DataPoint<'a> {
    /// Its attributes.
    pub attributes: &'a Attributes,
    /// Its timestamp.
    pub time: Nanos,
    /// Its start time; 0 for none.
    pub start: Nanos,
    /// Its value; without one it has the flag "no recorded value".
    pub value: Option<SampleValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Named>,
    /// A metric, encoded already.
    #[prost(bytes = "vec", tag = "2")]
    metric: Vec<u8>,
}

/// A scope, or a metric without its data.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// What all kinds of data have in common; points are messages of their kind, encoded already.
#[derive(Clone, PartialEq, Message)]
struct MetricData {
    #[prost(bytes = "vec", repeated, tag = "1")]
    points: Vec<Vec<u8>>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    monotonic: bool,
}

/// A `NumberDataPoint` without its attributes.
#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(double, optional, tag = "4")]
    value: Option<f64>,
}

/// The payload of one export: a resource, and points metric by metric.
pub fn encode(resource: &Attributes, metrics: &[MetricPoints<'_>]) -> Vec<u8> {
    let scope = |metric: &MetricPoints<'_>| ScopeMetrics {
        scope: Some(Named { name: metric.identity.scope.clone() }),
        metric: metric_bytes(metric),
    };
    let resource = Some(Resource { attributes: key_values(resource) });
    let scope_metrics = metrics.iter().map(scope).collect();
    let mut request = Vec::new();
    message::encode(1, &ResourceMetrics { resource, scope_metrics }, &mut request);
    request
}

/// The bytes of a metric: its name, then its data, whose field number is the kind.
fn metric_bytes(MetricPoints { identity, points }: &MetricPoints<'_>) -> Vec<u8> {
    let points = points.iter().map(|point| point_bytes(point, identity.kind)).collect();
    let temporality = if identity.temporality == Temporality::Delta { 1 } else { 2 };
    let (field, temporality) = match identity.kind {
        Kind::Gauge | Kind::Summary => (5, 0),
        Kind::Sum => (7, temporality),
        Kind::Histogram => (9, temporality),
        Kind::ExponentialHistogram => (10, temporality),
    };
    let monotonic = identity.kind == Kind::Sum && identity.monotonic;
    let mut out = Named { name: identity.name.clone() }.encode_to_vec();
    message::encode(field, &MetricData { points, temporality, monotonic }, &mut out);
    out
}

/// The bytes of a point: its attributes, whose field number depends on the kind, then the rest of the message.
fn point_bytes(point: &DataPoint<'_>, kind: Kind) -> Vec<u8> {
    let (attributes_field, flags_field) = match kind {
        Kind::Gauge | Kind::Sum | Kind::Summary => (7, 8),
        Kind::Histogram => (9, 10),
        Kind::ExponentialHistogram => (1, 10),
    };
    let mut out = Vec::new();
    message::encode_repeated(attributes_field, &key_values(point.attributes), &mut out);
    let (start, time) = (point.start as u64, point.time as u64);
    let rest = match &point.value {
        None => {
            prost::encoding::uint32::encode(flags_field, &1, &mut out);
            NumberPoint { start, time, value: None }.encode_to_vec()
        }
        Some(SampleValue::Number(value)) => NumberPoint { start, time, value: Some(*value) }.encode_to_vec(),
        Some(SampleValue::Histogram(histogram)) => histogram_bytes(start, time, histogram),
    };
    out.extend(rest);
    out
}

fn histogram_bytes(start: u64, time: u64, histogram: &Histogram) -> Vec<u8> {
    let Histogram { count, sum, min, max, ref buckets } = *histogram;
    match buckets {
        Buckets::Explicit { bounds, counts } => {
            let (bounds, counts) = (bounds.clone(), counts.clone());
            HistogramPoint { start, time, count, sum, counts, bounds, min, max }.encode_to_vec()
        }
        Buckets::Exponential { scale, zero_count, positive, negative } => {
            let (scale, zero_count) = (*scale, *zero_count);
            let (positive, negative) = (bucket_list(positive), bucket_list(negative));
            ExponentialPoint { start, time, count, sum, scale, zero_count, positive, negative, min, max }
                .encode_to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExponentialBuckets, Value};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};

    fn identity(kind: Kind, temporality: Temporality, monotonic: bool) -> MetricIdentity {
        MetricIdentity { scope: "app".into(), name: "m".into(), kind, temporality, monotonic }
    }

    fn decoded(identity: &MetricIdentity, value: Option<SampleValue>) -> Data {
        let resource = Attributes::new(vec![("service.name".into(), Value::String("shop".into()))]);
        let set =
            Attributes::new(vec![("n".into(), Value::Int(-1)), ("a".into(), Value::Array(vec![Value::Bool(true)]))]);
        let point = DataPoint { attributes: &set, time: 5, start: 3, value };
        let bytes = encode(&resource, &[MetricPoints { identity, points: vec![point] }]);
        let mut read = ExportMetricsServiceRequest::decode(bytes.as_slice()).expect("what is written can be read");
        let mut inner = read.resource_metrics.remove(0);
        assert_eq!(inner.resource.take().expect("a resource").attributes[0].key, "service.name");
        let mut scope = inner.scope_metrics.remove(0);
        assert_eq!(scope.scope.take().expect("a scope").name, "app");
        scope.metrics.remove(0).data.expect("data")
    }

    #[test]
    fn numbers() {
        let Data::Sum(sum) = decoded(&identity(Kind::Sum, Temporality::Delta, true), Some(SampleValue::Number(2.5)))
        else {
            panic!("a sum");
        };
        let point = &sum.data_points[0];
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true));
        assert_eq!((point.time_unix_nano, point.start_time_unix_nano, point.flags), (5, 3, 0));
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(2.5)));
        assert_eq!(point.attributes.len(), 2);
        let Data::Gauge(gauge) = decoded(&identity(Kind::Gauge, Temporality::Cumulative, false), None) else {
            panic!("a gauge");
        };
        assert_eq!((gauge.data_points[0].flags, gauge.data_points[0].value), (1, None));
    }

    #[test]
    fn histograms() {
        let explicit = Buckets::Explicit { bounds: vec![1.0, 2.0], counts: vec![2, 1, 300] };
        let histogram = Histogram { count: 307, sum: Some(9.0), min: Some(1.0), max: None, buckets: explicit };
        let value = Some(SampleValue::Histogram(histogram.clone().into()));
        let Data::Histogram(data) = decoded(&identity(Kind::Histogram, Temporality::Cumulative, false), value) else {
            panic!("a histogram");
        };
        let point = &data.data_points[0];
        assert_eq!(
            (point.bucket_counts.as_slice(), point.explicit_bounds.as_slice()),
            (&[2, 1, 300][..], &[1.0, 2.0][..])
        );
        assert_eq!((point.count, point.sum, point.min, point.max), (307, Some(9.0), Some(1.0), None));
        assert_eq!((data.aggregation_temporality, point.attributes.len()), (2, 2));
        let positive = ExponentialBuckets { offset: -7, counts: vec![2, 1, 300] };
        let negative = ExponentialBuckets::default();
        let buckets = Buckets::Exponential { scale: -2, zero_count: 4, positive, negative };
        let value = Some(SampleValue::Histogram(Histogram { buckets, ..histogram }.into()));
        let kind = identity(Kind::ExponentialHistogram, Temporality::Delta, false);
        let Data::ExponentialHistogram(data) = decoded(&kind, value) else { panic!("an exponential histogram") };
        let point = &data.data_points[0];
        let buckets = point.positive.as_ref().expect("buckets");
        assert_eq!((point.scale, point.zero_count, point.count), (-2, 4, 307));
        assert_eq!((buckets.offset, buckets.bucket_counts.as_slice()), (-7, &[2, 1, 300][..]));
        assert_eq!((point.min, point.sum, point.attributes.len()), (Some(1.0), Some(9.0), 2));
    }
}
