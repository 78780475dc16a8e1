//! A chain of zstd frames, read so that damage costs one frame. Written by hand because no zstd reader goes on behind a
//! damaged frame.
//!
//! A frame is handed out only after it was decompressed to its end and its checksum was right, as long as it is small enough
//! to be held; frames without a declared size (one stream over a whole file) are handed out in pieces once they grow. After
//! a damaged frame the next one is found by its magic number and by decompressing it. What such a search may cost is
//! bounded by what was read, whatever the bytes; so is the memory, by the largest message.

use super::chunk::Chunk;
use super::damage::{DamageKind, Flaw, Part};
use super::feed::{Fed, Feed};
use super::message::LENGTH_LIMIT;
use memchr::memmem::Finder;
use zstd::zstd_safe::{self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, zstd_sys::ZSTD_ErrorCode};

/// The first bytes of every frame.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The most bytes a frame header has.
const LONGEST_HEADER: usize = 18;
/// Content of a frame that is held until its checksum was seen, when the frame declares its size.
const HELD: usize = LENGTH_LIMIT + (2 << 20);
/// The same for a frame that does not.
const HELD_UNDECLARED: usize = 4 << 20;
/// Pieces in which content is made.
const PIECE: usize = 128 << 10;
/// Frames that need a larger window are refused: 2^27 bytes is what `zstd --ultra --long` makes by default.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) struct ZstdChain {
    feed: Feed,
    input: Chunk,
    context: DCtx<'static>,
    /// Inside a frame that is handed out in pieces.
    inside: bool,
    ended: bool,
    /// Why the file cannot be read any further.
    broken: Option<(Flaw, DamageKind)>,
    /// What was spent on frames that turned out to be none.
    wasted: u64,
}

/// How far a chain came.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// There is more content.
    More,
    /// Damage was skipped: what comes next is the start of a good frame and does not continue what was there before.
    Skipped {
        /// Offset of the damaged frame.
        at: u64,
    },
    /// The end.
    End,
    /// The end, for this reason, at this offset.
    Broken(Flaw, DamageKind, u64),
}

/// What became of one frame.
enum Frame {
    Content,
    End,
    /// Damaged.
    Bad,
    /// The file ends inside it.
    Cut,
    /// Reading failed inside it.
    Failed(Flaw, DamageKind),
}

impl ZstdChain {
    /// A chain that goes on with what was read into `input` already.
    pub(super) fn new(feed: Feed, input: Chunk) -> Self {
        let mut context = DCtx::create();
        // The parameter is within zstd's own bounds, so that setting it cannot fail.
        let _ = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
        ZstdChain { feed, input, context, inside: false, ended: false, broken: None, wasted: 0 }
    }

    /// Appends content to `out`: one held frame, or a piece.
    pub(super) fn fill(&mut self, out: &mut Chunk) -> Step {
        if self.ended {
            return Step::End;
        }
        let at = self.input.offset();
        let before = out.len();
        let frame = if self.inside { self.piece(out, false) } else { self.frame(out) };
        let step = match frame {
            Frame::Content => return Step::More,
            Frame::End => Step::End,
            Frame::Failed(flaw, kind) => Step::Broken(flaw, kind, at),
            // A held frame that is cut off may as well be one whose sizes are damaged: good frames behind it tell.
            Frame::Bad | Frame::Cut => {
                let cut = matches!(frame, Frame::Cut);
                match self.resume(out, before) {
                    Search::Found => return Step::Skipped { at },
                    Search::Nothing if cut => Step::Broken(Flaw::Torn(Part::Frame), DamageKind::TornTail, at),
                    Search::Nothing => Step::Broken(Flaw::LastFrame, DamageKind::Damage, at),
                    Search::GaveUp => Step::Broken(Flaw::SearchGivenUp, DamageKind::Damage, at),
                    Search::Failed(flaw, kind) => Step::Broken(flaw, kind, at),
                }
            }
        };
        self.ended = true;
        step
    }

