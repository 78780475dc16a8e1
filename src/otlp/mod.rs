//! OTLP on the wire: bytes in, [`Batch`] out. The only room that knows protobuf and OTLP/JSON.
//!
//! `decode` walks the bytes of an `ExportMetricsServiceRequest` without copying; JSON is first transcribed to protobuf, so
//! that everything behind it knows one encoding. What the ranges of a [`Batch`] mean is asked for afterwards, and only
//! when something is seen for the first time: `resource`, `metric`, `attributes`, `histogram`.

use crate::model::{Attributes, Batch, Histogram, MetricIdentity, MetricSpan};
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
    /// Where, in the bytes as they arrived.
    pub offset: usize,
}

/// Decodes one body into `batch`, whose lists are emptied first and keep their room.
pub fn decode(_encoding: Encoding, _body: Bytes, _batch: &mut Batch) -> Result<(), DecodeError> {
    Ok(())
}

/// The attributes of a `Resource` message (the bytes of [`crate::model::ResourceSpan::raw`]).
pub fn resource(_raw: &[u8]) -> Result<Attributes, DecodeError> {
    Ok(Attributes::default())
}

/// The attributes of a data point (the bytes of [`crate::model::PointSpan::attributes`]).
pub fn attributes(_raw: &[u8]) -> Result<Attributes, DecodeError> {
    Ok(Attributes::default())
}

/// The identity a metric gives to its series. Text that is not UTF-8 is read with replacement characters.
pub fn metric(batch: &Batch, metric: &MetricSpan) -> MetricIdentity {
    let text = |span| String::from_utf8_lossy(batch.bytes(span)).into_owned();
    MetricIdentity {
        scope: text(metric.scope),
        name: text(metric.name),
        kind: metric.kind,
        temporality: metric.temporality,
        monotonic: metric.monotonic,
    }
}

/// A histogram point (the bytes of [`crate::model::PointValue::Histogram`]).
pub fn histogram(_raw: &[u8], _exponential: bool) -> Result<Histogram, DecodeError> {
    Err(DecodeError { what: "", offset: 0 })
}
