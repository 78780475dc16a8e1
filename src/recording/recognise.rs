//! Which form a file has, told by its bytes.
//!
//! Nothing is consumed while looking but a byte order mark, and never more is read than one message may be large. A form
//! is recognised when a first entry of it can be read, or is one that was cut off or damaged beyond doubt.

use super::chunk::Chunk;
use super::damage::{Damages, Flaw, Found, OpenError};
use super::feed::{Counted, Feed};
use super::fields::{Walk, walk};
use super::file::{File, Framing, Input, PREFIX, Short, starts_json};
use super::own::{self, LENGTH_LIMIT};
use super::zstd_chain::{Inflater, MAGIC, ZstdChain, is_skippable};
use super::{Compression, Form, MESSAGE_LIMIT};
use crate::model::Export;
use crate::otlp::{self, Decoder, Encoding};
use memchr::memmem;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::io;

/// Enough to know a form in most cases.
const FIRST_LOOK: usize = 64;
/// Messages or lines that are tried before a file is given up.
const TRIES: usize = 8;
/// Where a good zstd frame is looked for when the first bytes are nothing that is known.
const DAMAGED_START: usize = 2 << 20;
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const NEXT_LINE: &[u8] = b"\n{\"resource";
const FIRST_KEY: &[u8] = b"{\"resourceMetrics\"";

impl File {
    /// Opens a file and recognises its form.
    pub(super) fn open(index: usize, name: String, source: Counted) -> Result<File, OpenError> {
        let feed = match Feed::open(source) {
            Ok(feed) => feed,
            Err(source) => return Err(OpenError::Io { file: name, source }),
        };
        let gzip = feed.is_gzip();
        let mut file = File {
            index,
            name,
            input: Input::Feed(feed),
            content: Chunk::new(),
            framing: Framing::Ended,
            form: Form::Empty,
            compression: if gzip { Compression::Gzip } else { Compression::None },
            gzip,
            head: None,
            decoder: Decoder::default(),
            own: false,
            at: None,
            line: 0,
            before_damage: false,
            after_damage: false,
            broken: false,
            damages: Damages::default(),
            times: Vec::new(),
        };
        match file.recognise_layers() {
            Ok((framing, form)) => {
                file.framing = framing;
                file.form = form;
                file.own = form == Form::Own;
                Ok(file)
            }
            Err(Refused::Form(found)) => Err(OpenError::Unrecognised { file: file.name, found }),
            Err(Refused::Io(kind)) => Err(OpenError::Io { file: file.name, source: kind.into() }),
        }
    }

    fn recognise_layers(&mut self) -> Result<(Framing, Form), Refused> {
        self.look(FIRST_LOOK)?;
        let first = self.content.bytes();
        let torn_magic = !first.is_empty() && MAGIC.starts_with(first);
        if first.starts_with(&MAGIC) || is_skippable(first) || torn_magic {
            self.inflate_zstd();
            return self.recognise_behind_damage();
        }
        let refused = match self.recognise() {
            Err(Refused::Form(found)) => found,
            recognised => return recognised,
        };
        // The first frame of a compressed recording may be the one that is damaged.
        let _ = self.look(DAMAGED_START);
        if self.content.bytes().first_chunk::<4>() == Some(&MAGIC)
            || memmem::find(self.content.bytes(), &MAGIC).is_none()
        {
            return Err(Refused::Form(refused));
        }
        self.inflate_zstd();
        match self.recognise_behind_damage() {
            Ok((Framing::Ended, _)) | Err(_) => Err(Refused::Form(refused)),
            recognised => recognised,
        }
    }

    /// The first frames may be damaged; then the content may begin within a line.
    fn recognise_behind_damage(&mut self) -> Result<(Framing, Form), Refused> {
        let recognised = self.recognise();
        match memmem::find(self.content.bytes(), NEXT_LINE) {
            Some(found) if self.after_damage && recognised.is_err() => {
                self.content.consume(found + 1);
                self.recognise()
            }
            _ => recognised,
        }
    }

    fn inflate_zstd(&mut self) {
        let content = std::mem::replace(&mut self.content, Chunk::new());
        if let Input::Feed(feed) = std::mem::replace(&mut self.input, Input::Feed(Feed::Ended)) {
            self.input = Input::Zstd(Box::new(ZstdChain::new(feed, content)));
            self.compression = Compression::Zstd;
        }
    }

    /// Reads until that much content is there, or there is no more, or a damaged frame comes.
    fn look(&mut self, n: usize) -> Result<bool, Refused> {
        while self.content.len() < n {
            match self.fill(0) {
                Ok(()) => {}
                Err(Short::Skipped) if self.content.len() == 0 => self.pass_damage(),
                Err(Short::Skipped) => return Ok(false),
                Err(Short::End) => {
                    let failed = self.damages.kept.iter().find_map(|damage| match damage.what {
                        Flaw::Io(kind) => Some(kind),
                        _ => None,
                    });
                    return match failed {
                        Some(kind) if self.content.len() == 0 => Err(Refused::Io(kind)),
                        _ => Ok(false),
                    };
                }
            }
        }
        Ok(true)
    }

    fn recognise(&mut self) -> Result<(Framing, Form), Refused> {
        self.look(FIRST_LOOK)?;
        if self.content.bytes().starts_with(&BYTE_ORDER_MARK) {
            self.content.consume(BYTE_ORDER_MARK.len());
        }
        while self.content.bytes().trim_ascii_start().is_empty() {
            if self.content.len() > MESSAGE_LIMIT || !self.look(self.content.len() + 1)? {
                return Ok((Framing::Ended, Form::Empty));
            }
        }
        let first = self.content.bytes();
        let behind_length = first.get(PREFIX..).unwrap_or_default();
        if starts_json(first) {
            self.recognise_json()
        } else if behind_length.starts_with(&MAGIC) {
            Ok(zstd_messages())
        } else if own::is_own(behind_length) {
            Ok((Framing::Messages, Form::Own))
        } else if usize::from(first[0]) <= LENGTH_LIMIT >> 24 {
            self.recognise_messages()
        } else {
            self.recognise_request()
        }
    }

