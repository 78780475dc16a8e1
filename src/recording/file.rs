//! One file of a reader: its bytes cut into messages or lines, its arrivals one after the other.
//!
//! Invariant: every byte of the content belongs to an arrival that was handed out, to a damage that was noted, or is empty
//! (blank lines, messages without content in files that are not ours). Instants never go backwards.

use super::chunk::Chunk;
use super::damage::{Damage, DamageKind, Damages, Flaw, Part, Place};
use super::feed::{Fed, Feed};
use super::fields::{Walk, walk};
use super::own::{self, LENGTH_LIMIT};
use super::zstd_chain::{InflateError, Inflater, Step, ZstdChain};
use super::{Compression, Form, MESSAGE_LIMIT};
use crate::model::{Export, Nanos};
use crate::otlp::{Decoder, Encoding};
use bytes::{Buf, Bytes};

/// Bytes of the length before a message.
pub(super) const PREFIX: usize = 4;

/// See the file's head.
pub(super) struct File {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) input: Input,
    pub(super) content: Chunk,
    pub(super) framing: Framing,
    pub(super) form: Form,
    pub(super) compression: Compression,
    /// Whether offsets of the input are offsets behind gzip.
    pub(super) gzip: bool,
    pub(super) head: Option<String>,
    pub(super) decoder: Decoder,
    /// True once a message carried one of our fields.
    pub(super) own: bool,
    /// The instant of the newest arrival that had one.
    pub(super) at: Option<Nanos>,
    /// Lines that were read.
    pub(super) line: u64,
    /// A damaged frame was skipped, and the content that is there ends before it.
    pub(super) before_damage: bool,
    /// A damaged frame was skipped and no message was read since.
    pub(super) after_damage: bool,
    /// The input ended early and that was said.
    pub(super) broken: bool,
    pub(super) damages: Damages,
    pub(super) times: Vec<Nanos>,
}

/// Where content comes from.
pub(super) enum Input {
    Feed(Feed),
    Zstd(Box<ZstdChain>),
}

/// How content is cut into bodies.
pub(super) enum Framing {
    /// No more content.
    Ended,
    /// One JSON object a line.
    Lines,
    /// Length-prefixed protobuf.
    Messages,
    /// Length-prefixed zstd frames with JSON or protobuf in them.
    ZstdMessages(Box<(Inflater, Chunk)>),
    /// One body that is the whole content.
    Whole(Encoding),
}

/// What [`File::next`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Next {
    pub(super) at: Option<Nanos>,
    pub(super) tick: bool,
}

/// Why the wanted bytes are not there.
#[derive(Debug, PartialEq)]
pub(super) enum Short {
    /// A damaged frame follows: what is there and incomplete stays so.
    Skipped,
    /// The content ends.
    End,
}

