//! The other way: a message in protobuf, written as OTLP/JSON the way the Collector's file exporter does.
//!
//! What stands on the wire is written, whether or not it is a default, so that transcribing the text gives the same content back:
//! lowerCamelCase names, 64-bit integers as strings, enums as numbers, bytes as base64, ids in hexadecimal, doubles that are
//! no numbers as strings. Three things are not kept because JSON has no place for them: unknown fields, bytes of a text
//! that are not UTF-8 (replacement characters stand for them, as everywhere they are read), and all but the last value of a field
//! that may have only one.

use super::super::schema::{FieldKind, FieldSchema, Label, MessageSchema, REQUEST};
use super::super::wire::{DecodeError, MAX_DEPTH, RawField, error, fields, fixed64, varint};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;

/// Writes an `ExportMetricsServiceRequest` as one line of JSON, without the line break, behind what `out` holds. After an error
/// `out` may hold a part of it.
pub fn to_json(payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    message(payload, 0, &REQUEST, 0, out)
}

/// One occurrence of a field: its place in the table, and where it is.
type Found = (usize, RawField);

/// Writes the message that `b` ends with and that begins at `start`.
fn message(b: &[u8], start: usize, message: &MessageSchema, depth: u32, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let found = collect(b, start, message)?;
    out.push(b'{');
    for places in found.chunk_by(|a, b| a.0 == b.0) {
        let field = &message.fields[places[0].0];
        comma(b'{', out);
        out.push(b'"');
        out.extend_from_slice(field.json.as_bytes());
        out.extend_from_slice(b"\":");
        write_field(b, field, places, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// A comma, unless the bracket was just opened.
fn comma(open: u8, out: &mut Vec<u8>) {
    if out.last() != Some(&open) {
        out.push(b',');
    }
}

/// The known fields in the order of the table; of a oneof only the member that counts.
fn collect(b: &[u8], start: usize, message: &MessageSchema) -> Result<Vec<Found>, DecodeError> {
    let (mut found, mut members): (Vec<Found>, Vec<Found>) = (Vec::new(), Vec::new());
    for raw in fields(b, start) {
        let raw = raw?;
        let is_it = |field: &FieldSchema| u64::from(field.tag >> 3) == raw.tag >> 3;
        let Some(index) = message.fields.iter().position(is_it) else { continue };
        let field = &message.fields[index];
        let is_unpacked = field.label == Label::Many && raw.tag & 7 == u64::from(field.kind.wire());
        if raw.tag != u64::from(field.tag) && !is_unpacked {
            return Err(error("a known field with the wrong wire type", raw.start));
        }
        if field.label != Label::Member {
            found.push((index, raw));
            continue;
        }
        if members.last().is_some_and(|last| last.0 != index) {
            members.clear();
        }
        members.push((index, raw));
    }
    found.extend(members);
    found.sort_by_key(|found| found.0);
    Ok(found)
}

/// Writes the value of a field that occurs in these places.
fn write_field(
    b: &[u8],
    field: &FieldSchema,
    places: &[Found],
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let Some((_, last)) = places.last() else { return Ok(()) };
    match (field.label, field.kind) {
        (Label::Many, kind) => {
            out.push(b'[');
            for (_, raw) in places {
                let mut p = raw.content;
                while p < raw.end || kind.wire() == 2 {
                    comma(b'[', out);
                    write_value(&b[..raw.end], &mut p, kind, depth, out)?;
                    if kind.wire() == 2 {
                        break;
                    }
                }
            }
            out.push(b']');
            Ok(())
        }
        // The parts of a message that occurs several times stand for their concatenation.
        (_, FieldKind::Message(inner)) if places.len() > 1 => {
            let joined: Vec<u8> = places.iter().flat_map(|(_, raw)| &b[raw.content..raw.end]).copied().collect();
            nested(&joined, 0, inner, depth, out)
        }
        (_, kind) => write_value(&b[..last.end], &mut { last.content }, kind, depth, out),
    }
}

/// Writes the value that begins at `p`; what has a length reaches to the end of `b`.
fn write_value(b: &[u8], p: &mut usize, kind: FieldKind, depth: u32, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    // Writing into a `Vec` cannot fail.
    let _ = match kind {
        FieldKind::Message(inner) => return nested(b, *p, inner, depth, out),
        FieldKind::String => serde_json::to_writer(out, &String::from_utf8_lossy(&b[*p..])).map_err(Into::into),
        FieldKind::Base64 => write!(out, "\"{}\"", STANDARD.encode(&b[*p..])),
        FieldKind::Hex => {
            let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
            let text: String = b[*p..].iter().flat_map(digits).flatten().collect();
            write!(out, "\"{text}\"")
        }
        FieldKind::Double => match f64::from_bits(fixed64(b, p)?) {
            // The shortest text that is read back as the same double.
            value if value.is_finite() => serde_json::to_writer(out, &value).map_err(Into::into),
            value if value.is_nan() => write!(out, "\"NaN\""),
            value => write!(out, "\"{}Infinity\"", if value < 0.0 { "-" } else { "" }),
        },
        FieldKind::Fixed64 => write!(out, "\"{}\"", fixed64(b, p)?),
        FieldKind::Sfixed64 => write!(out, "\"{}\"", fixed64(b, p)? as i64),
        FieldKind::Uint64 => write!(out, "\"{}\"", varint(b, p)?),
        FieldKind::Int64 => write!(out, "\"{}\"", varint(b, p)? as i64),
        FieldKind::Uint32 => write!(out, "{}", varint(b, p)? as u32),
        FieldKind::Int32 | FieldKind::Enum(_) => write!(out, "{}", varint(b, p)? as i32),
        FieldKind::Sint32 => {
            let zigzag = varint(b, p)? as u32;
            write!(out, "{}", (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
        }
        FieldKind::Bool => write!(out, "{}", varint(b, p)? != 0),
    };
    Ok(())
}

fn nested(b: &[u8], start: usize, inner: &MessageSchema, depth: u32, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if depth >= MAX_DEPTH {
        return Err(error("messages nested too deeply", start));
    }
    message(b, start, inner, depth + 1, out)
}
