//! One file of a reader: its content cut into messages or lines, its exports one after the other.
//!
//! Invariant: every byte of the content belongs to an export that was handed out, to a damage that was noted, or is empty
//! (blank lines, messages without content in files that are not ours). Receive times never go backwards.

use super::content::{Content, Short};
use super::damage::{DamageLocation, Flaw, OpenError, Part};
use super::feed::CountedSource;
use super::format::{FileFormat, MESSAGE_LIMIT};
use super::message::{Framed, LENGTH_LIMIT, PREFIX, check_fields, own_fields};
use super::recognise::{Framing, recognise_file, starts_json};
use super::zstd_chain::inflate;
use crate::model::{Export, Nanos};
use crate::otlp::{Decoder, Encoding};
use bytes::{Buf, Bytes};

/// What was read beside the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingEntry {
    /// When it was received; `None` for an export without a usable time, which leaves time where it is.
    pub at: Option<Nanos>,
    /// Index of the file, in the order of the sources.
    pub file: usize,
    /// A time without an export.
    pub is_tick: bool,
}

pub(super) struct RecordingFile {
    pub(super) content: Content,
    pub(super) format: FileFormat,
    pub(super) head: Option<String>,
    /// The newest receive time.
    pub(super) received_at: Option<Nanos>,
    framing: Framing,
    decoder: Decoder,
    /// True once a message carried one of our fields.
    is_own: bool,
    /// Lines that were read.
    line: u64,
    /// For [`Export::data_time`].
    times: Vec<Nanos>,
}

impl RecordingFile {
    /// Opens a file and recognises its form.
    pub(super) fn open(index: usize, file: String, source: CountedSource) -> Result<Self, OpenError> {
        let mut content = match Content::open(index, file.clone(), source) {
            Ok(content) => content,
            Err(source) => return Err(OpenError::Io { file, source }),
        };
        let (framing, format) = match recognise_file(&mut content) {
            Ok(recognised) => recognised,
            Err(found) => return Err(OpenError::Unrecognised { file, found }),
        };
        for damage in &content.damages {
            if let Flaw::Io(kind) = damage.what
                && content.chunk.len() == 0
            {
                return Err(OpenError::Io { file, source: kind.into() });
            }
        }
        Ok(RecordingFile {
            content,
            format,
            head: None,
            received_at: None,
            framing,
            decoder: Decoder::default(),
            is_own: format == FileFormat::Own,
            line: 0,
            times: Vec::new(),
        })
    }