    /// Length-prefixed messages: no protobuf message starts with such a byte.
    fn recognise_messages(&mut self) -> Result<(Framing, Form), Refused> {
        let (mut at, mut empty) = (0, true);
        for _ in 0..TRIES {
            let complete = self.look(at + PREFIX)?;
            let Some(length) = self.content.bytes().get(at..).and_then(|rest| rest.first_chunk::<PREFIX>()) else {
                debug_assert!(!complete);
                break;
            };
            let length = u32::from_be_bytes(*length) as usize;
            if length > LENGTH_LIMIT || at > LENGTH_LIMIT {
                empty = false;
                break;
            }
            let end = at + PREFIX + length;
            let complete = self.look(end)?;
            let message = &self.content.bytes()[at + PREFIX..end.min(self.content.len())];
            let cut_magic = !complete && !message.is_empty() && MAGIC.starts_with(message);
            if message.starts_with(&MAGIC) || cut_magic {
                return Ok(zstd_messages());
            }
            let good = match walk(message) {
                (Walk::Complete, found) => found || own::is_own(message),
                (Walk::Cut, _) => !complete,
                (Walk::Invalid, _) => false,
            };
            if good || (!complete && message.is_empty()) {
                let form = if own::is_own(message) { Form::Own } else { Form::Protobuf };
                return Ok((Framing::Messages, form));
            }
            empty &= length == 0;
            at = end;
        }
        if empty { Ok((Framing::Messages, Form::Protobuf)) } else { Err(Refused::Form(Found::BrokenMessages)) }
    }

    /// One request in protobuf that is the whole file.
    fn recognise_request(&mut self) -> Result<(Framing, Form), Refused> {
        let unknown = Err(Refused::Form(Found::Unknown));
        if walk(self.content.bytes()).0 == Walk::Invalid || self.look(MESSAGE_LIMIT + 1)? {
            return unknown;
        }
        let message = self.content.bytes();
        if walk(message) != (Walk::Complete, true) {
            return unknown;
        }
        let copy = bytes::Bytes::copy_from_slice(message);
        match otlp::decode(Encoding::Protobuf, copy, &mut Export::default()) {
            Ok(()) => Ok((Framing::Whole(Encoding::Protobuf), Form::Single)),
            Err(_) => unknown,
        }
    }

    /// JSON: one object a line, or one object over many lines.
    fn recognise_json(&mut self) -> Result<(Framing, Form), Refused> {
        let lines = Ok((Framing::Lines, Form::JsonLines));
        let mut start = 0;
        for attempt in 0..TRIES {
            let (end, complete) = self.look_line(start)?;
            let line = &self.content.bytes()[start..end];
            let probed = probe(line);
            let begins_well = line.trim_ascii_start().starts_with(FIRST_KEY);
            let cut_early = !complete && !line.is_empty() && FIRST_KEY.starts_with(line);
            match probed {
                Ok(Probed::Metrics | Probed::Nothing) => return lines,
                Ok(Probed::Other(found)) => return Err(Refused::Form(found)),
                Err(_) if begins_well || cut_early => return lines,
                Err(error) if attempt == 0 && complete && error.is_eof() && self.is_one_object()? => {
                    return Ok((Framing::Whole(Encoding::Json), Form::Single));
                }
                Err(_) => {}
            }
            if !complete {
                break;
            }
            start = end + 1;
        }
        Err(Refused::Form(Found::BrokenJson))
    }

    /// Reads to the end of a line; says where that is and whether there is a line break.
    fn look_line(&mut self, start: usize) -> Result<(usize, bool), Refused> {
        let mut searched = start;
        loop {
            let rest = self.content.bytes().get(searched..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', rest) {
                return Ok((searched + found, true));
            }
            searched += rest.len();
            if searched - start > MESSAGE_LIMIT || !self.look(searched + 1)? {
                return Ok((searched, false));
            }
        }
    }

    fn is_one_object(&mut self) -> Result<bool, Refused> {
        let larger = self.look(MESSAGE_LIMIT + 1)?;
        Ok(!larger && matches!(probe(self.content.bytes()), Ok(Probed::Metrics | Probed::Nothing)))
    }
}

/// Why a file is not read.
enum Refused {
    Form(Found),
    Io(io::ErrorKind),
}

fn zstd_messages() -> (Framing, Form) {
    (Framing::ZstdMessages(Box::new((Inflater::new(), Chunk::new()))), Form::ZstdMessages)
}

/// What the keys of a JSON object say.
enum Probed {
    Metrics,
    Nothing,
    Other(Found),
}

fn probe(text: &[u8]) -> Result<Probed, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let probed = serde::Deserializer::deserialize_map(&mut parser, Keys)?;
    parser.end()?;
    Ok(probed)
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Probed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Probed, A::Error> {
        let mut probed = Probed::Nothing;
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            probed = match (key.as_str(), probed) {
                ("resourceMetrics" | "resource_metrics", _) | (_, Probed::Metrics) => Probed::Metrics,
                ("resourceSpans" | "resourceLogs" | "resourceProfiles", _) => Probed::Other(Found::OtherSignal),
                (_, Probed::Other(found)) => Probed::Other(found),
                (_, Probed::Nothing) => Probed::Other(Found::OtherJson),
            };
        }
        Ok(probed)
    }
}
