//! The other way: a message in protobuf, written as OTLP/JSON the way the Collector's file exporter does.
//!
//! What stands on the wire is written, whether or not it is a default, so that transcribing the text gives the same content back:
//! lowerCamelCase names, 64-bit integers as strings, enums as numbers, bytes as base64, ids in hexadecimal, doubles that are
//! no numbers as strings. Three things are not kept because JSON has no place for them: unknown fields, bytes of a text
//! that are not UTF-8 (replacement characters stand for them, as everywhere they are read), and all but the last value of a field
//! that may have only one.

use super::super::wire::{DecodeError, MAX_DEPTH, error, fixed64, length, skip, varint};
use super::schema::{Field, Kind, Label, Message, REQUEST};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;

/// Writes an `ExportMetricsServiceRequest` as one line of JSON, without the line break, behind what `out` holds. After an error
/// `out` may hold a part of it.
pub fn to_json(payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    message(payload, 0, &REQUEST, 0, out)
}

/// One occurrence of a field: its place in the table, and where its value is.
type Found = (usize, usize, usize);

/// Writes the message that `b` ends with and that begins at `start`.
fn message(
    b: &[u8],
    start: usize,
    message: &'static Message,
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let found = collect(b, start, message, depth)?;
    out.push(b'{');
    let mut rest = found.as_slice();
    while let Some(&(index, ..)) = rest.first() {
        let (same, others) = rest.split_at(rest.iter().take_while(|f| f.0 == index).count());
        rest = others;
        let field = &message.fields[index];
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.json.as_bytes());
        out.extend_from_slice(b"\":");
        write_field(b, field, same, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// The known fields in the order of the table; of a oneof only the member that counts.
fn collect(b: &[u8], start: usize, message: &'static Message, depth: u32) -> Result<Vec<Found>, DecodeError> {
    let mut found: Vec<Found> = Vec::new();
    // The member of the oneof that was set last, and where the run of its occurrences begins.
    let mut member = (usize::MAX, 0);
    let mut p = start;
    while p < b.len() {
        let at = p;
        let tag = varint(b, &mut p)?;
        let Some(index) = message.fields.iter().position(|field| u64::from(field.tag >> 3) == tag >> 3) else {
            p = skip(b, p, (at, tag), &[], depth)?;
            continue;
        };
        let field = &message.fields[index];
        let value = p;
        let many_unpacked = field.label == Label::Many && tag & 7 == element_wire(field.kind);
        if tag != u64::from(field.tag) && !many_unpacked {
            return Err(error("a known field with the wrong wire type", at));
        }
        let content = match tag & 7 {
            2 => {
                let end = length(b, &mut p)?;
                std::mem::replace(&mut p, end)
            }
            1 => {
                fixed64(b, &mut p)?;
                value
            }
            _ => {
                varint(b, &mut p)?;
                value
            }
        };
        if field.label == Label::Member && member.0 != index {
            member = (index, found.len());
        }
        found.push((index, content, p));
    }
    let mut i = 0;
    found.retain(|&(index, ..)| {
        i += 1;
        message.fields[index].label != Label::Member || (index == member.0 && i > member.1)
    });
    found.sort_by_key(|found| found.0);
    Ok(found)
}

/// The wire type of one value of a kind.
fn element_wire(kind: Kind) -> u64 {
    match kind {
        Kind::Message(_) | Kind::String | Kind::Base64 | Kind::Hex => 2,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
        Kind::Bool | Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 | Kind::Enum(_) => 0,
    }
}

/// Writes the value of a field that occurs in these places.
fn write_field(
    b: &[u8],
    field: &'static Field,
    places: &[Found],
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let Some(&(_, start, end)) = places.last() else { return Ok(()) };
    match (field.label, field.kind) {
        (Label::Many, kind) => {
            out.push(b'[');
            for &(_, start, end) in places {
                let mut p = start;
                while p < end || element_wire(kind) == 2 {
                    if out.last() != Some(&b'[') {
                        out.push(b',');
                    }
                    write_value(&b[..end], &mut p, kind, depth, out)?;
                    if element_wire(kind) == 2 {
                        break;
                    }
                }
            }
            out.push(b']');
            Ok(())
        }
        // The parts of a message that occurs several times stand for their concatenation.
        (_, Kind::Message(inner)) if places.len() > 1 => {
            let joined: Vec<u8> = places.iter().flat_map(|&(_, start, end)| &b[start..end]).copied().collect();
            nested(&joined, 0, inner, depth, out)
        }
        (_, kind) => write_value(&b[..end], &mut { start }, kind, depth, out),
    }
}

/// Writes the value that begins at `p`; what has a length reaches to the end of `b`.
fn write_value(b: &[u8], p: &mut usize, kind: Kind, depth: u32, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match kind {
        Kind::Message(inner) => return nested(b, *p, inner, depth, out),
        Kind::String => write_text(&String::from_utf8_lossy(&b[*p..]), out),
        Kind::Base64 => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(&b[*p..]).as_bytes());
            out.push(b'"');
        }
        Kind::Hex => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.push(b'"');
            for byte in &b[*p..] {
                out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            out.push(b'"');
        }
        Kind::Double => write_double(f64::from_bits(fixed64(b, p)?), out),
        Kind::Fixed64 => quoted(fixed64(b, p)?, out),
        Kind::Sfixed64 => quoted(fixed64(b, p)? as i64, out),
        Kind::Uint64 => quoted(varint(b, p)?, out),
        Kind::Int64 => quoted(varint(b, p)? as i64, out),
        Kind::Uint32 => plain(varint(b, p)? as u32, out),
        Kind::Int32 | Kind::Enum(_) => plain(varint(b, p)? as i32, out),
        Kind::Sint32 => {
            let zigzag = varint(b, p)? as u32;
            plain((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32), out);
        }
        Kind::Bool => plain(varint(b, p)? != 0, out),
    }
    Ok(())
}

fn nested(b: &[u8], start: usize, inner: &'static Message, depth: u32, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if depth >= MAX_DEPTH {
        return Err(error("messages nested too deeply", start));
    }
    message(b, start, inner, depth + 1, out)
}

// Writing into a `Vec` cannot fail.
fn plain(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

fn quoted(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _ = write!(out, "\"{value}\"");
}

fn write_double(value: f64, out: &mut Vec<u8>) {
    let word: &[u8] = match value {
        v if v.is_nan() => b"\"NaN\"",
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        // The shortest text that is read back as the same double.
        v => return plain(serde_json::Number::from_f64(v).unwrap_or_else(|| 0.into()), out),
    };
    out.extend_from_slice(word);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|c| c < 0x20 || c == b'"' || c == b'\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}
