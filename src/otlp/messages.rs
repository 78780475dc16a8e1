//! The OTLP messages that are read once per resource, metric or series, and the histogram points, as `prost` structs;
//! `encode` writes with the same ones.
//!
//! They declare the fields that somebody needs; `prost` skips the others. Texts are declared as bytes, because text that
//! is not UTF-8 is read with replacement characters instead of being refused. The references into a string table that
//! profiles use have no meaning in metrics and are read as values that were not set.

use super::wire::{DecodeError, MAX_DEPTH, error};
use crate::model::{Attributes, Buckets, ExponentialBuckets, Histogram, Value};
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, message};

/// Depths below the request, where the limit on nesting counts from.
const RESOURCE_DEPTH: u32 = 2;
const POINT_DEPTH: u32 = 5;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Member", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    member: Option<Member>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Member {
    #[prost(bytes = "vec", tag = "1")]
    String(Vec<u8>),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
    #[prost(int32, tag = "8")]
    StringIndex(i32),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

/// A `Metric` message without its points.
#[derive(Clone, PartialEq, Message)]
struct MetricText {
    #[prost(bytes = "vec", tag = "2")]
    description: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    unit: Vec<u8>,
}

/// A `HistogramDataPoint` without its attributes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    pub start: u64,
    #[prost(fixed64, tag = "3")]
    pub time: u64,
    #[prost(fixed64, tag = "4")]
    pub count: u64,
    #[prost(double, optional, tag = "5")]
    pub sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    pub counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    pub bounds: Vec<f64>,
    #[prost(double, optional, tag = "11")]
    pub min: Option<f64>,
    #[prost(double, optional, tag = "12")]
    pub max: Option<f64>,
}

/// An `ExponentialHistogramDataPoint` without its attributes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExponentialPoint {
    #[prost(fixed64, tag = "2")]
    pub start: u64,
    #[prost(fixed64, tag = "3")]
    pub time: u64,
    #[prost(fixed64, tag = "4")]
    pub count: u64,
    #[prost(double, optional, tag = "5")]
    pub sum: Option<f64>,
    #[prost(sint32, tag = "6")]
    pub scale: i32,
    #[prost(fixed64, tag = "7")]
    pub zero_count: u64,
    #[prost(message, optional, tag = "8")]
    pub positive: Option<BucketList>,
    #[prost(message, optional, tag = "9")]
    pub negative: Option<BucketList>,
    #[prost(double, optional, tag = "12")]
    pub min: Option<f64>,
    #[prost(double, optional, tag = "13")]
    pub max: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BucketList {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint64, repeated, tag = "2")]
    counts: Vec<u64>,
}

/// The attributes of a `Resource` message (the bytes of [`crate::model::ResourceSpan::raw`]).
pub fn resource(raw: &[u8]) -> Result<Attributes, DecodeError> {
    let resource = Resource::decode(raw).map_err(|_| error("a resource that cannot be read", 0))?;
    attribute_set(resource.attributes, RESOURCE_DEPTH + 1)
}

/// The attributes of a data point (the bytes of [`crate::model::PointSpan::attributes`]). Their field number differs
/// between the kinds of points and is not looked at.
pub fn attributes(raw: &[u8]) -> Result<Attributes, DecodeError> {
    let (mut rest, mut pairs) = (raw, Vec::new());
    while !rest.is_empty() {
        decode_key(&mut rest)
            .and_then(|(_, wire)| message::merge_repeated(wire, &mut pairs, &mut rest, DecodeContext::default()))
            .map_err(|_| error("an attribute that cannot be read", 0))?;
    }
    attribute_set(pairs, POINT_DEPTH + 1)
}

/// Unit and description of a metric (the bytes of [`crate::model::MetricSpan::raw`]); empty when it is not a metric.
pub fn metric_text(raw: &[u8]) -> (String, String) {
    let metric = MetricText::decode(raw).unwrap_or_default();
    (text(metric.unit), text(metric.description))
}

