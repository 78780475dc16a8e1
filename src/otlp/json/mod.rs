//! OTLP/JSON: the text of an `ExportMetricsServiceRequest`, transcribed into the protobuf encoding of the same message.
//!
//! One routine walks the tables of [`schema`]; nothing is built in between. All that the JSON mapping of protobuf allows
//! is read: names in either spelling, fields in any order, `null` for a field that is not set, integers and doubles as
//! numbers or strings, enums as numbers or names, unknown fields (ignored). Trace and span ids are hexadecimal, as OTLP
//! wants them. A repeated key means what a repeated field means in protobuf: the last scalar counts, lists and messages
//! go on. Two members of one oneof are an error, and so is everything that would lose what the text says: a string where
//! an object must be, an integer that does not fit, half of a surrogate pair.

mod scan;
mod schema;

use super::DecodeError;
use super::wire::{MAX_DEPTH, error};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use scan::{Int, Quoted, Scanner};
use schema::{Field, Kind, Label, MESSAGES, Message, REQUEST};

/// Writes the protobuf encoding of a JSON text behind what `out` holds.
pub(super) fn transcribe(json: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if let Err(e) = std::str::from_utf8(json) {
        return Err(error("text that is not UTF-8", e.valid_up_to()));
    }
    let start = if json.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let scan = Scanner { b: json, p: start };
    let mut transcriber = Transcriber { scan, out, widths: [1; MESSAGES], scratch: Vec::new() };
    transcriber.message(&REQUEST, 0)?;
    transcriber.scan.peek();
    match transcriber.scan.p < json.len() {
        true => Err(error("text after the end of the message", transcriber.scan.p)),
        false => Ok(()),
    }
}

struct Transcriber<'a> {
    scan: Scanner<'a>,
    out: &'a mut Vec<u8>,
    /// How many bytes the length of each kind of message took last time: the guess for the next one. A wrong guess costs
    /// moving the message.
    widths: [u8; MESSAGES],
    /// For strings with escapes.
    scratch: Vec<u8>,
}

