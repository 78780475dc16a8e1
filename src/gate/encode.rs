//! Points of a scenario as the bytes of one `ExportMetricsServiceRequest`.
//!
//! A scenario goes the way real data goes, bytes first, so that it also tests the decoder. This is the writing half of
//! protobuf for the few messages that are needed; lengths are known because inner messages are finished first. Absent on
//! purpose: summaries, exemplars, units, descriptions.

use crate::model::{Attributes, Kind, MetricIdentity, Nanos, Temporality, Value};
use crate::scenario::{Sample, Shape};

/// One data point to write.
pub(super) struct Point<'a> {
    pub attributes: &'a Attributes,
    pub time: Nanos,
    pub start: Nanos,
    pub value: PointValue<'a>,
}

/// What the point says.
pub(super) enum PointValue<'a> {
    /// The flag "no recorded value".
    Stale,
    Number(f64),
    Histogram {
        sample: Sample,
        shape: &'a Shape,
    },
}

/// The body of one export: a resource, and points metric by metric.
pub(super) fn request(resource: &Attributes, metrics: &[(&MetricIdentity, Vec<Point<'_>>)]) -> Vec<u8> {
    let mut inner = Vec::new();
    message(&mut inner, 1, &attributes(1, resource));
    for (identity, points) in metrics {
        let mut scope = Vec::new();
        let mut name = Vec::new();
        message(&mut name, 1, identity.scope.as_bytes());
        message(&mut scope, 1, &name);
        message(&mut scope, 2, &metric(identity, points));
        message(&mut inner, 2, &scope);
    }
    let mut out = Vec::new();
    message(&mut out, 1, &inner);
    out
}

fn metric(identity: &MetricIdentity, points: &[Point<'_>]) -> Vec<u8> {
    let (field, temporal) = match identity.kind {
        Kind::Gauge | Kind::Summary => (5, false),
        Kind::Sum => (7, true),
        Kind::Histogram => (9, true),
        Kind::ExponentialHistogram => (10, true),
    };
    let mut data = Vec::new();
    for one in points {
        message(&mut data, 1, &point(one, identity.kind));
    }
    if temporal {
        varint_field(&mut data, 2, if identity.temporality == Temporality::Delta { 1 } else { 2 });
    }
    if identity.kind == Kind::Sum && identity.monotonic {
        varint_field(&mut data, 3, 1);
    }
    let mut out = Vec::new();
    message(&mut out, 1, identity.name.as_bytes());
    message(&mut out, field, &data);
    out
}

fn point(point: &Point<'_>, kind: Kind) -> Vec<u8> {
    let (attributes_field, flags_field) = match kind {
        Kind::Gauge | Kind::Sum | Kind::Summary => (7, 8),
        Kind::Histogram => (9, 10),
        Kind::ExponentialHistogram => (1, 10),
    };
    let mut out = attributes(attributes_field, point.attributes);
    if point.start != 0 {
        fixed64_field(&mut out, 2, point.start as u64);
    }
    fixed64_field(&mut out, 3, point.time as u64);
    match &point.value {
        PointValue::Stale => varint_field(&mut out, flags_field, 1),
        PointValue::Number(value) => fixed64_field(&mut out, 4, value.to_bits()),
        PointValue::Histogram { sample, shape } => histogram(&mut out, sample, shape),
    }
    out
}

fn histogram(out: &mut Vec<u8>, sample: &Sample, shape: &Shape) {
    fixed64_field(out, 4, sample.total());
    let mut double = |field, value: Option<f64>| {
        if let Some(value) = value {
            fixed64_field(out, field, value.to_bits());
        }
    };
    double(5, sample.sum);
    match shape {
        Shape::Explicit { bounds } => {
            double(11, sample.min);
            double(12, sample.max);
            message(out, 6, &sample.counts.iter().flat_map(|c| c.to_le_bytes()).collect::<Vec<u8>>());
            message(out, 7, &bounds.iter().flat_map(|b| b.to_le_bytes()).collect::<Vec<u8>>());
        }
        Shape::Exponential { scale, offset } => {
            double(12, sample.min);
            double(13, sample.max);
            varint_field(out, 6, zigzag(*scale));
            fixed64_field(out, 7, sample.zero);
            let mut packed = Vec::new();
            for count in &sample.counts {
                varint(&mut packed, *count);
            }
            let mut buckets = Vec::new();
            varint_field(&mut buckets, 1, zigzag(*offset));
            message(&mut buckets, 2, &packed);
            message(out, 8, &buckets);
        }
    }
}

fn attributes(field: u32, set: &Attributes) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in set.iter() {
        message(&mut out, field, &key_value(key, value));
    }
    out
}

fn key_value(key: &str, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, 1, key.as_bytes());
    message(&mut out, 2, &any_value(value));
    out
}

fn any_value(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Null => {}
        Value::String(v) => message(&mut out, 1, v.as_bytes()),
        Value::Bool(v) => varint_field(&mut out, 2, u64::from(*v)),
        Value::Int(v) => varint_field(&mut out, 3, *v as u64),
        Value::Double(v) => fixed64_field(&mut out, 4, v.to_bits()),
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                message(&mut list, 1, &any_value(item));
            }
            message(&mut out, 5, &list);
        }
        Value::Map(set) => message(&mut out, 6, &attributes(1, set)),
        Value::Bytes(v) => message(&mut out, 7, v),
    }
    out
}

