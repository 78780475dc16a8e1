//! Messages for the tests of `otlp`: arbitrary ones, irregular encodings of them, and both sides of a comparison.

use foreshock::model::{Attributes, Buckets, ExponentialBuckets, Export, Histogram, Kind, Nanos, PointValue};
use foreshock::model::{Temporality, Value, clamp_time};
use foreshock::otlp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::metrics::v1::{exemplar, metric::Data, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost_reflect::{DescriptorPool, Kind as FieldKind, MessageDescriptor};

/// What a decoded point says, apart from how it is stored. Compared through `Debug`, so that NaN equals NaN and -0 is
/// not 0.
#[derive(Debug)]
#[allow(dead_code)]
pub struct Point {
    resource: Attributes,
    scope: String,
    scope_version: String,
    metric: String,
    unit: String,
    description: String,
    kind: Kind,
    temporality: Temporality,
    monotonic: bool,
    attributes: Attributes,
    time: Nanos,
    start: Nanos,
    value: PointContent,
}

#[derive(Debug)]
#[allow(dead_code)]
enum PointContent {
    None,
    Number(f64),
    Histogram(Histogram),
    Summary,
}

/// The points of a export, with everything `otlp` reads of them.
pub fn points(export: &Export) -> Vec<Point> {
    let (mut out, mut metric_at, mut point_at) = (Vec::new(), 0, 0);
    for resource_span in &export.resources {
        let resource = otlp::resource(export.bytes(resource_span.raw)).expect("resource");
        for metric in &export.metrics[metric_at..resource_span.metrics_end as usize] {
            let identity = otlp::metric(export, metric);
            let (unit, description) = otlp::metric_text(export.bytes(metric.raw));
            for point in &export.points[point_at..metric.points_end as usize] {
                let exponential = metric.kind == Kind::ExponentialHistogram;
                out.push(Point {
                    resource: resource.clone(),
                    scope: identity.scope.clone(),
                    scope_version: String::from_utf8_lossy(export.bytes(metric.scope_version)).into_owned(),
                    metric: identity.name.clone(),
                    unit: unit.clone(),
                    description: description.clone(),
                    kind: identity.kind,
                    temporality: identity.temporality,
                    monotonic: identity.monotonic,
                    attributes: otlp::attributes(export.bytes(point.attributes)).expect("attributes"),
                    time: point.time,
                    start: point.start,
                    value: match point.value {
                        PointValue::None => PointContent::None,
                        PointValue::Number(v) => PointContent::Number(v),
                        PointValue::Summary => PointContent::Summary,
                        PointValue::Histogram(span) => PointContent::Histogram(
                            otlp::histogram(export.bytes(span), exponential).expect("histogram"),
                        ),
                    },
                });
            }
            point_at = metric.points_end as usize;
        }
        metric_at = resource_span.metrics_end as usize;
    }
    assert_eq!((metric_at, point_at), (export.metrics.len(), export.points.len()), "runs that do not cover the lists");
    out
}

/// The same from the message as a protobuf library decoded it.
pub fn expected(message: &ExportMetricsServiceRequest) -> Vec<Point> {
    let mut out = Vec::new();
    for resource_metrics in &message.resource_metrics {
        let resource = resource_metrics.resource.as_ref().map(|r| attributes(&r.attributes)).unwrap_or_default();
        for scope_metrics in &resource_metrics.scope_metrics {
            let scope = scope_metrics.scope.clone().unwrap_or_default();
            for metric in &scope_metrics.metrics {
                out.extend(metric_points(metric).into_iter().map(|point| Point {
                    resource: resource.clone(),
                    scope: scope.name.clone(),
                    scope_version: scope.version.clone(),
                    metric: metric.name.clone(),
                    unit: metric.unit.clone(),
                    description: metric.description.clone(),
                    ..point
                }));
            }
        }
    }
    out
}

fn metric_points(metric: &metrics::Metric) -> Vec<Point> {
    let (kind, temporality, monotonic) = match &metric.data {
        None => return Vec::new(),
        Some(Data::Gauge(_)) => (Kind::Gauge, 0, false),
        Some(Data::Sum(d)) => (Kind::Sum, d.aggregation_temporality, d.is_monotonic),
        Some(Data::Histogram(d)) => (Kind::Histogram, d.aggregation_temporality, false),
        Some(Data::ExponentialHistogram(d)) => (Kind::ExponentialHistogram, d.aggregation_temporality, false),
        Some(Data::Summary(_)) => (Kind::Summary, 0, false),
    };
    let point = |attrs: &[KeyValue], time, start, value| Point {
        resource: Attributes::default(),
        scope: String::new(),
        scope_version: String::new(),
        metric: String::new(),
        unit: String::new(),
        description: String::new(),
        kind,
        temporality: if temporality == 1 { Temporality::Delta } else { Temporality::Cumulative },
        monotonic,
        attributes: attributes(attrs),
        time: clamp_time(time),
        start: clamp_time(start),
        value,
    };
    let number = |p: &metrics::NumberDataPoint| {
        let value = match p.value {
            _ if p.flags & 1 != 0 => PointContent::None,
            None => PointContent::None,
            Some(number_data_point::Value::AsDouble(v)) => PointContent::Number(v),
            Some(number_data_point::Value::AsInt(v)) => PointContent::Number(v as f64),
        };
        point(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, value)
    };
    let unless = |flags: u32, histogram| match flags & 1 {
        0 => PointContent::Histogram(histogram),
        _ => PointContent::None,
    };
    match metric.data.as_ref() {
        None => Vec::new(),
        Some(Data::Gauge(d)) => d.data_points.iter().map(number).collect(),
        Some(Data::Sum(d)) => d.data_points.iter().map(number).collect(),
        Some(Data::Histogram(d)) => d
            .data_points
            .iter()
            .map(|p| point(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, unless(p.flags, explicit(p))))
            .collect(),
        Some(Data::ExponentialHistogram(d)) => d
            .data_points
            .iter()
            .map(|p| point(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, unless(p.flags, exponential(p))))
            .collect(),
        Some(Data::Summary(d)) => d
            .data_points
            .iter()
            .map(|p| point(&p.attributes, p.time_unix_nano, p.start_time_unix_nano, PointContent::Summary))
            .collect(),
    }
}

fn explicit(p: &metrics::HistogramDataPoint) -> Histogram {
    Histogram {
        count: p.count,
        sum: p.sum,
        min: p.min,
        max: p.max,
        buckets: Buckets::Explicit { bounds: p.explicit_bounds.clone(), counts: p.bucket_counts.clone() },
    }
}

fn exponential(p: &metrics::ExponentialHistogramDataPoint) -> Histogram {
    let buckets = |b: &Option<metrics::exponential_histogram_data_point::Buckets>| {
        let b = b.clone().unwrap_or_default();
        ExponentialBuckets { offset: b.offset, counts: b.bucket_counts }
    };
    Histogram {
        count: p.count,
        sum: p.sum,
        min: p.min,
        max: p.max,
        buckets: Buckets::Exponential {
            scale: p.scale,
            zero_count: p.zero_count,
            positive: buckets(&p.positive),
            negative: buckets(&p.negative),
        },
    }
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    Attributes::new(pairs.iter().map(|kv| (kv.key.clone(), value_of(kv.value.as_ref()))).collect())
}

fn value_of(value: Option<&AnyValue>) -> Value {
    match value.and_then(|v| v.value.as_ref()) {
        None | Some(Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(v)) => Value::String(v.clone()),
        Some(Any::BoolValue(v)) => Value::Bool(*v),
        Some(Any::IntValue(v)) => Value::Int(*v),
        Some(Any::DoubleValue(v)) => Value::Double(*v),
        Some(Any::BytesValue(v)) => Value::Bytes(v.clone()),
        Some(Any::ArrayValue(v)) => Value::Array(v.values.iter().map(|v| value_of(Some(v))).collect()),
        Some(Any::KvlistValue(v)) => Value::Map(attributes(&v.values)),
    }
}

/// An arbitrary message with every kind of data, some fields set and some not.
pub fn message() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    vec(resource_metrics(), 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

fn resource_metrics() -> impl Strategy<Value = metrics::ResourceMetrics> {
    (option::of(resource()), vec(scope_metrics(), 0..3), text()).prop_map(|(resource, scope_metrics, schema_url)| {
        metrics::ResourceMetrics { resource, scope_metrics, schema_url }
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(|(url, r#type, id, description)| {
        common::EntityRef { schema_url: url, r#type, id_keys: id, description_keys: description }
    });
    (key_values(), any::<u32>(), vec(entity, 0..2)).prop_map(|(attributes, dropped, entity_refs)| Resource {
        attributes,
        dropped_attributes_count: dropped,
        entity_refs,
    })
}

fn scope_metrics() -> impl Strategy<Value = metrics::ScopeMetrics> {
    let scope = (text(), text(), key_values(), any::<u32>()).prop_map(|(name, version, attributes, dropped)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count: dropped }
    });
    (option::of(scope), vec(metric(), 0..4), text()).prop_map(|(scope, metrics, schema_url)| metrics::ScopeMetrics {
        scope,
        metrics,
        schema_url,
    })
}

fn metric() -> impl Strategy<Value = metrics::Metric> {
    (text(), text(), text(), key_values(), option::weighted(0.9, data())).prop_map(
        |(name, description, unit, metadata, data)| metrics::Metric { name, description, unit, metadata, data },
    )
}

fn data() -> impl Strategy<Value = Data> {
    let temporality = -1..4i32;
    prop_oneof![
        vec(number(), 0..4).prop_map(|data_points| Data::Gauge(metrics::Gauge { data_points })),
        (vec(number(), 0..4), temporality.clone(), any::<bool>()).prop_map(|(data_points, temporality, monotonic)| {
            Data::Sum(metrics::Sum { data_points, aggregation_temporality: temporality, is_monotonic: monotonic })
        }),
        (vec(explicit_point(), 0..3), temporality.clone()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(metrics::Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential_point(), 0..3), temporality).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(metrics::ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(metrics::Summary { data_points })),
    ]
}

fn number() -> impl Strategy<Value = metrics::NumberDataPoint> {
    let value = prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt)
    ];
    (key_values(), time(), time(), exemplars(), flags(), option::weighted(0.9, value)).prop_map(
        |(attributes, start, time, exemplars, flags, value)| metrics::NumberDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            exemplars,
            flags,
            value,
        },
    )
}

