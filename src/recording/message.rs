//! The messages of length-prefixed recordings: what makes one ours, and whether bytes are a message at all.
//!
//! A recording is ours by two extra fields in front of a message, which every other reader skips: the receive time is a
//! `fixed64` field, the head of a recording a text field, both far outside the numbers that OTLP uses at the top of an
//! `ExportMetricsServiceRequest`. They count only at the very front of a message, so that a client which sends such a
//! field itself cannot change what a recording contains.

use super::format::MESSAGE_LIMIT;
use crate::model::{Nanos, clamp_time};
use crate::otlp::DecodeError;
use prost::encoding::encode_varint;

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
    let mut own = OwnFields::default();
    while let Some(rest) = message.get(own.len..).filter(|rest| is_own(rest)) {
        let value = &rest[AT_TAG.len()..];
        let wrong = |what| DecodeError { what, offset: own.len };
        if rest.starts_with(&AT_TAG) {
            let bytes = value.first_chunk::<8>().ok_or(wrong("the message ends inside its timestamp"))?;
            own.received_at = Some(clamp_time(u64::from_le_bytes(*bytes)));
            own.len += AT_TAG.len() + 8;
        } else {
            let mut digits = 0;
            let length = varint(value, &mut digits).ok().filter(|length| *length < 1 << 28);
            let length = length.ok_or(wrong("the head's length is wrong"))? as usize;
            let text = value.get(digits..digits + length).ok_or(wrong("the message ends inside its head"))?;
            own.head = Some(std::str::from_utf8(text).map_err(|_| wrong("the head is not UTF-8"))?);
            own.len += HEAD_TAG.len() + digits + length;
        }
    }
    Ok(own)
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
    let (mut at, mut found) = (0, false);
    while at < message.len() {
        let start = at;
        match field_number(message, &mut at) {
            Ok(number) => found |= number == 1,
            Err(Framed::CutOff) => return (Framed::CutOff, found || message[start] == RESOURCE_METRICS),
            Err(error) => return (error, found),
        }
    }
    (Framed::Complete, found)
}

/// Passes over a field and returns its number.
fn field_number(message: &[u8], at: &mut usize) -> Result<u64, Framed> {
    let tag = varint(message, at)?;
    let number = tag >> 3;
    if !(1..1 << 29).contains(&number) {
        return Err(Framed::Invalid);
    }
    match tag & 7 {
        0 => drop(varint(message, at)?),
        1 => *at += 8,
        2 => match varint(message, at)? {
            length if length <= LENGTH_LIMIT as u64 => *at += length as usize,
            _ => return Err(Framed::Invalid),
        },
        5 => *at += 4,
        _ => return Err(Framed::Invalid),
    }
    match *at > message.len() {
        true => Err(Framed::CutOff),
        false if number == 1 && tag & 7 != 2 => Err(Framed::Invalid),
        false => Ok(number),
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Framed> {
    let mut value = 0u64;
    for (i, &byte) in bytes.get(*at..).unwrap_or_default().iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *at += i + 1;
            return if i == 9 && byte > 1 { Err(Framed::Invalid) } else { Ok(value) };
        }
    }
    if bytes.len() - (*at).min(bytes.len()) >= 10 { Err(Framed::Invalid) } else { Err(Framed::CutOff) }
}