impl File {
    /// Reads the next arrival into `export`.
    pub(super) fn next(&mut self, export: &mut Export) -> Option<Next> {
        // What the export holds is left to `decode`, which uses its room again; but for a body that lies in our own buffer,
        // which may be needed now.
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
                self.after_damage = false;
                return Some(next);
            }
        }
    }

    /// Reads more content; `wanted` is how much is known to be needed. Damage of the layers below is noted here. Behind a damaged frame it goes on only after
    /// [`File::pass_damage`].
    pub(super) fn fill(&mut self, wanted: usize) -> Result<(), Short> {
        if self.broken {
            return Err(Short::End);
        }
        if self.before_damage {
            return Err(Short::Skipped);
        }
        let place = |at| if self.gzip { Place::Content(at) } else { Place::Byte(at) };
        let (flaw, kind, place) = match &mut self.input {
            Input::Feed(feed) => match feed.fill(&mut self.content, wanted) {
                Fed::More => return Ok(()),
                Fed::End => return Err(Short::End),
                Fed::Broken(flaw, kind) => (flaw, kind, place(self.content.offset() + self.content.len() as u64)),
            },
            Input::Zstd(chain) => match chain.fill(&mut self.content) {
                Step::More => return Ok(()),
                Step::End => return Err(Short::End),
                Step::Skipped { at } => {
                    let place = place(at);
                    self.note(place, Flaw::Frame, DamageKind::Damage);
                    self.before_damage = true;
                    return Err(Short::Skipped);
                }
                Step::Broken(flaw, kind, at) => (flaw, kind, place(at)),
            },
        };
        self.broken = true;
        self.note(place, flaw, kind);
        Err(Short::End)
    }

    /// Drops what ends in a damaged frame and goes on behind it.
    pub(super) fn pass_damage(&mut self) {
        self.content.consume(self.content.len());
        self.before_damage = false;
        self.after_damage = true;
    }

    /// Reads content until `n` bytes of it are there.
    pub(super) fn need(&mut self, n: usize) -> Result<(), Short> {
        while self.content.len() < n {
            self.fill(n - self.content.len())?;
        }
        Ok(())
    }

    fn note(&mut self, place: Place, what: Flaw, kind: DamageKind) {
        self.damages.push(Damage { file: self.index, name: self.name.clone(), place, what, kind });
    }

    /// The place of the content's first byte.
    fn place(&self) -> Place {
        match self.compression {
            Compression::None => Place::Byte(self.content.offset()),
            Compression::Gzip | Compression::Zstd => Place::Content(self.content.offset()),
        }
    }

    /// One length-prefixed message; `None` when there was none to hand out.
    fn message(&mut self, export: &mut Export) -> Option<Next> {
        let Some(length) = self.length() else { return self.cut_message(PREFIX) };
        if length == 0 {
            self.zeros();
            return None;
        }
        // Behind a damaged frame a length may be no length: a message that starts there has to end in its frame.
        if self.after_damage && PREFIX + length as usize > self.content.len() {
            return self.skip_run();
        }
        if length as usize > LENGTH_LIMIT {
            self.note(self.place(), Flaw::Length(length), DamageKind::Damage);
            self.framing = Framing::Ended;
            return None;
        }
        let end = PREFIX + length as usize;
        match self.need(end) {
            Ok(()) => {}
            Err(Short::Skipped) => {
                self.pass_damage();
                return None;
            }
            Err(Short::End) => return self.cut_message(end),
        }
        let place = self.place();
        self.content.consume(PREFIX);
        let message = self.content.take(length as usize);
        match self.body(message, export) {
            Ok(next) => next,
            Err(_) if self.after_damage => self.skip_run(),
            Err(flaw) => {
                self.note(place, flaw, DamageKind::Damage);
                None
            }
        }
    }

    /// The length of the next message; `None` when the content ends before it does.
    fn length(&mut self) -> Option<u32> {
        loop {
            match self.need(PREFIX) {
                Ok(()) => return self.content.bytes().first_chunk::<PREFIX>().map(|b| u32::from_be_bytes(*b)),
                Err(Short::Skipped) => self.pass_damage(),
                Err(Short::End) => return None,
            }
        }
    }

    /// The content ends before the message does.
    fn cut_message(&mut self, end: usize) -> Option<Next> {
        let rest = self.content.bytes();
        if !rest.is_empty() && !self.broken {
            let length = (end - PREFIX) as u32;
            // A message that was cut off is a good one as far as it goes; behind a wrong length there is anything.
            let torn = rest.len() <= PREFIX
                || !matches!(self.framing, Framing::Messages)
                || walk(&rest[PREFIX..]).0 != Walk::Invalid;
            match torn {
                true => self.note(self.place(), Flaw::Torn(Part::Message), DamageKind::TornTail),
                false => self.note(self.place(), Flaw::Length(length), DamageKind::Damage),
            }
        }
        self.framing = Framing::Ended;
        None
    }

    /// Passes over messages without content. Our own recordings have none: there, zeros are what a crash left behind.
    fn zeros(&mut self) {
        let place = self.place();
        let mut passed = 0;
        loop {
            let zeros = self.content.bytes().chunks_exact(PREFIX).take_while(|word| **word == [0; PREFIX]).count();
            self.content.consume(PREFIX * zeros);
            passed += (PREFIX * zeros) as u64;
            if self.content.len() >= PREFIX || self.fill(0).is_err() {
                break;
            }
        }
        if self.own {
            self.note(place, Flaw::Zeros(passed), DamageKind::Damage);
        }
    }

    /// Drops the content up to the next frame, which is all that is there.
    fn skip_run(&mut self) -> Option<Next> {
        self.note(self.place(), Flaw::Misaligned, DamageKind::Damage);
        self.content.consume(self.content.len());
        None
    }

    /// What a message says: our fields, and a body in the encoding of the framing.
    fn body(&mut self, message: Bytes, export: &mut Export) -> Result<Option<Next>, Flaw> {
        if let Framing::ZstdMessages(state) = &mut self.framing {
            let (inflater, chunk) = &mut **state;
            let n = inflater.inflate(&message, MESSAGE_LIMIT, chunk).map_err(|error| match error {
                InflateError::Damaged => Flaw::Frame,
                InflateError::TooLarge => Flaw::LargeMessage,
            })?;
            let body = chunk.take(n);
            let encoding = if starts_json(&body) { Encoding::Json } else { Encoding::Protobuf };
            return self.arrival(encoding, body, export).map(Some);
        }
        let prefix = own::prefix(&message).map_err(Flaw::Body)?;
        if let Some(head) = prefix.head.filter(|_| self.head.is_none()) {
            self.head = Some(head.to_string());
        }
        self.own |= prefix.len > 0;
        let (at, head) = (prefix.at, prefix.len);
        let mut body = message;
        body.advance(head);
        match (at, body.is_empty()) {
            (None, true) => Ok(None),
            (Some(at), true) => {
                export.clear();
                Ok(Some(Next { at: self.advance(Some(at)), tick: true }))
            }
            (Some(at), false) => {
                self.decoder.decode(Encoding::Protobuf, body, export).map_err(Flaw::Body)?;
                Ok(Some(Next { at: self.advance(Some(at)), tick: false }))
            }
            (None, false) => self.arrival(Encoding::Protobuf, body, export).map(Some),
        }
    }

    /// A body without an instant of its own: the one its points give.
    fn arrival(&mut self, encoding: Encoding, body: Bytes, export: &mut Export) -> Result<Next, Flaw> {
        self.decoder.decode(encoding, body, export).map_err(Flaw::Body)?;
        let at = export.data_time(&mut self.times);
        Ok(Next { at: self.advance(at), tick: false })
    }

    fn advance(&mut self, at: Option<Nanos>) -> Option<Nanos> {
        let at = at?;
        self.at = self.at.max(Some(at));
        self.at
    }

    /// One line; `None` when there was none to hand out.
    fn line(&mut self, export: &mut Export) -> Option<Next> {
        let after_damage = self.after_damage;
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
            match self.fill(0) {
                Ok(()) => {}
                Err(Short::Skipped) => {
                    self.pass_damage();
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
        match self.arrival(Encoding::Json, line, export) {
            Ok(next) => Some(next),
            Err(_) if !complete && self.broken => None,
            Err(_) if !complete => {
                self.note(Place::Line(self.line), Flaw::Torn(Part::Line), DamageKind::TornTail);
                None
            }
            // The first line behind a damaged frame is the end of one that began in it.
            Err(_) if after_damage => {
                self.after_damage = false;
                self.note(Place::Line(self.line), Flaw::Misaligned, DamageKind::Damage);
                None
            }
            Err(flaw) => {
                self.note(Place::Line(self.line), flaw, DamageKind::Damage);
                None
            }
        }
    }

    /// Passes over a line that is too long to be one.
    fn long_line(&mut self) {
        self.line += 1;
        self.note(Place::Line(self.line), Flaw::LongLine, DamageKind::Damage);
        loop {
            if let Some(found) = memchr::memchr(b'\n', self.content.bytes()) {
                self.content.consume(found + 1);
                return;
            }
            self.content.consume(self.content.len());
            if self.fill(0).is_err() {
                return;
            }
        }
    }

    /// The whole content as one body; it was read when the form was recognised.
    fn whole(&mut self, encoding: Encoding, export: &mut Export) -> Option<Next> {
        self.framing = Framing::Ended;
        let place = self.place();
        let body = self.content.take(self.content.len());
        match self.arrival(encoding, body, export) {
            Ok(next) => Some(next),
            Err(flaw) => {
                self.note(place, flaw, DamageKind::Damage);
                None
            }
        }
    }
}

/// True when the first byte that is not blank opens a JSON object.
pub(super) fn starts_json(content: &[u8]) -> bool {
    content.trim_ascii_start().first() == Some(&b'{')
}
