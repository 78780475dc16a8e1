//! The fields of a protobuf message, one after the other, without knowing what they mean.
//!
//! Enough to tell a message from other bytes, a message that was cut off from one with a wrong length, and to leave out
//! parts of one. Groups are refused: OTLP never had any.

use super::own::LENGTH_LIMIT;
use std::ops::Range;

/// One field of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) value: FieldValue,
    /// Tag, length and value.
    pub(super) whole: Range<usize>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldValue {
    /// A varint.
    Varint,
    /// Eight bytes.
    Fixed64(u64),
    /// Text, bytes or a message.
    Bytes(Range<usize>),
    /// Four bytes.
    Fixed32,
}

/// Why there is no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldError {
    /// The message ends inside it.
    Cut,
    /// These bytes are no field.
    Invalid,
}

/// The field at `start`.
pub(super) fn field(message: &[u8], start: usize) -> Result<Field, FieldError> {
    let mut at = start;
    let tag = varint(message, &mut at)?;
    let number = u32::try_from(tag >> 3).ok().filter(|n| (1..1 << 29).contains(n)).ok_or(FieldError::Invalid)?;
    let value = match tag & 7 {
        0 => {
            varint(message, &mut at)?;
            FieldValue::Varint
        }
        1 => {
            let bytes = message.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or(FieldError::Cut)?;
            at += 8;
            FieldValue::Fixed64(u64::from_le_bytes(*bytes))
        }
        2 => {
            let length = varint(message, &mut at)?;
            if length > LENGTH_LIMIT as u64 {
                return Err(FieldError::Invalid);
            }
            let value = at..at + length as usize;
            at = value.end;
            FieldValue::Bytes(value)
        }
        5 => {
            at += 4;
            FieldValue::Fixed32
        }
        _ => return Err(FieldError::Invalid),
    };
    if at > message.len() {
        return Err(FieldError::Cut);
    }
    Ok(Field { number, value, whole: start..at })
}

/// How the bytes of a message read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// One field after the other, to the end.
    Complete,
    /// The same, but the last one is incomplete.
    Cut,
    /// Not as fields.
    Invalid,
}

/// Walks over the fields of a request; says whether there was a `ResourceMetrics` among them, complete or not.
pub(super) fn walk(message: &[u8]) -> (Walk, bool) {
    let (mut at, mut found) = (0, false);
    while at < message.len() {
        match field(message, at) {
            Ok(Field { number: 1, value, whole }) => {
                if !matches!(value, FieldValue::Bytes(_)) {
                    return (Walk::Invalid, found);
                }
                found = true;
                at = whole.end;
            }
            Ok(field) => at = field.whole.end,
            Err(FieldError::Cut) => return (Walk::Cut, found || message[at] == RESOURCE_METRICS),
            Err(FieldError::Invalid) => return (Walk::Invalid, found),
        }
    }
    (Walk::Complete, found)
}

/// Tag of the only field of an `ExportMetricsServiceRequest`.
const RESOURCE_METRICS: u8 = 0x0a;

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, FieldError> {
    let mut value = 0u64;
    for (i, &byte) in bytes.get(*at..).unwrap_or_default().iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *at += i + 1;
            return if i == 9 && byte > 1 { Err(FieldError::Invalid) } else { Ok(value) };
        }
    }
    if bytes.len() - (*at).min(bytes.len()) >= 10 { Err(FieldError::Invalid) } else { Err(FieldError::Cut) }
}