/// A histogram point (the bytes of [`crate::model::PointValue::Histogram`]); never fails on what `decode` gave. Whether
/// the counts fit the bounds is not checked here.
pub fn histogram(raw: &[u8], exponential: bool) -> Result<Histogram, DecodeError> {
    let unreadable = |_| error("a histogram point that cannot be read", 0);
    if !exponential {
        let HistogramPoint { count, sum, min, max, counts, bounds, .. } =
            HistogramPoint::decode(raw).map_err(unreadable)?;
        return Ok(Histogram { count, sum, min, max, buckets: Buckets::Explicit { bounds, counts } });
    }
    let ExponentialPoint { count, sum, min, max, scale, zero_count, positive, negative, .. } =
        ExponentialPoint::decode(raw).map_err(unreadable)?;
    let buckets = |list: Option<BucketList>| {
        let BucketList { offset, counts } = list.unwrap_or_default();
        ExponentialBuckets { offset, counts }
    };
    let (positive, negative) = (buckets(positive), buckets(negative));
    Ok(Histogram { count, sum, min, max, buckets: Buckets::Exponential { scale, zero_count, positive, negative } })
}

/// The messages of a set of attributes.
pub(super) fn key_values(set: &Attributes) -> Vec<KeyValue> {
    set.iter().map(|(key, value)| KeyValue { key: key.into(), value: Some(any_value(value)) }).collect()
}

/// The message of a run of buckets; none when there is no bucket.
pub(super) fn bucket_list(buckets: &ExponentialBuckets) -> Option<BucketList> {
    let list = BucketList { offset: buckets.offset, counts: buckets.counts.clone() };
    (!buckets.counts.is_empty()).then_some(list)
}

fn any_value(value: &Value) -> AnyValue {
    let member = match value {
        Value::Null => None,
        Value::String(v) => Some(Member::String(v.clone().into_bytes())),
        Value::Bool(v) => Some(Member::Bool(*v)),
        Value::Int(v) => Some(Member::Int(*v)),
        Value::Double(v) => Some(Member::Double(*v)),
        Value::Bytes(v) => Some(Member::Bytes(v.clone())),
        Value::Array(items) => Some(Member::Array(ArrayValue { values: items.iter().map(any_value).collect() })),
        Value::Map(set) => Some(Member::Map(KeyValueList { values: key_values(set) })),
    };
    AnyValue { member }
}

fn attribute_set(pairs: Vec<KeyValue>, depth: u32) -> Result<Attributes, DecodeError> {
    let pair = |KeyValue { key, value }: KeyValue| {
        check_depth(depth)?;
        let value = value.map_or(Ok(Value::Null), |value| owned_value(value, depth + 1))?;
        Ok((text(key), value))
    };
    pairs.into_iter().map(pair).collect::<Result<_, _>>().map(Attributes::new)
}

fn owned_value(value: AnyValue, depth: u32) -> Result<Value, DecodeError> {
    check_depth(depth)?;
    Ok(match value.member {
        None | Some(Member::StringIndex(_)) => Value::Null,
        Some(Member::String(v)) => Value::String(text(v)),
        Some(Member::Bool(v)) => Value::Bool(v),
        Some(Member::Int(v)) => Value::Int(v),
        Some(Member::Double(v)) => Value::Double(v),
        Some(Member::Bytes(v)) => Value::Bytes(v),
        Some(Member::Array(list)) => {
            check_depth(depth + 1)?;
            Value::Array(list.values.into_iter().map(|value| owned_value(value, depth + 2)).collect::<Result<_, _>>()?)
        }
        Some(Member::Map(list)) => {
            check_depth(depth + 1)?;
            Value::Map(attribute_set(list.values, depth + 2)?)
        }
    })
}

/// `prost` counts from the bytes it is given, the limit of a request from the request.
fn check_depth(depth: u32) -> Result<(), DecodeError> {
    if depth > MAX_DEPTH { Err(error("values nested too deeply", 0)) } else { Ok(()) }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
