//! The content of one file: its bytes out of gzip or zstd, as far as they can be read.
//!
//! Invariant: damage of the layers below is noted before the content ends or goes on behind it. Behind a damaged zstd frame
//! it goes on only after [`Content::pass_damage`], so that nobody joins what does not belong together.

use super::chunk::Chunk;
use super::damage::{Damage, DamageKind, DamageLocation, Damages, Flaw};
use super::feed::{CountedSource, Fed, Feed};
use super::format::Compression;
use super::zstd_chain::{Step, ZstdChain};
use bytes::Bytes;
use std::io;

pub(super) struct Content {
    /// Index and name of the file.
    file: (usize, String),
    input: Input,
    chunk: Chunk,
    compression: Compression,
    /// Whether offsets of the input are offsets behind gzip.
    is_gzip: bool,
    /// A damaged frame was skipped, and the content that is there ends before it.
    before_damage: bool,
    /// A damaged frame was skipped and no message was read since.
    after_damage: bool,
    /// The input ended early and that was noted.
    broken: bool,
    damages: Damages,
}

enum Input {
    Feed(Feed),
    Zstd(Box<ZstdChain>),
}

/// Why the wanted bytes are not there.
#[derive(Debug, PartialEq)]
pub(super) enum Short {
    /// A damaged frame follows: what is there and incomplete stays so.
    Skipped,
    /// The content ends.
    End,
}

impl Content {
    pub(super) fn open(index: usize, name: String, source: CountedSource) -> io::Result<Content> {
        let feed = Feed::open(source)?;
        let is_gzip = feed.is_gzip();
        Ok(Content {
            file: (index, name),
            input: Input::Feed(feed),
            chunk: Chunk::default(),
            compression: if is_gzip { Compression::Gzip } else { Compression::None },
            is_gzip,
            before_damage: false,
            after_damage: false,
            broken: false,
            damages: Damages::default(),
        })
    }

    pub(super) fn index(&self) -> usize {
        self.file.0
    }

    pub(super) fn name(&self) -> &str {
        &self.file.1
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    pub(super) fn damages(&self) -> &Damages {
        &self.damages
    }

    /// Whether the input ended early.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether a damaged frame was skipped and nothing was read since.
    pub(super) fn is_after_damage(&self) -> bool {
        self.after_damage
    }

    /// Something was read behind a damaged frame.
    pub(super) fn resumed(&mut self) {
        self.after_damage = false;
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        self.chunk.bytes()
    }

    /// How much is there.
    pub(super) fn len(&self) -> usize {
        self.chunk.len()
    }

    /// Drops bytes from the start.
    pub(super) fn consume(&mut self, n: usize) {
        self.chunk.consume(n);
    }

    /// Drops what is there.
    pub(super) fn consume_all(&mut self) {
        self.chunk.consume(self.chunk.len());
    }

    /// Takes bytes from the start.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        self.chunk.take(n)
    }

    /// Reads the rest as a chain of zstd frames.
    pub(super) fn decompress_zstd(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        if let Input::Feed(feed) = std::mem::replace(&mut self.input, Input::Feed(Feed::Ended)) {
            self.input = Input::Zstd(Box::new(ZstdChain::new(feed, chunk)));
            self.compression = Compression::Zstd;
        }
    }

    /// Reads more content; `wanted` is how much is known to be needed.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<(), Short> {
        if self.broken {
            return Err(Short::End);
        }
        if self.before_damage {
            return Err(Short::Skipped);
        }
        let location = |at| if self.is_gzip { DamageLocation::Content(at) } else { DamageLocation::Byte(at) };
        let (flaw, kind, location) = match &mut self.input {
            Input::Feed(feed) => match feed.fill(&mut self.chunk, wanted) {
                Fed::More => return Ok(()),
                Fed::End => return Err(Short::End),
                Fed::Broken(flaw, kind) => (flaw, kind, location(self.chunk.offset() + self.chunk.len() as u64)),
            },
            Input::Zstd(chain) => match chain.fill(&mut self.chunk) {
                Step::More => return Ok(()),
                Step::End => return Err(Short::End),
                Step::Skipped { at } => {
                    let location = location(at);
                    self.note(location, Flaw::Frame, DamageKind::Damage);
                    self.before_damage = true;
                    return Err(Short::Skipped);
                }
                Step::Broken(flaw, kind, at) => (flaw, kind, location(at)),
            },
        };
        self.broken = true;
        self.note(location, flaw, kind);
        Err(Short::End)
    }

    /// Reads content until `n` bytes of it are there.
    pub(super) fn need(&mut self, n: usize) -> Result<(), Short> {
        while self.len() < n {
            self.fill(n - self.len())?;
        }
        Ok(())
    }

    /// Drops what ends in a damaged frame and goes on behind it.
    pub(super) fn pass_damage(&mut self) {
        self.consume_all();
        self.before_damage = false;
        self.after_damage = true;
    }

    pub(super) fn note(&mut self, location: DamageLocation, what: Flaw, kind: DamageKind) {
        let (file, name) = self.file.clone();
        self.damages.push(Damage { file, name, location, what, kind });
    }

    /// The location of the first byte that is there.
    pub(super) fn location(&self) -> DamageLocation {
        match self.compression {
            Compression::None => DamageLocation::Byte(self.chunk.offset()),
            Compression::Gzip | Compression::Zstd => DamageLocation::Content(self.chunk.offset()),
        }
    }
}