impl Transcriber<'_> {
    fn message(&mut self, message: &'static Message, depth: u32) -> Result<(), DecodeError> {
        self.scan.expect(b'{', "something else where an object must be")?;
        if self.scan.take(b'}') {
            return Ok(());
        }
        let (mut next, mut member) = (0, None);
        loop {
            self.scan.peek();
            let at = self.scan.p;
            let known = self.key(message, next)?;
            self.scan.expect(b':', "no colon after a key")?;
            match known {
                None => self.scan.skip(depth)?,
                Some(i) => {
                    next = i + 1;
                    let field = &message.fields[i];
                    if self.scan.peek() == b'n' {
                        self.scan.word("null")?;
                    } else {
                        if field.label == Label::Member && *member.get_or_insert(i) != i {
                            return Err(error("a second value where only one may be", at));
                        }
                        self.field(field, depth)?;
                    }
                }
            }
            if !self.scan.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Takes a key and gives the index of its field, if it has one. `next` is where it is expected.
    #[inline(always)]
    fn key(&mut self, message: &'static Message, next: usize) -> Result<Option<usize>, DecodeError> {
        if let Some(rest) = self.scan.b.get(self.scan.p + 1..)
            && let Some(head) = rest.first_chunk::<8>()
            && self.scan.b[self.scan.p] == b'"'
        {
            let head = u64::from_le_bytes(*head);
            let fields = message.fields;
            let next = next.min(fields.len());
            for i in (next..fields.len()).chain(0..next) {
                if let Some(length) = fields[i].pattern.matches(head, rest) {
                    self.scan.p += 1 + length;
                    return Ok(Some(i));
                }
            }
        }
        self.unusual_key(message)
    }

    #[inline(never)]
    fn unusual_key(&mut self, message: &'static Message) -> Result<Option<usize>, DecodeError> {
        let key = self.scan.string("something else where a key must be")?.text(&mut self.scratch)?;
        Ok(message.fields.iter().position(|field| field.json.as_bytes() == key || field.proto.as_bytes() == key))
    }

    #[inline(always)]
    fn field(&mut self, field: &'static Field, depth: u32) -> Result<(), DecodeError> {
        match (field.label, field.kind) {
            (Label::One | Label::Member, _) => self.value(field, depth),
            (Label::Many, Kind::Message(_) | Kind::String | Kind::Base64 | Kind::Hex) => {
                self.list(|t| t.value(field, depth))
            }
            (Label::Many, kind) => {
                let start = self.open(field.tag, 1);
                self.list(|t| t.number(kind))?;
                self.close(start, 1);
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
        self.scan.expect(b'[', "something else where an array must be")?;
        if self.scan.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.scan.more(b']')? {
                return Ok(());
            }
        }
    }

    #[inline(always)]
    fn value(&mut self, field: &'static Field, depth: u32) -> Result<(), DecodeError> {
        match field.kind {
            Kind::Message(message) => {
                if depth >= MAX_DEPTH {
                    return Err(error("values nested too deeply", self.scan.p));
                }
                let width = self.widths[message.id] as usize;
                let start = self.open(field.tag, width);
                self.message(message, depth + 1)?;
                self.widths[message.id] = self.close(start, width) as u8;
                Ok(())
            }
            Kind::String => {
                let text = self.scan.string("something else where a string must be")?.text(&mut self.scratch)?;
                self.out.push(field.tag);
                put_varint(self.out, text.len() as u64);
                self.out.extend_from_slice(text);
                Ok(())
            }
            Kind::Base64 => self.bytes(field.tag, base64),
            Kind::Hex => self.bytes(field.tag, hex),
            kind => {
                self.out.push(field.tag);
                self.number(kind)
            }
        }
    }

    /// A value of a type that may stand in a packed list, without its tag.
    #[inline(always)]
    fn number(&mut self, kind: Kind) -> Result<(), DecodeError> {
        match kind {
            Kind::Fixed64 => {
                let v = self.integer(|v| v.unsigned(u64::MAX))?;
                self.out.extend_from_slice(&v.to_le_bytes());
            }
            Kind::Sfixed64 => {
                let v = self.integer(|v| v.signed(i64::MAX))?;
                self.out.extend_from_slice(&v.to_le_bytes());
            }
            Kind::Double => {
                let v = self.scan.double()?;
                self.out.extend_from_slice(&v.to_le_bytes());
            }
            _ => {
                let v = self.small_number(kind)?;
                put_varint(self.out, v);
            }
        }
        Ok(())
    }

    /// A value that is a varint on the wire.
    #[inline(never)]
    fn small_number(&mut self, kind: Kind) -> Result<u64, DecodeError> {
        let int32 = |v: Int| v.signed(i32::MAX as i64);
        match kind {
            Kind::Bool => self.boolean().map(u64::from),
            Kind::Uint32 => self.integer(|v| v.unsigned(u32::MAX as u64)),
            Kind::Int32 => self.integer(int32).map(|v| v as u64),
            Kind::Sint32 => self.integer(int32).map(|v| (v << 1 ^ v >> 63) as u32 as u64),
            Kind::Enum(names) => self.named(names).map(|v| v as i64 as u64),
            Kind::Int64 => self.integer(|v| v.signed(i64::MAX)).map(|v| v as u64),
            _ => self.integer(|v| v.unsigned(u64::MAX)),
        }
    }

    #[inline(always)]
    fn integer<T>(&mut self, fit: impl Fn(Int) -> Option<T>) -> Result<T, DecodeError> {
        let at = self.scan.p;
        let value = self.scan.integer()?;
        fit(value).ok_or_else(|| error("an integer out of range", at))
    }

    fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.scan.peek() {
            b't' => self.scan.word("true").map(|()| true),
            b'f' => self.scan.word("false").map(|()| false),
            _ => Err(self.scan.unexpected("something else where true or false must be")),
        }
    }

    /// An enum: one of its names or any number, which may be a value that is not known yet.
    fn named(&mut self, names: &[(&str, i32)]) -> Result<i32, DecodeError> {
        if self.scan.peek() != b'"' {
            return self.integer(|v| v.signed(i32::MAX as i64)).map(|v| v as i32);
        }
        let at = self.scan.p;
        let name = self.scan.string("no name")?.text(&mut self.scratch)?;
        match names.iter().find(|(known, _)| known.as_bytes() == name) {
            Some((_, value)) => Ok(*value),
            None => Err(error("an unknown name where one of an enum's must be", at)),
        }
    }

    fn bytes(&mut self, tag: u8, read: fn(&[u8]) -> Result<Vec<u8>, &'static str>) -> Result<(), DecodeError> {
        let quoted: Quoted = self.scan.string("something else where a string must be")?;
        let bytes = read(quoted.text(&mut self.scratch)?).map_err(|what| error(what, quoted.at))?;
        self.out.push(tag);
        put_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Writes a tag and leaves `width` bytes for the length; returns where the content begins.
    #[inline(always)]
    fn open(&mut self, tag: u8, width: usize) -> usize {
        self.out.extend_from_slice(&[tag, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..1 + width]);
        self.out.len()
    }

    /// Fills in the length of the content that began at `start`; returns the number of bytes it takes.
    #[inline(always)]
    fn close(&mut self, start: usize, width: usize) -> usize {
        let n = self.out.len() - start;
        if width == 1 && n < 0x80 {
            self.out[start - 1] = n as u8;
            return 1;
        }
        self.close_wide(start, width)
    }

    #[inline(never)]
    fn close_wide(&mut self, start: usize, width: usize) -> usize {
        let n = self.out.len() - start;
        let mut length = [0; 10];
        let mut needed = 0;
        let mut rest = n;
        loop {
            length[needed] = rest as u8 & 0x7f | if rest < 0x80 { 0 } else { 0x80 };
            needed += 1;
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        let moved = start - width + needed;
        if needed > width {
            self.out.resize(moved + n, 0);
        }
        if needed != width {
            self.out.copy_within(start..start + n, moved);
            self.out.truncate(moved + n);
        }
        self.out[start - width..moved].copy_from_slice(&length[..needed]);
        needed
    }
}

#[inline(always)]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
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