fn zigzag(v: i32) -> u64 {
    u64::from(((v << 1) ^ (v >> 31)) as u32)
}

fn varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn varint_field(out: &mut Vec<u8>, field: u32, v: u64) {
    varint(out, u64::from(field << 3));
    varint(out, v);
}

fn fixed64_field(out: &mut Vec<u8>, field: u32, v: u64) {
    varint(out, u64::from(field << 3 | 1));
    out.extend_from_slice(&v.to_le_bytes());
}

fn message(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    varint(out, u64::from(field << 3 | 2));
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
    use prost::Message;

    fn identity(kind: Kind, temporality: Temporality, monotonic: bool) -> MetricIdentity {
        MetricIdentity { scope: "app".into(), name: "m".into(), kind, temporality, monotonic }
    }

    fn decoded(identity: &MetricIdentity, value: PointValue<'_>) -> Data {
        let resource = Attributes::new(vec![("service.name".into(), Value::String("shop".into()))]);
        let set =
            Attributes::new(vec![("n".into(), Value::Int(-1)), ("a".into(), Value::Array(vec![Value::Bool(true)]))]);
        let point = Point { attributes: &set, time: 5, start: 3, value };
        let bytes = request(&resource, &[(identity, vec![point])]);
        let mut read = ExportMetricsServiceRequest::decode(bytes.as_slice()).expect("what is written can be read");
        let mut inner = read.resource_metrics.remove(0);
        assert_eq!(inner.resource.take().expect("a resource").attributes[0].key, "service.name");
        let mut scope = inner.scope_metrics.remove(0);
        assert_eq!(scope.scope.take().expect("a scope").name, "app");
        scope.metrics.remove(0).data.expect("data")
    }

    #[test]
    fn numbers() {
        let Data::Sum(sum) = decoded(&identity(Kind::Sum, Temporality::Delta, true), PointValue::Number(2.5)) else {
            panic!("a sum");
        };
        let point = &sum.data_points[0];
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true));
        assert_eq!((point.time_unix_nano, point.start_time_unix_nano, point.flags), (5, 3, 0));
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(2.5)));
        assert_eq!(point.attributes.len(), 2);
        let Data::Gauge(gauge) = decoded(&identity(Kind::Gauge, Temporality::Cumulative, false), PointValue::Stale)
        else {
            panic!("a gauge");
        };
        assert_eq!((gauge.data_points[0].flags, gauge.data_points[0].value), (1, None));
    }

    #[test]
    fn histograms() {
        let sample = Sample { counts: vec![2, 1, 300], sum: Some(9.0), min: Some(1.0), zero: 4, ..Sample::default() };
        let explicit = Shape::Explicit { bounds: vec![1.0, 2.0] };
        let value = PointValue::Histogram { sample: sample.clone(), shape: &explicit };
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
        let exponential = Shape::Exponential { scale: -2, offset: -7 };
        let value = PointValue::Histogram { sample, shape: &exponential };
        let kind = identity(Kind::ExponentialHistogram, Temporality::Delta, false);
        let Data::ExponentialHistogram(data) = decoded(&kind, value) else { panic!("an exponential histogram") };
        let point = &data.data_points[0];
        let buckets = point.positive.as_ref().expect("buckets");
        assert_eq!((point.scale, point.zero_count, point.count), (-2, 4, 307));
        assert_eq!((buckets.offset, buckets.bucket_counts.as_slice()), (-7, &[2, 1, 300][..]));
        assert_eq!((point.min, point.sum, point.attributes.len()), (Some(1.0), Some(9.0), 2));
    }
}
