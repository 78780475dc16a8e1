//! A chain of zstd frames, read so that damage costs one frame. Written by hand because no zstd reader goes on behind a
//! damaged frame.
//!
//! A frame is handed out only after it was decompressed to its end and its checksum was right, as long as it is small enough
//! to be held; frames without a declared size (one stream over a whole file) are handed out in pieces once they grow. After
//! a damaged frame the next one is found by its magic number and by decompressing it. What such a search may cost is
//! bounded by what was read, whatever the bytes; so is the memory, by the largest message.

use super::chunk::Chunk;
use super::damage::{Flaw, Part};
use super::feed::Feed;
use super::format::MESSAGE_LIMIT;
use super::message::LENGTH_LIMIT;
use memchr::memmem::Finder;
use std::io::Read as _;
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
    /// Why the file cannot be read any further.
    broken: Option<Flaw>,
    /// What was spent on frames that turned out to be none.
    wasted: u64,
}

/// Why there is no content.
enum Stop {
    End,
    /// The frame is damaged.
    Bad,
    /// The file ends inside the frame.
    Cut,
    /// Reading failed inside the frame.
    Failed(Flaw),
}

impl ZstdChain {
    /// A chain that goes on with what was read into `input` already.
    pub(super) fn new(feed: Feed, input: Chunk) -> Self {
        ZstdChain { feed, input, context: new_context(), inside: false, broken: None, wasted: 0 }
    }

    /// Appends content to `out`, one held frame or a piece; false at the end. A flaw comes with the offset of its frame:
    /// after [`Flaw::Frame`] the content goes on with a good frame, which does not continue what was there before; every
    /// other flaw is the end.
    pub(super) fn fill(&mut self, out: &mut Chunk) -> Result<bool, (Flaw, u64)> {
        let (at, before) = (self.input.offset(), out.len());
        let frame = if self.inside { self.piece(out, false) } else { self.frame(out) };
        let flaw = match frame {
            Ok(()) => return Ok(true),
            Err(Stop::End) => return Ok(false),
            Err(Stop::Failed(flaw)) => flaw,
            Err(Stop::Bad) => self.resume(out, before, Flaw::LastFrame),
            // A held frame that is cut off may as well be one whose sizes are damaged: good frames behind it tell.
            Err(Stop::Cut) => self.resume(out, before, Flaw::Torn(Part::Frame)),
        };
        Err((flaw, at))
    }

    /// Reads one frame, or the first piece of one.
    fn frame(&mut self, out: &mut Chunk) -> Result<(), Stop> {
        self.need(LONGEST_HEADER, false)?;
        let header = self.input.bytes();
        if header.is_empty() {
            return Err(Stop::End);
        }
        if is_skippable(header) {
            return self.skip_frame();
        }
        if !header.starts_with(&MAGIC) {
            return Err(if MAGIC.starts_with(header) { Stop::Cut } else { Stop::Bad });
        }
        let short = header.len() < LONGEST_HEADER;
        match zstd_safe::get_frame_content_size(header) {
            Ok(Some(size)) if size <= HELD as u64 => self.held(out, size as usize),
            Ok(_) => self.piece(out, true),
            Err(_) => Err(if short { Stop::Cut } else { Stop::Bad }),
        }
    }

    /// A frame that says how large its content is, and is small enough to be held.
    fn held(&mut self, out: &mut Chunk, size: usize) -> Result<(), Stop> {
        // No encoder makes a frame much larger than its content; a chain of empty blocks is not followed for ever.
        let longest = size + size / 2 + (1 << 20);
        let compressed = loop {
            match zstd_safe::find_frame_compressed_size(self.input.bytes()) {
                Ok(compressed) => break compressed,
                Err(code) if is_incomplete(code) && self.input.len() < longest => {
                    // The blocks are walked from the start each time: doubling keeps that linear.
                    let (more, doubled) = (self.input.len() + 1, 2 * self.input.len());
                    self.need(more, true)?;
                    self.need(doubled.min(longest), false)?;
                }
                Err(_) => {
                    self.wasted += self.input.len() as u64;
                    return Err(Stop::Bad);
                }
            }
        };
        let ready = self.context.reset(ResetDirective::SessionOnly);
        let space = &mut out.space(size)[..size];
        match ready.and_then(|_| self.context.decompress(space, &self.input.bytes()[..compressed])) {
            Ok(n) if n == size => {
                out.commit(size);
                self.input.consume(compressed);
                Ok(())
            }
            _ => {
                self.wasted += (compressed + size) as u64;
                Err(Stop::Bad)
            }
        }
    }

