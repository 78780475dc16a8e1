//! The content of one file: its bytes out of gzip or zstd, as far as they can be read.
//!
//! Invariant: damage of the layers below is noted before the content ends or goes on behind it. Behind a damaged zstd frame
//! it goes on only after [`Content::pass_damage`], so that nobody joins what does not belong together.

use super::chunk::Chunk;
use super::damage::{Damage, DamageKind, DamageLocation, Flaw};
use super::feed::{CountedSource, Feed};
use super::format::Compression;
use super::zstd_chain::ZstdChain;
use std::io;

/// Damages kept of a file; later ones are only counted.
const KEPT: usize = 200;

pub(super) struct Content {
    /// Index of the file, in the order of the sources.
    pub(super) file: usize,
    pub(super) name: String,
    pub(super) compression: Compression,
    /// What is there.
    pub(super) chunk: Chunk,
    pub(super) damages: Vec<Damage>,
    /// How many damages there were that matter, also those that are not kept.
    pub(super) damaged: u64,
    /// The input ended early and that was noted.
    pub(super) is_broken: bool,
    /// A damaged frame was skipped and no message was read since.
    pub(super) is_after_damage: bool,
    /// A damaged frame was skipped, and the content that is there ends before it.
    is_before_damage: bool,
    /// Whether offsets of the input are offsets behind gzip.
    is_gzip: bool,
    feed: Feed,
    /// Reads from the feed in its place once the content was recognised as zstd.
    zstd: Option<Box<ZstdChain>>,
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
    pub(super) fn open(file: usize, name: String, source: CountedSource) -> io::Result<Content> {
        let feed = Feed::open(source)?;
        Ok(Content {
            file,
            name,
            compression: if feed.is_gzip { Compression::Gzip } else { Compression::None },
            chunk: Chunk::default(),
            damages: Vec::new(),
            damaged: 0,
            is_broken: false,
            is_after_damage: false,
            is_before_damage: false,
            is_gzip: feed.is_gzip,
            feed,
            zstd: None,
        })
    }

    /// Reads the rest as a chain of zstd frames.
    pub(super) fn decompress_zstd(&mut self) {
        let (feed, chunk) = (std::mem::take(&mut self.feed), std::mem::take(&mut self.chunk));
        self.zstd = Some(Box::new(ZstdChain::new(feed, chunk)));
        self.compression = Compression::Zstd;
    }

    /// Reads more content; `wanted` is how much is known to be needed.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<(), Short> {
        if self.is_broken {
            return Err(Short::End);
        }
        if self.is_before_damage {
            return Err(Short::Skipped);
        }
        let end = self.chunk.offset() + self.chunk.len() as u64;
        let filled = match &mut self.zstd {
            None => self.feed.fill(&mut self.chunk, wanted).map_err(|flaw| (flaw, end)),
            Some(chain) => chain.fill(&mut self.chunk),
        };
        match filled {
            Ok(true) => Ok(()),
            Ok(false) => Err(Short::End),
            Err((flaw, at)) => {
                self.is_before_damage = flaw == Flaw::Frame;
                self.is_broken = !self.is_before_damage;
                self.note(if self.is_gzip { DamageLocation::Content(at) } else { DamageLocation::Byte(at) }, flaw);
                Err(if self.is_broken { Short::End } else { Short::Skipped })
            }
        }
    }

    /// Reads content until `n` bytes of it are there.
    pub(super) fn need(&mut self, n: usize) -> Result<(), Short> {
        while self.chunk.len() < n {
            self.fill(n - self.chunk.len())?;
        }
        Ok(())
    }

    /// Drops what ends in a damaged frame and goes on behind it.
    pub(super) fn pass_damage(&mut self) {
        self.chunk.consume(self.chunk.len());
        self.is_before_damage = false;
        self.is_after_damage = true;
    }

    pub(super) fn note(&mut self, location: DamageLocation, what: Flaw) {
        let kind = if matches!(what, Flaw::Torn(_)) { DamageKind::TornTail } else { DamageKind::Damage };
        self.damaged += u64::from(kind == DamageKind::Damage);
        if self.damages.len() < KEPT {
            self.damages.push(Damage { file: self.file, name: self.name.clone(), location, what, kind });
        }
    }

    /// The location of the first byte that is there.
    pub(super) fn location(&self) -> DamageLocation {
        match self.compression {
            Compression::None => DamageLocation::Byte(self.chunk.offset()),
            Compression::Gzip | Compression::Zstd => DamageLocation::Content(self.chunk.offset()),
        }
    }
}
