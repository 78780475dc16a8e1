//! Which form a file has, recognised by its bytes.
//!
//! Nothing is consumed while looking but a byte order mark, and never more is read than one message may be large. A form
//! is recognised when a first entry of it can be read, or is one that was cut off or damaged beyond doubt.

use super::content::{Content, Short};
use super::damage::LooksLike;
use super::format::{FileFormat, MESSAGE_LIMIT};
use super::message::{Framed, LENGTH_LIMIT, PREFIX, check_fields, is_own};
use super::zstd_chain::{MAGIC, is_skippable, new_context};
use crate::model::Export;
use crate::otlp::{self, Encoding};
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use zstd::zstd_safe::DCtx;

/// Enough to know a form in most cases.
const FIRST_LOOK: usize = 64;
/// Messages or lines that are tried before a file is given up.
const TRIES: usize = 8;
/// Where a good zstd frame is looked for when the first bytes are nothing that is known.
const DAMAGED_START: usize = 2 << 20;
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const NEXT_LINE: &[u8] = b"\n{\"resource";
const FIRST_KEY: &[u8] = b"{\"resourceMetrics\"";

/// How content is cut into messages.
pub(super) enum Framing {
    /// No more content.
    Ended,
    /// One JSON object a line.
    Lines,
    /// Length-prefixed protobuf.
    Messages,
    /// Length-prefixed zstd frames with JSON or protobuf in them.
    ZstdMessages(DCtx<'static>),
    /// One message that is the whole content.
    Whole(Encoding),
}

/// The framing and form of a file, or what it looks like instead.
type Recognised = Result<(Framing, FileFormat), LooksLike>;

/// Recognises a file. One that could not be read looks like one that is empty.
pub(super) fn recognise_file(content: &mut Content) -> Recognised {
    look(content, FIRST_LOOK);
    let first = content.chunk.bytes();
    let torn_magic = !first.is_empty() && MAGIC.starts_with(first);
    if first.starts_with(&MAGIC) || is_skippable(first) || torn_magic {
        content.decompress_zstd();
        return recognise_behind_damage(content);
    }
    let recognised = recognise(content);
    if recognised.is_ok() {
        return recognised;
    }
    // The first frame of a compressed recording may be the one that is damaged.
    look(content, DAMAGED_START);
    let bytes = content.chunk.bytes();
    if bytes.starts_with(&MAGIC) || memmem::find(bytes, &MAGIC).is_none() {
        return recognised;
    }
    content.decompress_zstd();
    match recognise_behind_damage(content) {
        Ok((Framing::Ended, _)) | Err(_) => recognised,
        compressed => compressed,
    }
}

/// The first frames may be damaged; then the content may begin within a line.
fn recognise_behind_damage(content: &mut Content) -> Recognised {
    let recognised = recognise(content);
    match memmem::find(content.chunk.bytes(), NEXT_LINE) {
        Some(found) if content.is_after_damage && recognised.is_err() => {
            content.chunk.consume(found + 1);
            recognise(content)
        }
        _ => recognised,
    }
}

/// Reads until that much content is there; false when there is no more, or a damaged frame comes.
fn look(content: &mut Content, n: usize) -> bool {
    while content.chunk.len() < n {
        match content.fill(0) {
            Ok(()) => {}
            Err(Short::Skipped) if content.chunk.len() == 0 => content.pass_damage(),
            Err(_) => return false,
        }
    }
    true
}

fn recognise(content: &mut Content) -> Recognised {
    look(content, FIRST_LOOK);
    if content.chunk.bytes().starts_with(&BYTE_ORDER_MARK) {
        content.chunk.consume(BYTE_ORDER_MARK.len());
    }
    while content.chunk.bytes().trim_ascii_start().is_empty() {
        if content.chunk.len() > MESSAGE_LIMIT || !look(content, content.chunk.len() + 1) {
            return Ok((Framing::Ended, FileFormat::Empty));
        }
    }
    let first = content.chunk.bytes();
    let behind_length = first.get(PREFIX..).unwrap_or_default();
    if starts_json(first) {
        recognise_json(content)
    } else if behind_length.starts_with(&MAGIC) {
        Ok(zstd_messages())
    } else if is_own(behind_length) {
        Ok((Framing::Messages, FileFormat::Own))
    } else if usize::from(first[0]) <= LENGTH_LIMIT >> 24 {
        recognise_messages(content)
    } else {
        recognise_request(content)
    }
}

/// Length-prefixed messages: no protobuf message starts with such a byte.
fn recognise_messages(content: &mut Content) -> Recognised {
    let (mut at, mut empty) = (0, true);
    for _ in 0..TRIES {
        let complete = look(content, at + PREFIX);
        let Some(length) = content.chunk.bytes().get(at..).and_then(|rest| rest.first_chunk::<PREFIX>()) else {
            debug_assert!(!complete);
            break;
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > LENGTH_LIMIT || at > LENGTH_LIMIT {
            empty = false;
            break;
        }
        let end = at + PREFIX + length;
        let complete = look(content, end);
        let message = &content.chunk.bytes()[at + PREFIX..end.min(content.chunk.len())];
        let cut_magic = !complete && !message.is_empty() && MAGIC.starts_with(message);
        if message.starts_with(&MAGIC) || cut_magic {
            return Ok(zstd_messages());
        }
        let good = match check_fields(message) {
            (Framed::Complete, found) => found || is_own(message),
            (Framed::CutOff, _) => !complete,
            (Framed::Invalid, _) => false,
        };
        if good || (!complete && message.is_empty()) {
            let form = if is_own(message) { FileFormat::Own } else { FileFormat::Protobuf };
            return Ok((Framing::Messages, form));
        }
        empty &= length == 0;
        at = end;
    }
    if empty { Ok((Framing::Messages, FileFormat::Protobuf)) } else { Err(LooksLike::BrokenMessages) }
}

/// One request in protobuf that is the whole file.
fn recognise_request(content: &mut Content) -> Recognised {
    let unknown = Err(LooksLike::Unknown);
    if check_fields(content.chunk.bytes()).0 == Framed::Invalid || look(content, MESSAGE_LIMIT + 1) {
        return unknown;
    }
    let message = content.chunk.bytes();
    if check_fields(message) != (Framed::Complete, true) {
        return unknown;
    }
    let copy = bytes::Bytes::copy_from_slice(message);
    match otlp::decode(Encoding::Protobuf, copy, &mut Export::default()) {
        Ok(()) => Ok((Framing::Whole(Encoding::Protobuf), FileFormat::Single)),
        Err(_) => unknown,
    }
}

/// JSON: one object a line, or one object over many lines.
fn recognise_json(content: &mut Content) -> Recognised {
    let lines = Ok((Framing::Lines, FileFormat::JsonLines));
    let mut start = 0;
    for attempt in 0..TRIES {
        let (end, complete) = look_line(content, start);
        let line = &content.chunk.bytes()[start..end];
        let probed = probe(line);
        let begins_well = line.trim_ascii_start().starts_with(FIRST_KEY);
        let cut_early = !complete && !line.is_empty() && FIRST_KEY.starts_with(line);
        match probed {
            Ok(None) => return lines,
            Ok(Some(found)) => return Err(found),
            Err(_) if begins_well || cut_early => return lines,
            Err(error) if attempt == 0 && complete && error.is_eof() && is_one_object(content) => {
                return Ok((Framing::Whole(Encoding::Json), FileFormat::Single));
            }
            Err(_) => {}
        }
        if !complete {
            break;
        }
        start = end + 1;
    }
    Err(LooksLike::BrokenJson)
}

/// Reads to the end of a line; says where that is and whether there is a line break.
fn look_line(content: &mut Content, start: usize) -> (usize, bool) {
    let mut searched = start;
    loop {
        let rest = content.chunk.bytes().get(searched..).unwrap_or_default();
        if let Some(found) = memchr::memchr(b'\n', rest) {
            return (searched + found, true);
        }
        searched += rest.len();
        if searched - start > MESSAGE_LIMIT || !look(content, searched + 1) {
            return (searched, false);
        }
    }
}

fn is_one_object(content: &mut Content) -> bool {
    !look(content, MESSAGE_LIMIT + 1) && matches!(probe(content.chunk.bytes()), Ok(None))
}

fn zstd_messages() -> (Framing, FileFormat) {
    (Framing::ZstdMessages(new_context()), FileFormat::ZstdMessages)
}

/// The keys of a JSON object, as far as they say what it is. The first in this order decides.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
enum JsonKey {
    #[serde(alias = "resource_metrics")]
    ResourceMetrics,
    #[serde(alias = "resourceLogs", alias = "resourceProfiles")]
    ResourceSpans,
    #[serde(other)]
    Unknown,
}

/// What a JSON object holds instead of metrics; `None` when it holds metrics, or nothing.
fn probe(text: &[u8]) -> Result<Option<LooksLike>, serde_json::Error> {
    let keys: BTreeMap<JsonKey, IgnoredAny> = serde_json::from_slice(text)?;
    Ok(match keys.into_keys().next() {
        None | Some(JsonKey::ResourceMetrics) => None,
        Some(JsonKey::ResourceSpans) => Some(LooksLike::OtherSignal),
        Some(JsonKey::Unknown) => Some(LooksLike::OtherJson),
    })
}

/// True when the first byte that is not blank opens a JSON object.
pub(super) fn starts_json(content: &[u8]) -> bool {
    content.trim_ascii_start().first() == Some(&b'{')
}
