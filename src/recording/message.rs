//! The messages of length-prefixed recordings: what makes one ours, and whether bytes are a message at all.
//!
//! A recording is ours by two extra fields in front of a message, which every other reader skips: the receive time is a
//! `fixed64` field, the head of a recording a text field, both far outside the numbers that OTLP uses at the top of an
//! `ExportMetricsServiceRequest`. They count only at the very front of a message, so that a client which sends such a
//! field itself cannot change what a recording contains.

use super::format::MESSAGE_LIMIT;
use crate::model::{Nanos, clamp_time};
use crate::otlp::DecodeError;
use prost::encoding::{decode_varint, encode_varint};

/// Number of the field with the receive time: nanoseconds since the epoch.
pub const AT_FIELD: u32 = 70_000_001;
/// Number of the field with the head of the recording: JSON text.
pub const HEAD_FIELD: u32 = 70_000_002;

const AT_TAG: [u8; 5] = tag(AT_FIELD, 1);
const HEAD_TAG: [u8; 5] = tag(HEAD_FIELD, 2);

/// Stands in front of a payload that starts with one of our fields, which a client may send: an empty field of the range
/// that protobuf keeps for its implementations. What follows it belongs to the payload.
pub(super) const GUARD: [u8; 4] = [0xc2, 0xa3, 0x09, 0x00];

/// Bytes of the length before a message.
pub(super) const PREFIX: usize = 4;
/// The longest head that is written or read.
pub(super) const HEAD_LIMIT: usize = 512 << 10;
/// The longest message: a payload and our fields.
pub(super) const LENGTH_LIMIT: usize = MESSAGE_LIMIT + HEAD_LIMIT + 64;

const fn tag(field: u32, wire: u32) -> [u8; 5] {
    let tag = (field << 3) | wire;
    let mut out = [0; 5];
    let mut i = 0;
    while i < 5 {
        out[i] = (tag >> (7 * i)) as u8 & 0x7f | if i < 4 { 0x80 } else { 0 };
        i += 1;
    }
    out
}

/// True when a message starts with one of our fields.
pub(super) fn is_own(message: &[u8]) -> bool {
    message.starts_with(&AT_TAG) || message.starts_with(&HEAD_TAG)
}

/// Our part of a message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct OwnFields<'a> {
    pub(super) received_at: Option<Nanos>,
    pub(super) head: Option<&'a str>,
    /// Where the payload starts.
    pub(super) len: usize,
}

/// Reads our fields at the front of a message.
pub(super) fn own_fields(message: &[u8]) -> Result<OwnFields<'_>, DecodeError> {
    let (mut own, mut rest) = (OwnFields::default(), message);
    loop {
        own.len = message.len() - rest.len();
        let wrong = |what| DecodeError { what, offset: own.len };
        if let Some(value) = rest.strip_prefix(&AT_TAG) {
            let (time, behind) = value.split_first_chunk().ok_or(wrong("the message ends inside its timestamp"))?;
            own.received_at = Some(clamp_time(u64::from_le_bytes(*time)));
            rest = behind;
        } else if let Some(mut value) = rest.strip_prefix(&HEAD_TAG) {
            let length = varint(&mut value).ok().filter(|length| *length < 1 << 28);
            let length = length.ok_or(wrong("the head's length is wrong"))? as usize;
            let (text, behind) = value.split_at_checked(length).ok_or(wrong("the message ends inside its head"))?;
            own.head = Some(std::str::from_utf8(text).map_err(|_| wrong("the head is not UTF-8"))?);
            rest = behind;
        } else {
            return Ok(own);
        }
    }
}

/// Appends our fields to `out`.
pub(super) fn write_own_fields(received_at: Option<Nanos>, head: Option<&str>, out: &mut Vec<u8>) {
    if let Some(at) = received_at {
        out.extend_from_slice(&AT_TAG);
        out.extend_from_slice(&(at.max(0) as u64).to_le_bytes());
    }
    if let Some(head) = head {
        out.extend_from_slice(&HEAD_TAG);
        encode_varint(head.len() as u64, out);
        out.extend_from_slice(head.as_bytes());
    }
}

/// How bytes read as the fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// One field after the other, to the end.
    Complete,
    /// The same, but the last one is incomplete.
    CutOff,
    /// Not as fields.
    Invalid,
}

/// Tag of the only field of an `ExportMetricsServiceRequest`.
const RESOURCE_METRICS: u8 = 0x0a;

/// Reads bytes as the fields of a request, without looking into them; also whether there was a `ResourceMetrics` among
/// them, complete or not. Groups are refused: OTLP never had any.
pub(super) fn check_fields(message: &[u8]) -> (Framed, bool) {
    let (mut rest, mut found) = (message, false);
    while let Some(&first) = rest.first() {
        match field_number(&mut rest) {
            Ok(number) => found |= number == 1,
            Err(Framed::CutOff) => return (Framed::CutOff, found || first == RESOURCE_METRICS),
            Err(error) => return (error, found),
        }
    }
    (Framed::Complete, found)
}

/// Passes over a field and returns its number.
fn field_number(rest: &mut &[u8]) -> Result<u64, Framed> {
    let tag = varint(rest)?;
    let number = tag >> 3;
    if !(1..1 << 29).contains(&number) {
        return Err(Framed::Invalid);
    }
    let length = match tag & 7 {
        0 => varint(rest).map(|_| 0)?,
        1 => 8,
        2 => varint(rest)?,
        5 => 4,
        _ => return Err(Framed::Invalid),
    };
    if length > LENGTH_LIMIT as u64 {
        return Err(Framed::Invalid);
    }
    *rest = rest.get(length as usize..).ok_or(Framed::CutOff)?;
    if number == 1 && tag & 7 != 2 { Err(Framed::Invalid) } else { Ok(number) }
}

fn varint(rest: &mut &[u8]) -> Result<u64, Framed> {
    // The longest has ten bytes.
    let error = if rest.len() < 10 { Framed::CutOff } else { Framed::Invalid };
    decode_varint(rest).map_err(|_| error)
}