fn explicit_point() -> impl Strategy<Value = metrics::HistogramDataPoint> {
    let head = (key_values(), time(), time(), exemplars(), flags());
    let tail = (any::<u64>(), extremes(), vec(any::<u64>(), 0..5), vec(double(), 0..5));
    (head, tail).prop_map(
        |((attributes, start, time, exemplars, flags), (count, (sum, min, max), bucket_counts, explicit_bounds))| {
            metrics::HistogramDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: time,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max,
            }
        },
    )
}

fn exponential_point() -> impl Strategy<Value = metrics::ExponentialHistogramDataPoint> {
    let buckets = || {
        option::of((any::<i32>(), vec(any::<u64>(), 0..5)).prop_map(|(offset, bucket_counts)| {
            metrics::exponential_histogram_data_point::Buckets { offset, bucket_counts }
        }))
    };
    let head = (key_values(), time(), time(), exemplars(), flags());
    let tail = (any::<u64>(), extremes(), any::<i32>(), any::<u64>(), buckets(), buckets(), double());
    (head, tail).prop_map(
        |(
            (attributes, start, time, exemplars, flags),
            (count, (sum, min, max), scale, zero_count, positive, negative, zero_threshold),
        )| metrics::ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count,
            sum,
            scale,
            zero_count,
            positive,
            negative,
            flags,
            exemplars,
            min,
            max,
            zero_threshold,
        },
    )
}