    /// Reads one frame, or the first piece of one.
    fn frame(&mut self, out: &mut Chunk) -> Frame {
        if let Err(frame) = self.need(LONGEST_HEADER, false) {
            return frame;
        }
        let header = self.input.bytes();
        if header.is_empty() {
            return Frame::End;
        }
        if is_skippable(header) {
            return self.skip_frame();
        }
        if !header.starts_with(&MAGIC) {
            return if MAGIC.starts_with(header) { Frame::Cut } else { Frame::Bad };
        }
        let short = header.len() < LONGEST_HEADER;
        match zstd_safe::get_frame_content_size(header) {
            Ok(Some(size)) if size <= HELD as u64 => self.held(out, size as usize),
            Ok(_) => self.piece(out, true),
            Err(_) if short => Frame::Cut,
            Err(_) => Frame::Bad,
        }
    }

    /// A frame that says how large its content is, and is small enough to be held.
    fn held(&mut self, out: &mut Chunk, size: usize) -> Frame {
        // No encoder makes a frame much larger than its content; a chain of empty blocks is not followed for ever.
        let longest = size + size / 2 + (1 << 20);
        let compressed = loop {
            match zstd_safe::find_frame_compressed_size(self.input.bytes()) {
                Ok(compressed) => break compressed,
                Err(code) if is_incomplete(code) && self.input.len() < longest => {
                    // The blocks are walked from the start each time: doubling keeps that linear.
                    let (more, doubled) = (self.input.len() + 1, 2 * self.input.len());
                    if let Err(frame) = self.need(more, true).and_then(|()| self.need(doubled.min(longest), false)) {
                        return frame;
                    }
                }
                Err(_) => {
                    self.wasted += self.input.len() as u64;
                    return Frame::Bad;
                }
            }
        };
        let ready = self.context.reset(ResetDirective::SessionOnly);
        let space = &mut out.space(size)[..size];
        match ready.and_then(|_| self.context.decompress(space, &self.input.bytes()[..compressed])) {
            Ok(n) if n == size => {
                out.commit(size);
                self.input.consume(compressed);
                Frame::Content
            }
            _ => {
                self.wasted += (compressed + size) as u64;
                Frame::Bad
            }
        }
    }

    /// Content of a frame without a declared size. From its start it is held until its end, or until it has grown large;
    /// the rest comes piece by piece.
    fn piece(&mut self, out: &mut Chunk, from_start: bool) -> Frame {
        if from_start && self.context.reset(ResetDirective::SessionOnly).is_err() {
            return Frame::Bad;
        }
        let enough = if from_start { HELD_UNDECLARED } else { 1 };
        let start = out.len();
        let mut used = 0;
        loop {
            let mut from = InBuffer::around(&self.input.bytes()[used..]);
            let mut to = OutBuffer::around(&mut out.space(PIECE)[..PIECE]);
            let result = self.context.decompress_stream(&mut to, &mut from);
            let full = to.pos() == to.capacity();
            used += from.pos();
            let newly_made = to.pos();
            out.commit(newly_made);
            let made = out.len() - start;
            self.inside = matches!(result, Ok(1..));
            if result.is_err() {
                self.wasted += (used + made) as u64;
                match from_start {
                    true => out.retract(made),
                    false => self.input.consume(used),
                }
                return Frame::Bad;
            }
            if !self.inside || made >= enough || used > HELD_UNDECLARED {
                self.input.consume(used);
                return Frame::Content;
            }
            if full || used < self.input.len() {
                continue;
            }
            if let Err(frame) = self.need(used + 1, true) {
                self.inside = false;
                // What was flushed before the end of the file is good, unless the frame swallowed another one.
                let swallowed = from_start && Finder::new(&MAGIC).find(&self.input.bytes()[1..]).is_some();
                if made == 0 || swallowed {
                    out.retract(made);
                    return frame;
                }
                self.inside = true;
                self.input.consume(used);
                return Frame::Content;
            }
        }
    }

    /// Passes over a frame that holds no content.
    fn skip_frame(&mut self) -> Frame {
        let Some(size) = self.input.bytes().get(4..8).and_then(|b| b.first_chunk::<4>()) else { return Frame::Cut };
        let mut left = 8 + u64::from(u32::from_le_bytes(*size));
        loop {
            let n = left.min(self.input.len() as u64) as usize;
            self.input.consume(n);
            left -= n as u64;
            if left == 0 {
                return Frame::Content;
            }
            if let Err(frame) = self.need(1, true) {
                return frame;
            }
        }
    }