    /// Content of a frame without a declared size. From its start it is held until its end, or until it has grown large;
    /// the rest comes piece by piece.
    fn piece(&mut self, out: &mut Chunk, from_start: bool) -> Result<(), Stop> {
        if from_start && self.context.reset(ResetDirective::SessionOnly).is_err() {
            return Err(Stop::Bad);
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
                return Err(Stop::Bad);
            }
            if !self.inside || made >= enough || used > HELD_UNDECLARED {
                self.input.consume(used);
                return Ok(());
            }
            if full || used < self.input.len() {
                continue;
            }
            if let Err(stop) = self.need(used + 1, true) {
                // What was flushed before the end of the file is good, unless the frame swallowed another one.
                let swallowed = from_start && Finder::new(&MAGIC).find(&self.input.bytes()[1..]).is_some();
                if made == 0 || swallowed {
                    self.inside = false;
                    out.retract(made);
                    return Err(stop);
                }
                self.input.consume(used);
                return Ok(());
            }
        }
    }

    /// Passes over a frame that holds no content.
    fn skip_frame(&mut self) -> Result<(), Stop> {
        let size = self.input.bytes().get(4..).and_then(|size| size.first_chunk::<4>()).ok_or(Stop::Cut)?;
        let mut left = 8 + u64::from(u32::from_le_bytes(*size));
        loop {
            let n = left.min(self.input.len() as u64) as usize;
            self.input.consume(n);
            left -= n as u64;
            if left == 0 {
                return Ok(());
            }
            self.need(1, true)?;
        }
    }

    /// Looks for the next good frame and stops before it; `none` is the flaw when there is none.
    fn resume(&mut self, out: &mut Chunk, before: usize, none: Flaw) -> Flaw {
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
                    Err(Stop::Failed(flaw)) => return flaw,
                    Err(_) => return none,
                }
            };
            self.input.consume(found + 1);
            let start = self.input.offset();
            let frame = self.frame(out);
            out.retract(out.len() - before);
            match frame {
                Ok(()) => {
                    self.inside = false;
                    self.input.rewind(start);
                    return Flaw::Frame;
                }
                Err(Stop::Failed(flaw)) => return flaw,
                Err(Stop::Bad | Stop::Cut | Stop::End) => {}
            }
            // Nested garbage could make every byte the start of a long attempt.
            if self.wasted > (1 << 30) + 64 * start {
                return Flaw::SearchGivenUp;
            }
        }
    }

    /// Reads until `n` bytes of input are there. At the end of the file: fewer, or `Stop::Cut` when they are required.
    fn need(&mut self, n: usize, required: bool) -> Result<(), Stop> {
        while self.input.len() < n {
            if let Some(flaw) = &self.broken {
                return Err(Stop::Failed(flaw.clone()));
            }
            match self.feed.fill(&mut self.input, 0) {
                Ok(true) => {}
                Ok(false) if required => return Err(Stop::Cut),
                Ok(false) => return Ok(()),
                Err(flaw) => self.broken = Some(flaw),
            }
        }
        Ok(())
    }
}

/// A context that refuses frames with too large a window.
pub(super) fn new_context() -> DCtx<'static> {
    let mut context = DCtx::create();
    // The parameter is within zstd's own bounds, so that setting it cannot fail.
    let _ = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
    context
}

/// True at the start of a frame that decompressors pass over.
pub(super) fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn is_incomplete(code: usize) -> bool {
    code == 0usize.wrapping_sub(ZSTD_ErrorCode::ZSTD_error_srcSize_wrong as usize)
}

/// The content of a message that is frames of its own.
pub(super) fn inflate(context: &mut DCtx<'static>, frames: &[u8]) -> Result<Vec<u8>, Flaw> {
    context.reset(ResetDirective::SessionOnly).map_err(|_| Flaw::Frame)?;
    let mut content = Vec::new();
    let mut decoder = zstd::Decoder::with_context(frames, context).take(MESSAGE_LIMIT as u64 + 1);
    match decoder.read_to_end(&mut content) {
        Ok(..=MESSAGE_LIMIT) => Ok(content),
        Ok(_) => Err(Flaw::LargeMessage),
        Err(_) => Err(Flaw::Frame),
    }
}