    /// Reads the next export into `export`.
    pub(super) fn next(&mut self, export: &mut Export) -> Option<RecordingEntry> {
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
                self.content.is_after_damage = false;
                return Some(next);
            }
        }
    }

    /// One length-prefixed message; `None` when there was none to hand out.
    fn message(&mut self, export: &mut Export) -> Option<RecordingEntry> {
        self.need(PREFIX)?;
        let length = u32::from_be_bytes(*self.content.chunk.bytes().first_chunk::<PREFIX>()?);
        let end = PREFIX + length as usize;
        if length == 0 {
            self.zeros();
            return None;
        }
        // Behind a damaged frame a length may be no length: a message that starts there has to end in its frame.
        if self.content.is_after_damage && end > self.content.chunk.len() {
            return self.skip_run();
        }
        if length as usize > LENGTH_LIMIT {
            self.content.note(self.content.location(), Flaw::Length(length));
            self.framing = Framing::Ended;
            return None;
        }
        self.need(end)?;
        let location = self.content.location();
        self.content.chunk.consume(PREFIX);
        let message = self.content.chunk.take(length as usize);
        match self.payload(message, export) {
            Ok(next) => return next,
            Err(_) if self.content.is_after_damage => return self.skip_run(),
            Err(flaw) => self.content.note(location, flaw),
        }
        None
    }

    /// Reads a message up to this byte of it; `None` when a damaged frame or the end of the content comes first.
    fn need(&mut self, end: usize) -> Option<()> {
        match self.content.need(end) {
            Ok(()) => return Some(()),
            Err(Short::Skipped) => self.content.pass_damage(),
            Err(Short::End) => {
                let rest = self.content.chunk.bytes();
                if !rest.is_empty() && !self.content.is_broken {
                    // A message that was cut off is a good one as far as it goes; behind a wrong length there is anything.
                    let torn = rest.len() <= PREFIX
                        || !matches!(self.framing, Framing::Messages)
                        || check_fields(&rest[PREFIX..]).0 != Framed::Invalid;
                    let flaw = if torn { Flaw::Torn(Part::Message) } else { Flaw::Length((end - PREFIX) as u32) };
                    self.content.note(self.content.location(), flaw);
                }
                self.framing = Framing::Ended;
            }
        }
        None
    }

    /// Passes over messages without content. Our own recordings have none: there, zeros are what a crash left behind.
    fn zeros(&mut self) {
        let location = self.content.location();
        let mut passed = 0;
        loop {
            let zeros =
                self.content.chunk.bytes().chunks_exact(PREFIX).take_while(|word| **word == [0; PREFIX]).count();
            self.content.chunk.consume(PREFIX * zeros);
            passed += (PREFIX * zeros) as u64;
            if self.content.chunk.len() >= PREFIX || self.content.fill(0).is_err() {
                break;
            }
        }
        if self.is_own {
            self.content.note(location, Flaw::Zeros(passed));
        }
    }

    /// Drops the content up to the next frame, which is all that is there.
    fn skip_run(&mut self) -> Option<RecordingEntry> {
        self.content.note(self.content.location(), Flaw::Misaligned);
        self.content.chunk.consume(self.content.chunk.len());
        None
    }

    /// What a message holds: our fields, and a payload in the encoding of the framing.
    fn payload(&mut self, mut message: Bytes, export: &mut Export) -> Result<Option<RecordingEntry>, Flaw> {
        if let Framing::ZstdMessages(context) = &mut self.framing {
            let payload = inflate(context, &message)?;
            let encoding = if starts_json(&payload) { Encoding::Json } else { Encoding::Protobuf };
            return self.decode(encoding, payload.into(), None, export).map(Some);
        }
        let own = own_fields(&message).map_err(Flaw::Export)?;
        if let Some(head) = own.head.filter(|_| self.head.is_none()) {
            self.head = Some(head.to_string());
        }
        self.is_own |= own.len > 0;
        let (at, len) = (own.received_at, own.len);
        message.advance(len);
        if message.is_empty() {
            export.clear();
            return Ok(at.map(|_| self.entry(at, true)));
        }
        self.decode(Encoding::Protobuf, message, at, export).map(Some)
    }

    /// A payload; the points of one without a receive time of its own give it one.
    fn decode(
        &mut self,
        encoding: Encoding,
        payload: Bytes,
        at: Option<Nanos>,
        export: &mut Export,
    ) -> Result<RecordingEntry, Flaw> {
        self.decoder.decode(encoding, payload, export).map_err(Flaw::Export)?;
        let at = at.or_else(|| export.data_time(&mut self.times));
        Ok(self.entry(at, false))
    }

    fn entry(&mut self, at: Option<Nanos>, is_tick: bool) -> RecordingEntry {
        self.received_at = self.received_at.max(at);
        RecordingEntry { at: at.and(self.received_at), file: self.content.file, is_tick }
    }

    /// One line; `None` when there was none to hand out.
    fn line(&mut self, export: &mut Export) -> Option<RecordingEntry> {
        let mut searched = 0;
        let (length, complete) = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.content.chunk.bytes()[searched..]) {
                break (searched + found, true);
            }
            searched = self.content.chunk.len();
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
                Err(Short::End) => break (self.content.chunk.len(), false),
            }
        };
        if !complete {
            self.framing = Framing::Ended;
        }
        self.line += 1;
        let line = self.content.chunk.take(length);
        self.content.chunk.consume(1);
        if line.trim_ascii().is_empty() {
            return None;
        }
        let flaw = match self.decode(Encoding::Json, line, None, export) {
            Ok(entry) => return Some(entry),
            Err(_) if !complete && self.content.is_broken => return None,
            Err(_) if !complete => Flaw::Torn(Part::Line),
            // The first line behind a damaged frame is the end of one that began in it.
            Err(_) if std::mem::take(&mut self.content.is_after_damage) => Flaw::Misaligned,
            Err(flaw) => flaw,
        };
        self.content.note(DamageLocation::Line(self.line), flaw);
        None
    }

    /// Passes over a line that is too long to be one.
    fn long_line(&mut self) {
        self.line += 1;
        self.content.note(DamageLocation::Line(self.line), Flaw::LongLine);
        loop {
            if let Some(found) = memchr::memchr(b'\n', self.content.chunk.bytes()) {
                self.content.chunk.consume(found + 1);
                return;
            }
            self.content.chunk.consume(self.content.chunk.len());
            if self.content.fill(0).is_err() {
                return;
            }
        }
    }

    /// The whole content as one payload; it was read when the form was recognised.
    fn whole(&mut self, encoding: Encoding, export: &mut Export) -> Option<RecordingEntry> {
        self.framing = Framing::Ended;
        let location = self.content.location();
        let payload = self.content.chunk.take(self.content.chunk.len());
        self.decode(encoding, payload, None, export).map_err(|flaw| self.content.note(location, flaw)).ok()
    }
}
