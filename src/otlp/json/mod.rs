//! OTLP/JSON: the text of an `ExportMetricsServiceRequest`, transcribed into the protobuf encoding of the same message.
//!
//! One routine walks the tables of [`super::schema`]; nothing is built in between. All that the JSON mapping of protobuf allows
//! is read: names in either spelling, fields in any order, `null` for a field that is not set, integers and doubles as
//! numbers or strings, enums as numbers or names, unknown fields (ignored). Trace and span ids are hexadecimal, as OTLP
//! wants them. A repeated key means what a repeated field means in protobuf: the last scalar counts, lists and messages
//! go on. Two members of one oneof are an error, and so is everything that would lose what the text says: a string where
//! an object must be, an integer that does not fit, half of a surrogate pair.

mod scan;
mod write;

pub use write::to_json;

use super::schema::{FieldKind, FieldSchema, Label, MessageSchema, PATTERN, REQUEST};
use super::wire::{DecodeError, MAX_DEPTH, error};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::encoding::{encode_varint, encoded_len_varint};
use scan::{Scanner, skip};

/// Writes the protobuf encoding of an OTLP/JSON text behind what `out` holds. After an error `out` ends with a part of it.
pub fn transcribe(json: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if let Err(e) = std::str::from_utf8(json) {
        return Err(error("text that is not UTF-8", e.valid_up_to()));
    }
    let start = if json.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut transcriber = Transcriber { out, scratch: Vec::new() };
    let end = transcriber.message(json, start, &REQUEST, 0)?;
    let mut scan = Scanner { b: json, p: end };
    scan.peek();
    if scan.p < json.len() {
        return Err(error("text after the end of the message", scan.p));
    }
    Ok(())
}

struct Transcriber<'a> {
    out: &'a mut Vec<u8>,
    /// For strings with escapes.
    scratch: Vec<u8>,
}

impl Transcriber<'_> {
    /// Transcribes the object that comes next and returns where it ends.
    fn message(&mut self, b: &[u8], p: usize, message: &MessageSchema, depth: u32) -> Result<usize, DecodeError> {
        let mut scan = Scanner { b, p };
        scan.expect(b'{', "something else where an object must be")?;
        if scan.take(b'}') {
            return Ok(scan.p);
        }
        let (mut next, mut member) = (0, None);
        loop {
            scan.peek();
            let at = scan.p;
            let known = self.key(&mut scan, message, next)?;
            match known {
                None => scan.p = skip(scan.b, scan.p, depth)?,
                Some((i, field)) => {
                    next = i + 1;
                    if scan.peek() == b'n' {
                        scan.word("null")?;
                    } else {
                        if field.label == Label::Member && *member.get_or_insert(i) != i {
                            return Err(error("a second value where only one may be", at));
                        }
                        self.field(&mut scan, field, depth)?;
                    }
                }
            }
            if !scan.more(b'}')? {
                return Ok(scan.p);
            }
        }
    }

    /// Takes a key and its colon and gives its field and the field's index, if it has one. `next` is the index that is
    /// expected.
    #[inline(always)]
    fn key(
        &mut self,
        scan: &mut Scanner,
        message: &MessageSchema,
        next: usize,
    ) -> Result<Option<(usize, &'static FieldSchema)>, DecodeError> {
        if let Some([b'"', text @ ..]) = scan.b.get(scan.p..)
            && let Some(text) = text.first_chunk::<PATTERN>()
        {
            let (words, _) = text.as_chunks::<8>();
            let text = [0, 1, 2].map(|i| u64::from_le_bytes(words[i]));
            let expected =
                message.fields.get(next).and_then(|field| Some((next, field, field.pattern.matches(&text)?)));
            if let Some((i, field, length)) = expected.or_else(|| search(message.fields, next, &text)) {
                scan.p += 1 + length;
                return Ok(Some((i, field)));
            }
        }
        let (known, end) = self.unusual_key(scan.b, scan.p, message)?;
        scan.p = end;
        Ok(known.map(|i| (i, &message.fields[i])))
    }

    #[inline(never)]
    fn unusual_key(
        &mut self,
        b: &[u8],
        p: usize,
        message: &MessageSchema,
    ) -> Result<(Option<usize>, usize), DecodeError> {
        let mut scan = Scanner { b, p };
        let key = scan.string("something else where a key must be")?.text(&mut self.scratch)?;
        let is_it = |field: &FieldSchema| field.json.as_bytes() == key || field.is_proto_name(key);
        let known = message.fields.iter().position(is_it);
        scan.expect(b':', "no colon after a key")?;
        Ok((known, scan.p))
    }

    #[inline(always)]
    fn field(&mut self, scan: &mut Scanner, field: &FieldSchema, depth: u32) -> Result<(), DecodeError> {
        if field.label != Label::Many {
            return self.value(scan, field, depth);
        }
        scan.expect(b'[', "something else where an array must be")?;
        if scan.take(b']') {
            return Ok(());
        }
        if field.kind.wire() != 2 {
            scan.p = self.packed(scan.b, scan.p, field)?;
            return Ok(());
        }
        loop {
            self.value(scan, field, depth)?;
            if !scan.more(b']')? {
                return Ok(());
            }
        }
    }

    /// The rest of a list of numbers; returns where it ends.
    #[inline(never)]
    fn packed(&mut self, b: &[u8], p: usize, field: &FieldSchema) -> Result<usize, DecodeError> {
        let mut scan = Scanner { b, p };
        let start = self.open(field.tag);
        loop {
            self.number(&mut scan, None, field.kind)?;
            if !scan.more(b']')? {
                self.close(start);
                return Ok(scan.p);
            }
        }
    }

    #[inline(always)]
    fn value(&mut self, scan: &mut Scanner, field: &FieldSchema, depth: u32) -> Result<(), DecodeError> {
        match field.kind {
            FieldKind::Message(message) => {
                if depth >= MAX_DEPTH {
                    return Err(error("values nested too deeply", scan.p));
                }
                let start = self.open(field.tag);
                scan.p = self.message(scan.b, scan.p, message, depth + 1)?;
                self.close(start);
            }
            FieldKind::String => {
                let text = scan.string("something else where a string must be")?.text(&mut self.scratch)?;
                self.out.push(field.tag);
                encode_varint(text.len() as u64, self.out);
                self.out.extend_from_slice(text);
            }
            FieldKind::Base64 => scan.p = self.bytes(scan.b, scan.p, field.tag, base64)?,
            FieldKind::Hex => scan.p = self.bytes(scan.b, scan.p, field.tag, hex)?,
            kind => self.number(scan, Some(field.tag), kind)?,
        }
        Ok(())
    }

    /// A value of a type that may stand in a packed list, where it has no tag.
    #[inline(always)]
    fn number(&mut self, scan: &mut Scanner, tag: Option<u8>, kind: FieldKind) -> Result<(), DecodeError> {
        let word = match kind {
            FieldKind::Fixed64 => scan.integer()?,
            FieldKind::Sfixed64 => scan.integer::<i64>()? as u64,
            FieldKind::Double => scan.double()?.to_bits(),
            _ => {
                let (value, end) = small_number(scan.b, scan.p, kind)?;
                scan.p = end;
                self.out.extend(tag);
                encode_varint(value, self.out);
                return Ok(());
            }
        };
        self.out.extend(tag);
        self.out.extend_from_slice(&word.to_le_bytes());
        Ok(())
    }

    #[inline(never)]
    fn bytes(
        &mut self,
        b: &[u8],
        p: usize,
        tag: u8,
        read: fn(&[u8]) -> Result<Vec<u8>, &'static str>,
    ) -> Result<usize, DecodeError> {
        let mut scan = Scanner { b, p };
        let quoted = scan.string("something else where a string must be")?;
        let bytes = read(quoted.text(&mut self.scratch)?).map_err(|what| error(what, quoted.at))?;
        self.out.push(tag);
        encode_varint(bytes.len() as u64, self.out);
        self.out.extend_from_slice(&bytes);
        Ok(scan.p)
    }

    /// Writes a tag and leaves a byte for the length; returns where the content begins.
    #[inline(always)]
    fn open(&mut self, tag: u8) -> usize {
        self.out.extend_from_slice(&[tag, 0]);
        self.out.len()
    }

    /// Fills in the length of the content that began at `start`. The content moves when its length takes more than one byte: the
    /// copies are little beside reading it.
    #[inline]
    fn close(&mut self, start: usize) {
        let n = self.out.len() - start;
        let more = encoded_len_varint(n as u64) - 1;
        if more > 0 {
            self.out.resize(start + n + more, 0);
            self.out.copy_within(start..start + n, start + more);
        }
        encode_varint(n as u64, &mut &mut self.out[start - 1..start + more]);
    }
}

