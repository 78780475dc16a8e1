//! One file of a reader: its content cut into messages or lines, its exports one after the other.
//!
//! Invariant: every byte of the content belongs to an export that was handed out, to a damage that was noted, or is empty
//! (blank lines, messages without content in files that are not ours). Receive times never go backwards.

use super::content::{Content, Short};
use super::damage::{DamageKind, DamageLocation, Flaw, OpenError, Part};
use super::feed::CountedSource;
use super::format::{FileFormat, MESSAGE_LIMIT};
use super::message::{Framed, LENGTH_LIMIT, PREFIX, check_fields, own_fields};
use super::recognise::{Framing, Refused, recognise_file, starts_json};
use super::zstd_chain::InflateError;
use crate::model::{Export, Nanos};
use crate::otlp::{Decoder, Encoding};
use bytes::{Buf, Bytes};

pub(super) struct RecordingFile {
    content: Content,
    framing: Framing,
    format: FileFormat,
    head: Option<String>,
    decoder: Decoder,
    /// True once a message carried one of our fields.
    is_own: bool,
    /// The newest receive time.
    received_at: Option<Nanos>,
    /// Lines that were read.
    line: u64,
    /// For [`Export::data_time`].
    times: Vec<Nanos>,
}

/// What [`RecordingFile::next`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NextExport {
    pub(super) at: Option<Nanos>,
    pub(super) is_tick: bool,
}

impl RecordingFile {
    /// Opens a file and recognises its form.
    pub(super) fn open(index: usize, name: String, source: CountedSource) -> Result<Self, OpenError> {
        let failed = |file, source| OpenError::Io { file, source };
        let mut content = Content::open(index, name.clone(), source).map_err(|error| failed(name.clone(), error))?;
        let (framing, format) = recognise_file(&mut content).map_err(|refused| match refused {
            Refused::Form(found) => OpenError::Unrecognised { file: name, found },
            Refused::Io(kind) => failed(name, kind.into()),
        })?;
        Ok(RecordingFile {
            content,
            framing,
            format,
            head: None,
            decoder: Decoder::default(),
            is_own: format == FileFormat::Own,
            received_at: None,
            line: 0,
            times: Vec::new(),
        })
    }

    /// Bytes and damages of the file.
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    pub(super) fn format(&self) -> FileFormat {
        self.format
    }

    pub(super) fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// The newest receive time.
    pub(super) fn received_at(&self) -> Option<Nanos> {
        self.received_at
    }

    /// Reads the next export into `export`.
    pub(super) fn next(&mut self, export: &mut Export) -> Option<NextExport> {
        // `decode` uses the previous payload's buffer again; but one that lies in our own buffer has to be released first.
        if matches!(self.framing, Framing::Messages) {
            export.payload = Bytes::new();
        }
        loop {
            let next = match self.framing {
                Framing::Ended => {
                    export.clear();
                    return None;
                }
                Framing::Lines => self.line(export),
                Framing::Messages | Framing::ZstdMessages(_) => self.message(export),
                Framing::Whole(encoding) => self.whole(encoding, export),
            };
            if let Some(next) = next {
                self.content.resumed();
                return Some(next);
            }
        }
    }

    /// One length-prefixed message; `None` when there was none to hand out.
    fn message(&mut self, export: &mut Export) -> Option<NextExport> {
        let Some(length) = self.length() else { return self.cut_message(PREFIX) };
        if length == 0 {
            self.zeros();
            return None;
        }
        // Behind a damaged frame a length may be no length: a message that starts there has to end in its frame.
        if self.content.is_after_damage() && PREFIX + length as usize > self.content.len() {
            return self.skip_run();
        }
        if length as usize > LENGTH_LIMIT {
            self.content.note(self.content.location(), Flaw::Length(length), DamageKind::Damage);
            self.framing = Framing::Ended;
            return None;
        }
        let end = PREFIX + length as usize;
        match self.content.need(end) {
            Ok(()) => {}
            Err(Short::Skipped) => {
                self.content.pass_damage();
                return None;
            }
            Err(Short::End) => return self.cut_message(end),
        }
        let location = self.content.location();
        self.content.consume(PREFIX);
        let message = self.content.take(length as usize);
        match self.payload(message, export) {
            Ok(next) => next,
            Err(_) if self.content.is_after_damage() => self.skip_run(),
            Err(flaw) => {
                self.content.note(location, flaw, DamageKind::Damage);
                None
            }
        }
    }

    /// The length of the next message; `None` when the content ends before it does.
    fn length(&mut self) -> Option<u32> {
        loop {
            match self.content.need(PREFIX) {
                Ok(()) => return self.content.bytes().first_chunk::<PREFIX>().map(|b| u32::from_be_bytes(*b)),
                Err(Short::Skipped) => self.content.pass_damage(),
                Err(Short::End) => return None,
            }
        }
    }

    /// The content ends before the message does.
    fn cut_message(&mut self, end: usize) -> Option<NextExport> {
        let rest = self.content.bytes();
        if !rest.is_empty() && !self.content.is_broken() {
            let length = (end - PREFIX) as u32;
            // A message that was cut off is a good one as far as it goes; behind a wrong length there is anything.
            let torn = rest.len() <= PREFIX
                || !matches!(self.framing, Framing::Messages)
                || check_fields(&rest[PREFIX..]).0 != Framed::Invalid;
            match torn {
                true => self.content.note(self.content.location(), Flaw::Torn(Part::Message), DamageKind::TornTail),
                false => self.content.note(self.content.location(), Flaw::Length(length), DamageKind::Damage),
            }
        }
        self.framing = Framing::Ended;
        None
    }

