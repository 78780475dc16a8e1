//! OTLP on the wire, both ways: payload to [`Export`], data points to payload. The only room that knows protobuf and
//! OTLP/JSON.
//!
//! [`decode`] walks the bytes of an `ExportMetricsServiceRequest` without copying; JSON is first transcribed to protobuf,
//! so that everything behind it knows one encoding. The ranges of an [`Export`] are read afterwards, and only when
//! something is seen for the first time: [`resource`], [`metric`], [`attributes`], [`histogram`].
//!
//! Whatever a protobuf runtime decodes is decoded to the same content. More is accepted in two cases only: text that is
//! not UTF-8, and trailing garbage inside parts that are not looked at until a series is first seen, or never. Logs and
//! traces are absent on purpose.

mod cut;
mod encode;
mod json;
mod messages;
mod response;
mod schema;
mod shape;
mod size;
mod walk;
mod wire;

pub use cut::{Cut, NamePattern, cut};
pub use encode::{DataPoint, MetricPoints, encode};
pub use json::{to_json, transcribe};
pub use messages::{attributes, histogram, metric_text, resource};
pub use response::encode_response;
pub use size::{attribute_count, entries};
pub use wire::DecodeError;

use crate::model::{Export, MetricIdentity, MetricSpan};
use bytes::Bytes;

/// The encodings of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// Decodes the payloads of one source. It remembers the shapes of their resources, which makes it faster than [`decode`]
/// and lets others recognise a resource's metrics by their shape; the result is the same.
#[derive(Debug, Default)]
pub struct Decoder(shape::Shapes);

impl Decoder {
    /// Decodes one payload as [`decode`] does.
    pub fn decode(&mut self, encoding: Encoding, payload: Bytes, export: &mut Export) -> Result<(), DecodeError> {
        decode_with(encoding, payload, export, Some(&mut self.0))
    }
}

/// Decodes one payload into `export`, whose lists are emptied first and keep their capacity. After an error they are
/// empty.
pub fn decode(encoding: Encoding, payload: Bytes, export: &mut Export) -> Result<(), DecodeError> {
    decode_with(encoding, payload, export, None)
}

fn decode_with(
    encoding: Encoding,
    payload: Bytes,
    export: &mut Export,
    shapes: Option<&mut shape::Shapes>,
) -> Result<(), DecodeError> {
    let previous = std::mem::take(&mut export.payload);
    export.clear();
    let result = match encoding {
        Encoding::Protobuf => walk::walk(payload, export, shapes),
        Encoding::Json => {
            // As a rule nobody else holds the previous transcription: its buffer can be used again.
            let mut transcription = if previous.is_unique() { Vec::from(previous) } else { Vec::new() };
            transcription.clear();
            transcribe(&payload, &mut transcription)
                .and_then(|()| walk::walk(Bytes::from(transcription), export, shapes))
        }
    };
    if result.is_err() {
        export.clear();
    }
    result
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