fn summary_point() -> impl Strategy<Value = metrics::SummaryDataPoint> {
    let quantile = (double(), double())
        .prop_map(|(quantile, value)| metrics::summary_data_point::ValueAtQuantile { quantile, value });
    (key_values(), time(), time(), any::<u64>(), double(), vec(quantile, 0..3), flags()).prop_map(
        |(attributes, start, time, count, sum, quantile_values, flags)| metrics::SummaryDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count,
            sum,
            quantile_values,
            flags,
        },
    )
}

fn exemplars() -> impl Strategy<Value = Vec<metrics::Exemplar>> {
    let value =
        prop_oneof![double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)];
    let exemplar = (key_values(), time(), vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..17), option::of(value));
    let exemplar = exemplar.prop_map(|(filtered_attributes, time, span_id, trace_id, value)| metrics::Exemplar {
        filtered_attributes,
        time_unix_nano: time,
        span_id,
        trace_id,
        value,
    });
    prop_oneof![3 => Just(Vec::new()), 1 => vec(exemplar, 0..3)]
}

fn extremes() -> impl Strategy<Value = (Option<f64>, Option<f64>, Option<f64>)> {
    (option::of(double()), option::of(double()), option::of(double()))
}

fn key_values() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(), 0..4)
}

fn key_value() -> impl Strategy<Value = KeyValue> {
    // Few keys, so that some are repeated.
    let key = prop_oneof![Just("a".to_string()), Just("type".to_string()), text()];
    let strindex = prop_oneof![4 => Just(0), 1 => any::<i32>()];
    (key, option::weighted(0.9, any_value()), strindex).prop_map(|(key, value, key_strindex)| KeyValue {
        key,
        value,
        key_strindex,
    })
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        4 => text().prop_map(Any::StringValue),
        1 => any::<bool>().prop_map(Any::BoolValue),
        1 => any::<i64>().prop_map(Any::IntValue),
        1 => double().prop_map(Any::DoubleValue),
        1 => vec(any::<u8>(), 0..20).prop_map(Any::BytesValue),
        1 => any::<i32>().prop_map(Any::StringValueStrindex),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let pair =
            (text(), option::of(inner.clone())).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        prop_oneof![
            vec(inner, 0..3).prop_map(|values| Any::ArrayValue(ArrayValue { values })),
            vec(pair, 0..3).prop_map(|values| Any::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        6 => "[a-z._/]{1,20}",
        1 => any::<String>(),
        1 => "[\"\\\\/\u{0}-\u{1f}\u{7f}é€😀]{0,12}",
        1 => "[a-z]{120,140}",
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<f64>(),
        2 => (-1000..1000i32).prop_map(|v| v as f64 / 100.0),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => any::<u64>().prop_map(|bits| f64::from_bits(bits & !(0x7ff << 52) | 0x7fe << 52)),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 5 => 1_763_000_000_000_000_000..1_764_000_000_000_000_000u64, 1 => any::<u64>()]
}

fn flags() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(0), 1 => Just(1), 1 => any::<u32>()]
}