    /// Passes over messages without content. Our own recordings have none: there, zeros are what a crash left behind.
    fn zeros(&mut self) {
        let location = self.content.location();
        let mut passed = 0;
        loop {
            let zeros = self.content.bytes().chunks_exact(PREFIX).take_while(|word| **word == [0; PREFIX]).count();
            self.content.consume(PREFIX * zeros);
            passed += (PREFIX * zeros) as u64;
            if self.content.len() >= PREFIX || self.content.fill(0).is_err() {
                break;
            }
        }
        if self.is_own {
            self.content.note(location, Flaw::Zeros(passed), DamageKind::Damage);
        }
    }

    /// Drops the content up to the next frame, which is all that is there.
    fn skip_run(&mut self) -> Option<NextExport> {
        self.content.note(self.content.location(), Flaw::Misaligned, DamageKind::Damage);
        self.content.consume_all();
        None
    }

    /// What a message holds: our fields, and a payload in the encoding of the framing.
    fn payload(&mut self, message: Bytes, export: &mut Export) -> Result<Option<NextExport>, Flaw> {
        if let Framing::ZstdMessages(state) = &mut self.framing {
            let (inflater, chunk) = &mut **state;
            let n = inflater.inflate(&message, MESSAGE_LIMIT, chunk).map_err(|error| match error {
                InflateError::Damaged => Flaw::Frame,
                InflateError::TooLarge => Flaw::LargeMessage,
            })?;
            let payload = chunk.take(n);
            let encoding = if starts_json(&payload) { Encoding::Json } else { Encoding::Protobuf };
            return self.decode(encoding, payload, export).map(Some);
        }
        let own = own_fields(&message).map_err(Flaw::Export)?;
        if let Some(head) = own.head.filter(|_| self.head.is_none()) {
            self.head = Some(head.to_string());
        }
        self.is_own |= own.len > 0;
        let (at, head) = (own.received_at, own.len);
        let mut payload = message;
        payload.advance(head);
        match (at, payload.is_empty()) {
            (None, true) => Ok(None),
            (Some(at), true) => {
                export.clear();
                Ok(Some(NextExport { at: self.advance(Some(at)), is_tick: true }))
            }
            (Some(at), false) => {
                self.decoder.decode(Encoding::Protobuf, payload, export).map_err(Flaw::Export)?;
                Ok(Some(NextExport { at: self.advance(Some(at)), is_tick: false }))
            }
            (None, false) => self.decode(Encoding::Protobuf, payload, export).map(Some),
        }
    }

    /// A payload without a receive time of its own: its points give one.
    fn decode(&mut self, encoding: Encoding, payload: Bytes, export: &mut Export) -> Result<NextExport, Flaw> {
        self.decoder.decode(encoding, payload, export).map_err(Flaw::Export)?;
        let at = export.data_time(&mut self.times);
        Ok(NextExport { at: self.advance(at), is_tick: false })
    }

    fn advance(&mut self, at: Option<Nanos>) -> Option<Nanos> {
        let at = at?;
        self.received_at = self.received_at.max(Some(at));
        self.received_at
    }

    /// One line; `None` when there was none to hand out.
    fn line(&mut self, export: &mut Export) -> Option<NextExport> {
        let after_damage = self.content.is_after_damage();
        let mut searched = 0;
        let (length, complete) = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.content.bytes()[searched..]) {
                break (searched + found, true);
            }
            searched = self.content.len();
            if searched > MESSAGE_LIMIT {
                self.long_line();
                return None;
            }
            match self.content.fill(0) {
                Ok(()) => {}
                Err(Short::Skipped) => {
                    self.content.pass_damage();
                    return None;
                }
                Err(Short::End) => break (self.content.len(), false),
            }
        };
        if !complete {
            self.framing = Framing::Ended;
        }
        self.line += 1;
        let line = self.content.take(length);
        self.content.consume(1);
        if line.trim_ascii().is_empty() {
            return None;
        }
        match self.decode(Encoding::Json, line, export) {
            Ok(next) => Some(next),
            Err(_) if !complete && self.content.is_broken() => None,
            Err(_) if !complete => {
                self.content.note(DamageLocation::Line(self.line), Flaw::Torn(Part::Line), DamageKind::TornTail);
                None
            }
            // The first line behind a damaged frame is the end of one that began in it.
            Err(_) if after_damage => {
                self.content.resumed();
                self.content.note(DamageLocation::Line(self.line), Flaw::Misaligned, DamageKind::Damage);
                None
            }
            Err(flaw) => {
                self.content.note(DamageLocation::Line(self.line), flaw, DamageKind::Damage);
                None
            }
        }
    }

    /// Passes over a line that is too long to be one.
    fn long_line(&mut self) {
        self.line += 1;
        self.content.note(DamageLocation::Line(self.line), Flaw::LongLine, DamageKind::Damage);
        loop {
            if let Some(found) = memchr::memchr(b'\n', self.content.bytes()) {
                self.content.consume(found + 1);
                return;
            }
            self.content.consume_all();
            if self.content.fill(0).is_err() {
                return;
            }
        }
    }

    /// The whole content as one payload; it was read when the form was recognised.
    fn whole(&mut self, encoding: Encoding, export: &mut Export) -> Option<NextExport> {
        self.framing = Framing::Ended;
        let location = self.content.location();
        let payload = self.content.take(self.content.len());
        match self.decode(encoding, payload, export) {
            Ok(next) => Some(next),
            Err(flaw) => {
                self.content.note(location, flaw, DamageKind::Damage);
                None
            }
        }
    }
}
