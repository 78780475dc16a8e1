//! What makes a recording ours: two extra fields in front of a message, which every other reader skips.
//!
//! The instant of arrival is a `fixed64` field, the head of a recording a text field, both far outside the numbers that OTLP
//! uses at the top of an `ExportMetricsServiceRequest`. They count only at the very front of a message, so that a client
//! which sends such a field itself cannot change what a recording says.

use super::MESSAGE_LIMIT;
use crate::model::{Nanos, clamp_time};
use crate::otlp::DecodeError;

/// Number of the field with the instant of arrival: nanoseconds since the epoch.
pub const AT_FIELD: u32 = 70_000_001;
/// Number of the field with the head of the recording: JSON text.
pub const HEAD_FIELD: u32 = 70_000_002;

const AT_TAG: [u8; 5] = tag(AT_FIELD, 1);
const HEAD_TAG: [u8; 5] = tag(HEAD_FIELD, 2);

/// Stands in front of a body that starts with one of our fields, which a client may send: an empty field of the range
/// that protobuf keeps for its implementations. What follows it is the body's, not ours.
pub(super) const GUARD: [u8; 4] = [0xc2, 0xa3, 0x09, 0x00];

/// The longest head that is written or read.
pub(super) const HEAD_LIMIT: usize = 512 << 10;
/// The longest message: a body and our fields.
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
pub(super) struct Prefix<'a> {
    pub(super) at: Option<Nanos>,
    pub(super) head: Option<&'a str>,
    /// Where the body starts.
    pub(super) len: usize,
}

/// Reads our fields at the front of a message.
pub(super) fn prefix(message: &[u8]) -> Result<Prefix<'_>, DecodeError> {
    let mut prefix = Prefix::default();
    while let Some(rest) = message.get(prefix.len..).filter(|rest| is_own(rest)) {
        let value = &rest[AT_TAG.len()..];
        let wrong = |what| DecodeError { what, offset: prefix.len };
        if rest.starts_with(&AT_TAG) {
            let bytes = value.first_chunk::<8>().ok_or(wrong("the message ends inside its timestamp"))?;
            prefix.at = Some(clamp_time(u64::from_le_bytes(*bytes)));
            prefix.len += AT_TAG.len() + 8;
        } else {
            let (length, digits) = short_varint(value).ok_or(wrong("the head's length is wrong"))?;
            let text = value.get(digits..digits + length).ok_or(wrong("the message ends inside its head"))?;
            prefix.head = Some(std::str::from_utf8(text).map_err(|_| wrong("the head is not UTF-8"))?);
            prefix.len += HEAD_TAG.len() + digits + length;
        }
    }
    Ok(prefix)
}

fn short_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Appends our fields to `out`.
pub(super) fn write_prefix(at: Option<Nanos>, head: Option<&str>, out: &mut Vec<u8>) {
    if let Some(at) = at {
        out.extend_from_slice(&AT_TAG);
        out.extend_from_slice(&(at.max(0) as u64).to_le_bytes());
    }
    if let Some(head) = head {
        out.extend_from_slice(&HEAD_TAG);
        let mut length = head.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(head.as_bytes());
    }
}