/// The descriptors of the metrics messages.
pub fn pool() -> DescriptorPool {
    DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("descriptors")
}

/// The descriptor of `ExportMetricsServiceRequest`.
pub fn request_descriptor() -> MessageDescriptor {
    pool()
        .get_message_by_name("opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest")
        .expect("a known message")
}

/// A small generator for choices too many to shrink one by one.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.roll(n) == 0
    }
}

/// Another legal encoding made of the parts of `bytes`: fields swapped, messages split, lists unpacked, unknown fields and
/// groups strewn in, some fields repeated. It need not mean the same; what it means is for a protobuf library to say.
pub fn mangle(bytes: &[u8], descriptor: &MessageDescriptor, dice: &mut Dice) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut p = 0;
    while p < bytes.len() {
        mangle_field(bytes, &mut p, descriptor, dice, &mut fields);
        if dice.one_in(12) {
            fields.push(unknown_field(dice));
        }
    }
    if !fields.is_empty() && dice.one_in(4) {
        let again = fields[dice.roll(fields.len())].clone();
        fields.push(again);
    }
    if dice.one_in(3) {
        for _ in 0..fields.len() {
            let (a, b) = (dice.roll(fields.len()), dice.roll(fields.len()));
            fields.swap(a, b);
        }
    }
    fields.concat()
}

