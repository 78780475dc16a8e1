//! OTLP on the wire: bytes in, [`Export`] out. The only room that knows protobuf and OTLP/JSON.
//!
//! `decode` walks the bytes of an `ExportMetricsServiceRequest` without copying; JSON is first transcribed to protobuf, so
//! that everything behind it knows one encoding. What the ranges of a [`Export`] mean is asked for afterwards, and only
//! when something is seen for the first time: `resource`, `metric`, `attributes`, `histogram`.
//!
//! Whatever a protobuf runtime decodes is decoded to the same content. More is accepted in two cases only: text that is
//! not UTF-8, and rubbish inside parts that are not looked at until a series is first seen, or never. Logs and traces are
//! absent on purpose.

mod attributes;
mod histogram;
mod json;
mod shape;
mod walk;
mod weigh;
mod wire;

pub use json::to_json;

use crate::model::{Attributes, Export, Histogram, MetricIdentity, MetricSpan};
use bytes::Bytes;

/// The encodings of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// Why a body or a part of one cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in the bytes as they were given.
    pub offset: usize,
}

/// Decodes the bodies of one source. It remembers the shapes of their reports, which makes it faster than [`decode`] and
/// lets others recognise a report by its shape; what it gives is the same.
#[derive(Debug, Default)]
pub struct Decoder(shape::Shapes);

impl Decoder {
    /// Decodes one body as [`decode`] does.
    pub fn decode(&mut self, encoding: Encoding, body: Bytes, export: &mut Export) -> Result<(), DecodeError> {
        decode_with(encoding, body, export, Some(&mut self.0))
    }
}

/// Decodes one body into `export`, whose lists are emptied first and keep their room. After an error they are empty.
pub fn decode(encoding: Encoding, body: Bytes, export: &mut Export) -> Result<(), DecodeError> {
    decode_with(encoding, body, export, None)
}

fn decode_with(
    encoding: Encoding,
    body: Bytes,
    export: &mut Export,
    shapes: Option<&mut shape::Shapes>,
) -> Result<(), DecodeError> {
    let previous = std::mem::take(&mut export.payload);
    export.clear();
    let result = match encoding {
        Encoding::Protobuf => walk::walk(body, export, shapes),
        Encoding::Json => {
            // Nobody else looks at the previous transcription, as a rule: its room is there to be used again.
            let mut transcription = if previous.is_unique() { Vec::from(previous) } else { Vec::new() };
            transcription.clear();
            json::transcribe(&body, &mut transcription)
                .and_then(|()| walk::walk(Bytes::from(transcription), export, shapes))
        }
    };
    if result.is_err() {
        export.clear();
    }
    result
}

/// The attributes of a `Resource` message (the bytes of [`crate::model::ResourceSpan::raw`]).
pub fn resource(raw: &[u8]) -> Result<Attributes, DecodeError> {
    attributes::read_resource(raw)
}

/// The attributes of a data point (the bytes of [`crate::model::PointSpan::attributes`]).
pub fn attributes(raw: &[u8]) -> Result<Attributes, DecodeError> {
    attributes::read_attributes(raw)
}

/// Number of resources, metrics and points that a protobuf body will be decoded to, as far as it can be read.
pub fn entries(body: &[u8]) -> usize {
    weigh::entries(body)
}

/// Number of entries in the bytes of a point's attributes or of a `Resource`; what cannot be read ends the count.
pub fn attribute_count(raw: &[u8]) -> usize {
    attributes::count(raw)
}

/// The identity a metric gives to its series. Text that is not UTF-8 is read with replacement characters.
pub fn metric(export: &Export, metric: &MetricSpan) -> MetricIdentity {
    let text = |span| String::from_utf8_lossy(export.bytes(span)).into_owned();
    MetricIdentity {
        scope: text(metric.scope),
        name: text(metric.name),
        kind: metric.kind,
        temporality: metric.temporality,
        monotonic: metric.monotonic,
    }
}

/// Writes the protobuf encoding of an OTLP/JSON text behind what `out` holds. After an error `out` ends with rubbish.
pub fn transcribe(json: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    json::transcribe(json, out)
}

/// Unit and description of a metric (the bytes of [`crate::model::MetricSpan::raw`]).
pub fn metric_text(raw: &[u8]) -> (String, String) {
    attributes::read_metric_text(raw)
}

/// A histogram point (the bytes of [`crate::model::PointValue::Histogram`]); never fails on what `decode` gave.
pub fn histogram(raw: &[u8], exponential: bool) -> Result<Histogram, DecodeError> {
    histogram::read(raw, exponential)
}
