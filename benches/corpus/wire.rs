//! The bytes of an entity's export: a small writer of protobuf, and one of OTLP/JSON.
//!
//! Times and values are fixed-width fields, so an entity's protobuf is made once and only patched afterwards.

use super::Form;
use super::entity::{Data, Entity, SCOPE};
use std::io::Write as _;

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.11.0";

/// Begins a body.
pub fn open(form: Form, body: &mut Vec<u8>) {
    body.clear();
    if form == Form::Json {
        body.extend_from_slice(b"{\"resourceMetrics\":[");
    }
}

/// Adds the current export of an entity.
pub fn append(form: Form, body: &mut Vec<u8>, entity: &mut Entity, first: bool) {
    match form {
        Form::Protobuf => {
            patch(entity);
            body.extend_from_slice(&entity.template);
        }
        Form::Json => {
            if !first {
                body.push(b',');
            }
            json(body, entity);
        }
    }
}

/// Ends a body.
pub fn close(form: Form, body: &mut Vec<u8>) {
    if form == Form::Json {
        body.extend_from_slice(b"]}");
    }
}

/// A message under construction, with the offsets of the 8-byte fields to be patched.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    holes: Vec<(u32, u32)>,
}

impl Message {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.bytes.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.bytes.push(v as u8);
    }

    fn number(&mut self, field: u32, v: u64) {
        self.varint(u64::from(field << 3));
        self.varint(v);
    }

    fn fixed(&mut self, field: u32, v: u64) -> u32 {
        self.varint(u64::from(field << 3 | 1));
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&v.to_le_bytes());
        offset
    }

    /// A text field; an empty text is left out, as every encoder of proto3 does.
    fn text(&mut self, field: u32, v: &str) {
        if !v.is_empty() {
            self.varint(u64::from(field << 3 | 2));
            self.varint(v.len() as u64);
            self.bytes.extend_from_slice(v.as_bytes());
        }
    }

    fn message(&mut self, field: u32, inner: Message) {
        self.varint(u64::from(field << 3 | 2));
        self.varint(inner.bytes.len() as u64);
        let base = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&inner.bytes);
        self.holes.extend(inner.holes.iter().map(|(time, value)| (base + time, base + value)));
    }

    fn attribute(&mut self, field: u32, key: &str, value: &str) {
        let (mut pair, mut any) = (Message::default(), Message::default());
        any.text(1, value);
        pair.text(1, key);
        pair.message(2, any);
        self.message(field, pair);
    }
}

/// Makes the entity's `ResourceMetrics`, as a field of the request, with zeros for times and values.
pub fn make_template(entity: &mut Entity) {
    let (mut resource, mut scope, mut scope_metrics) = (Message::default(), Message::default(), Message::default());
    for (key, value) in entity.resource() {
        resource.attribute(1, key, &value);
    }
    scope.text(1, SCOPE.0);
    scope.text(2, SCOPE.1);
    scope_metrics.message(1, scope);
    let mut series = 0;
    for metric in entity.metrics() {
        let (mut data, mut outer) = (Message::default(), Message::default());
        for attributes in &metric.points {
            let mut point = Message::default();
            if metric.data != Data::Gauge {
                point.fixed(2, entity.start(series));
            }
            let time = point.fixed(3, 0);
            let value = point.fixed(if metric.integer { 6 } else { 4 }, 0);
            point.holes.push((time, value));
            for (key, text) in attributes {
                point.attribute(7, key, text);
            }
            data.message(1, point);
            series += 1;
        }
        if let Data::Sum { monotonic } = metric.data {
            data.number(2, 2);
            if monotonic {
                data.number(3, 1);
            }
        }
        outer.text(1, metric.name);
        outer.text(2, metric.description);
        outer.text(3, metric.unit);
        outer.message(if metric.data == Data::Gauge { 5 } else { 7 }, data);
        scope_metrics.message(2, outer);
    }
    scope_metrics.text(3, SCHEMA_URL);
    let (mut resource_metrics, mut request) = (Message::default(), Message::default());
    resource_metrics.message(1, resource);
    resource_metrics.message(2, scope_metrics);
    request.message(1, resource_metrics);
    entity.template = request.bytes;
    entity.holes = request.holes;
}

fn patch(entity: &mut Entity) {
    let time = entity.time.to_le_bytes();
    for series in 0..entity.holes.len() {
        let (at, value_at) = entity.holes[series];
        let value = entity.value(series);
        // The tag in front of the value says which of the two it is: field 6 is the integer.
        let integer = entity.template[value_at as usize - 1] >> 3 == 6;
        let value = if integer { (value as i64).to_le_bytes() } else { value.to_le_bytes() };
        entity.template[at as usize..at as usize + 8].copy_from_slice(&time);
        entity.template[value_at as usize..value_at as usize + 8].copy_from_slice(&value);
    }
}

/// Writing to a `Vec` cannot fail, so the results of `write!` below say nothing.
fn json(out: &mut Vec<u8>, entity: &Entity) {
    out.extend_from_slice(b"{\"resource\":{");
    let resource = entity.resource();
    json_attributes(out, resource.iter().map(|(key, value)| (*key, value.as_str())));
    let (scope, version) = SCOPE;
    let _ = write!(
        out,
        "}},\"scopeMetrics\":[{{\"scope\":{{\"name\":\"{scope}\",\"version\":\"{version}\"}},\"metrics\":["
    );
    let mut series = 0;
    for (i, metric) in entity.metrics().iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{{\"name\":\"{}\",\"description\":\"{}\",", metric.name, metric.description);
        if !metric.unit.is_empty() {
            let _ = write!(out, "\"unit\":\"{}\",", metric.unit);
        }
        let word = if metric.data == Data::Gauge { "gauge" } else { "sum" };
        let _ = write!(out, "\"{word}\":{{\"dataPoints\":[");
        for (k, attributes) in metric.points.iter().enumerate() {
            out.extend_from_slice(if k > 0 { b",{" } else { b"{" });
            if !attributes.is_empty() {
                json_attributes(out, attributes.iter().copied());
                out.push(b',');
            }
            if metric.data != Data::Gauge {
                let _ = write!(out, "\"startTimeUnixNano\":\"{}\",", entity.start(series));
            }
            let (time, value) = (entity.time, entity.value(series));
            let _ = match metric.integer {
                true => write!(out, "\"timeUnixNano\":\"{time}\",\"asInt\":\"{}\"}}", value as i64),
                false => write!(out, "\"timeUnixNano\":\"{time}\",\"asDouble\":{value}}}"),
            };
            series += 1;
        }
        out.extend_from_slice(match metric.data {
            Data::Gauge => b"]}}",
            Data::Sum { monotonic: false } => b"],\"aggregationTemporality\":2}}",
            Data::Sum { monotonic: true } => b"],\"aggregationTemporality\":2,\"isMonotonic\":true}}",
        });
    }
    let _ = write!(out, "],\"schemaUrl\":\"{SCHEMA_URL}\"}}]}}");
}

fn json_attributes<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.extend_from_slice(b"\"attributes\":[");
    for (i, (key, value)) in pairs.enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}");
    }
    out.push(b']');
}