fn mangle_field(
    bytes: &[u8],
    p: &mut usize,
    descriptor: &MessageDescriptor,
    dice: &mut Dice,
    fields: &mut Vec<Vec<u8>>,
) {
    let tag = get_varint(bytes, p);
    let (number, wire) = ((tag >> 3) as u32, tag & 7);
    let start = *p;
    match wire {
        0 => drop(get_varint(bytes, p)),
        1 => *p += 8,
        5 => *p += 4,
        _ => {
            let n = get_varint(bytes, p) as usize;
            let content = &bytes[*p..*p + n];
            *p += n;
            let field = descriptor.get_field(number).expect("a known field");
            match field.kind() {
                FieldKind::Message(inner) => {
                    let content = mangle(content, &inner, dice);
                    let cut = if dice.one_in(6) { field_boundary(&content, dice) } else { 0 };
                    if cut > 0 {
                        fields.push(delimited(number, &content[..cut], dice));
                    }
                    fields.push(delimited(number, &content[cut..], dice));
                }
                kind if field.is_packed() && dice.one_in(3) => unpack(number, kind, content, fields),
                _ => fields.push(delimited(number, content, dice)),
            }
            return;
        }
    }
    let mut whole = Vec::new();
    put_varint(tag, dice.one_in(20), &mut whole);
    whole.extend_from_slice(&bytes[start..*p]);
    fields.push(whole);
}

fn field_boundary(content: &[u8], dice: &mut Dice) -> usize {
    let (mut cuts, mut p) = (vec![0], 0);
    while p < content.len() {
        let tag = get_varint(content, &mut p);
        match tag & 7 {
            0 => drop(get_varint(content, &mut p)),
            1 => p += 8,
            2 => p += get_varint(content, &mut p) as usize,
            5 => p += 4,
            // Inside a group every place would be a wrong one; stay before it.
            _ => break,
        }
        cuts.push(p);
    }
    cuts[dice.roll(cuts.len())]
}

fn unpack(number: u32, kind: FieldKind, content: &[u8], fields: &mut Vec<Vec<u8>>) {
    let mut p = 0;
    while p < content.len() {
        let mut field = Vec::new();
        let start = p;
        match kind {
            FieldKind::Uint64 => {
                put_varint((number << 3) as u64, false, &mut field);
                get_varint(content, &mut p);
            }
            _ => {
                put_varint((number << 3 | 1) as u64, false, &mut field);
                p += 8;
            }
        }
        field.extend_from_slice(&content[start..p]);
        fields.push(field);
    }
}

fn unknown_field(dice: &mut Dice) -> Vec<u8> {
    let number = [4, 20, 50, 1000, 19001, (1 << 29) - 1][dice.roll(6)] as u64 + 100;
    let number = number.min((1 << 29) - 1);
    let mut out = Vec::new();
    match dice.roll(5) {
        0 => {
            put_varint(number << 3, false, &mut out);
            put_varint(dice.0, false, &mut out);
        }
        1 => {
            put_varint(number << 3 | 1, false, &mut out);
            out.extend_from_slice(&dice.0.to_le_bytes());
        }
        2 => {
            put_varint(number << 3 | 2, false, &mut out);
            let n = dice.roll(200);
            put_varint(n as u64, dice.one_in(2), &mut out);
            out.extend((0..n).map(|_| dice.roll(256) as u8));
        }
        3 => {
            put_varint(number << 3 | 5, false, &mut out);
            out.extend_from_slice(&[1, 2, 3, 4]);
        }
        _ => {
            put_varint(number << 3 | 3, false, &mut out);
            for _ in 0..dice.roll(3) {
                out.extend(unknown_field(dice));
            }
            put_varint(number << 3 | 4, false, &mut out);
        }
    }
    out
}

fn delimited(number: u32, content: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint((number << 3 | 2) as u64, false, &mut out);
    put_varint(content.len() as u64, dice.one_in(20), &mut out);
    out.extend_from_slice(content);
    out
}

/// Writes a varint, padded with a superfluous byte when asked.
pub fn put_varint(mut value: u64, padded: bool, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    if padded && out.len() < 9 {
        out.extend_from_slice(&[value as u8 | 0x80, 0]);
    } else {
        out.push(value as u8);
    }
}

fn get_varint(bytes: &[u8], p: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*p];
        *p += 1;
        value |= ((byte & 0x7f) as u64) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}