    /// Looks for the next good frame and stops before it.
    fn resume(&mut self, out: &mut Chunk, before: usize) -> Search {
        out.retract(out.len() - before);
        self.inside = false;
        let finder = Finder::new(&MAGIC);
        loop {
            let bytes = self.input.bytes();
            let Some(found) = finder.find(bytes.get(1..).unwrap_or_default()) else {
                let tail = bytes.len().min(MAGIC.len() - 1);
                self.input.consume(bytes.len() - tail);
                match self.need(tail + 1, true) {
                    Ok(()) => continue,
                    Err(Frame::Failed(flaw, kind)) => return Search::Failed(flaw, kind),
                    Err(_) => return Search::Nothing,
                }
            };
            self.input.consume(found + 1);
            let start = self.input.offset();
            match self.frame(out) {
                Frame::Content => {
                    self.inside = false;
                    out.retract(out.len() - before);
                    self.input.rewind(start);
                    return Search::Found;
                }
                Frame::Failed(flaw, kind) => return Search::Failed(flaw, kind),
                Frame::Bad | Frame::Cut | Frame::End => {}
            }
            out.retract(out.len() - before);
            // Nested garbage could make every byte the start of a long attempt.
            if self.wasted > (1 << 30) + 64 * start {
                return Search::GaveUp;
            }
        }
    }

    /// Reads until `n` bytes of input are there. At the end of the file: fewer, or `Frame::Cut` when they are required.
    fn need(&mut self, n: usize, required: bool) -> Result<(), Frame> {
        while self.input.len() < n {
            if let Some((flaw, kind)) = self.broken.clone() {
                return Err(Frame::Failed(flaw, kind));
            }
            match self.feed.fill(&mut self.input, 0) {
                Fed::More => {}
                Fed::End if required => return Err(Frame::Cut),
                Fed::End => return Ok(()),
                Fed::Broken(flaw, kind) => self.broken = Some((flaw, kind)),
            }
        }
        Ok(())
    }
}

/// What a search for the next good frame found.
enum Search {
    Found,
    Nothing,
    GaveUp,
    Failed(Flaw, DamageKind),
}

/// True at the start of a frame that decompressors pass over.
pub(super) fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn is_incomplete(code: usize) -> bool {
    code == 0usize.wrapping_sub(ZSTD_ErrorCode::ZSTD_error_srcSize_wrong as usize)
}

/// Decompresses messages that are frames of their own.
pub(super) struct Inflater(DCtx<'static>);

/// Why a message cannot be decompressed.
pub(super) enum InflateError {
    Damaged,
    TooLarge,
}

impl Inflater {
    pub(super) fn new() -> Self {
        let mut context = DCtx::create();
        let _ = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
        Inflater(context)
    }

    /// Appends the content of `frames` to `out`, at most `limit` bytes of it.
    pub(super) fn inflate(&mut self, frames: &[u8], limit: usize, out: &mut Chunk) -> Result<usize, InflateError> {
        let start = out.len();
        let result = self.run(frames, limit, out);
        if result.is_err() {
            out.retract(out.len() - start);
        }
        result.map(|()| out.len() - start)
    }

    fn run(&mut self, frames: &[u8], limit: usize, out: &mut Chunk) -> Result<(), InflateError> {
        self.0.reset(ResetDirective::SessionOnly).map_err(|_| InflateError::Damaged)?;
        let mut from = InBuffer::around(frames);
        let start = out.len();
        loop {
            let mut to = OutBuffer::around(&mut out.space(PIECE)[..PIECE]);
            let result = self.0.decompress_stream(&mut to, &mut from);
            let (made, full) = (to.pos(), to.pos() == to.capacity());
            out.commit(made);
            if out.len() - start > limit {
                return Err(InflateError::TooLarge);
            }
            let done = from.pos() == frames.len();
            match result {
                Err(_) => return Err(InflateError::Damaged),
                Ok(0) if done => return Ok(()),
                Ok(_) if done && !full => return Err(InflateError::Damaged),
                Ok(_) => {}
            }
        }
    }
}