/// A value that is a varint on the wire, and where it ends.
#[inline(never)]
fn small_number(b: &[u8], p: usize, kind: FieldKind) -> Result<(u64, usize), DecodeError> {
    let mut scan = Scanner { b, p };
    let value = match kind {
        FieldKind::Bool => boolean(&mut scan)? as u64,
        FieldKind::Uint32 => scan.integer::<u32>()? as u64,
        FieldKind::Int32 => scan.integer::<i32>()? as u64,
        FieldKind::Sint32 => {
            let v: i32 = scan.integer()?;
            (v << 1 ^ v >> 31) as u32 as u64
        }
        FieldKind::Enum(names) => named(&mut scan, names)? as u64,
        FieldKind::Int64 => scan.integer::<i64>()? as u64,
        _ => scan.integer()?,
    };
    Ok((value, scan.p))
}

fn boolean(scan: &mut Scanner) -> Result<bool, DecodeError> {
    match scan.peek() {
        b't' => scan.word("true").map(|()| true),
        b'f' => scan.word("false").map(|()| false),
        _ => Err(scan.unexpected("something else where true or false must be")),
    }
}

/// An enum: one of its names or any number, which may be a value that is not known yet.
fn named(scan: &mut Scanner, names: &[(&str, i32)]) -> Result<i32, DecodeError> {
    if scan.peek() != b'"' {
        return scan.integer();
    }
    let at = scan.p;
    let mut scratch = Vec::new();
    let name = scan.string("no name")?.text(&mut scratch)?;
    match names.iter().find(|(known, _)| known.as_bytes() == name) {
        Some((_, value)) => Ok(*value),
        None => Err(error("an unknown name where one of an enum's must be", at)),
    }
}

/// The field whose pattern `text` begins with, looked for from `next` on and then from the first one.
#[inline(never)]
fn search(
    fields: &'static [FieldSchema],
    next: usize,
    text: &[u64; 3],
) -> Option<(usize, &'static FieldSchema, usize)> {
    let (before, from_next) = fields.split_at_checked(next)?;
    let found = |(i, field): (usize, &'static FieldSchema)| Some((i, field, field.pattern.matches(text)?));
    (next..).zip(from_next).chain((0..).zip(before)).find_map(found)
}

/// Base64 in either alphabet, padded or not.
fn base64(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.iter().any(|c| matches!(c, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LAX).decode(text).map_err(|_| "text that is not base64")
}

fn hex(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    const WRONG: &str = "text that is not hexadecimal";
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(WRONG);
    }
    let digit = |c: u8| (c as char).to_digit(16).ok_or(WRONG);
    pairs.iter().map(|&[high, low]| Ok((digit(high)? << 4 | digit(low)?) as u8)).collect()
}
