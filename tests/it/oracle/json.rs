//! The cases' `input.jsonl`, read with nothing but `serde_json`.

use crate::generate::{Arrival, Point, PointValue, foreign_at};
use foreshock::model::{Attributes, Buckets, ExponentialBuckets, Histogram, Kind, MetricIdentity, Temporality, Value};
use serde_json::Value as Json;

/// The arrivals of a file in the Collector's JSON lines, stamped as foreign recordings are.
pub fn arrivals(text: &str) -> Vec<Arrival> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let points = points(&serde_json::from_str(line).expect("a line is JSON"));
            Arrival { at: foreign_at(&points), points }
        })
        .collect()
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json.get(key).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn points(body: &Json) -> Vec<Point> {
    let mut out = Vec::new();
    for of_resource in list(body, "resourceMetrics") {
        let resource = attributes(&of_resource["resource"]);
        for of_scope in list(of_resource, "scopeMetrics") {
            for metric in list(of_scope, "metrics") {
                let (kind, data) = [
                    ("gauge", Kind::Gauge),
                    ("sum", Kind::Sum),
                    ("histogram", Kind::Histogram),
                    ("exponentialHistogram", Kind::ExponentialHistogram),
                    ("summary", Kind::Summary),
                ]
                .iter()
                .find_map(|(key, kind)| metric.get(key).map(|data| (*kind, data)))
                .expect("a metric has a kind");
                let identity = MetricIdentity {
                    scope: of_scope["scope"]["name"].as_str().unwrap_or_default().to_string(),
                    name: metric["name"].as_str().unwrap_or_default().to_string(),
                    kind,
                    temporality: match data.get("aggregationTemporality").and_then(Json::as_i64) {
                        Some(1) => Temporality::Delta,
                        _ => Temporality::Cumulative,
                    },
                    monotonic: data.get("isMonotonic").and_then(Json::as_bool).unwrap_or(false),
                };
                for point in list(data, "dataPoints") {
                    out.push(Point {
                        resource: resource.clone(),
                        metric: identity.clone(),
                        attributes: attributes(point),
                        time: int(point.get("timeUnixNano")).unwrap_or(0),
                        start: int(point.get("startTimeUnixNano")).unwrap_or(0),
                        value: value(kind, point),
                    });
                }
            }
        }
    }
    out
}

fn value(kind: Kind, point: &Json) -> PointValue {
    if int(point.get("flags")).unwrap_or(0) & 1 == 1 {
        return PointValue::Flagged;
    }
    match kind {
        Kind::Summary => PointValue::Summary,
        Kind::Gauge | Kind::Sum => match (int(point.get("asInt")), double(point.get("asDouble"))) {
            (Some(v), _) => PointValue::Int(v),
            (None, Some(v)) => PointValue::Double(v),
            (None, None) => PointValue::Missing,
        },
        Kind::Histogram | Kind::ExponentialHistogram => PointValue::Histogram(Histogram {
            count: int(point.get("count")).unwrap_or(0) as u64,
            sum: double(point.get("sum")),
            min: double(point.get("min")),
            max: double(point.get("max")),
            buckets: buckets(kind, point),
        }),
    }
}

fn buckets(kind: Kind, point: &Json) -> Buckets {
    let counts = |json: &Json, key: &str| list(json, key).iter().map(|v| int(Some(v)).unwrap_or(0) as u64).collect();
    if kind == Kind::Histogram {
        let bounds = list(point, "explicitBounds").iter().filter_map(|v| double(Some(v))).collect();
        return Buckets::Explicit { bounds, counts: counts(point, "bucketCounts") };
    }
    let run = |key: &str| ExponentialBuckets {
        offset: int(point[key].get("offset")).unwrap_or(0) as i32,
        counts: counts(&point[key], "bucketCounts"),
    };
    Buckets::Exponential {
        scale: int(point.get("scale")).unwrap_or(0) as i32,
        zero_count: int(point.get("zeroCount")).unwrap_or(0) as u64,
        positive: run("positive"),
        negative: run("negative"),
    }
}

fn int(json: Option<&Json>) -> Option<i64> {
    match json? {
        Json::Number(v) => v.as_i64(),
        Json::String(v) => v.parse().ok(),
        _ => None,
    }
}

fn double(json: Option<&Json>) -> Option<f64> {
    match json? {
        Json::Number(v) => v.as_f64(),
        Json::String(v) if v == "NaN" => Some(f64::NAN),
        Json::String(v) if v == "Infinity" => Some(f64::INFINITY),
        Json::String(v) if v == "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The `attributes` of a resource or point.
fn attributes(json: &Json) -> Attributes {
    let pairs = list(json, "attributes").iter();
    Attributes::new(
        pairs.map(|pair| (pair["key"].as_str().unwrap_or_default().to_string(), any(&pair["value"]))).collect(),
    )
}

fn any(json: &Json) -> Value {
    let Some((key, value)) = json.as_object().and_then(|map| map.iter().next()) else { return Value::Null };
    match key.as_str() {
        "stringValue" => Value::String(value.as_str().unwrap_or_default().to_string()),
        "boolValue" => Value::Bool(value.as_bool().unwrap_or_default()),
        "intValue" => Value::Int(int(Some(value)).unwrap_or_default()),
        "doubleValue" => Value::Double(double(Some(value)).unwrap_or_default()),
        "arrayValue" => Value::Array(list(value, "values").iter().map(any).collect()),
        other => panic!("the cases do not use {other}"),
    }
}
