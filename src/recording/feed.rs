//! Where the bytes of a file come from: as they are, or out of a gzip stream.
//!
//! Invariant: what was read before an error is handed out before the error is reported. No decompressed size is trusted;
//! bytes come in pieces of the space that is offered.

use super::chunk::{CAPACITY, Chunk};
use super::damage::{DamageKind, Flaw, Part};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A read is not worth less space than this.
const SMALLEST_READ: usize = 4 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A reader that says how far it is.
pub(super) struct CountedSource {
    pub(super) inner: Box<dyn Read + Send>,
    pub(super) read: Arc<AtomicU64>,
}

impl Read for CountedSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(n) => {
                    self.read.fetch_add(n as u64, Ordering::Relaxed);
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The bytes of a file, out of gzip when it is compressed with it.
pub(super) enum Feed {
    Plain(Looked),
    Gzip(Box<MultiGzDecoder<BufReader<Looked>>>),
    Ended,
}

/// A source and the bytes that were looked at.
pub(super) type Looked = Chain<Cursor<Vec<u8>>, CountedSource>;

/// How far a feed came.
#[derive(Debug, PartialEq)]
pub(super) enum Fed {
    /// There are more bytes.
    More,
    /// There are no more.
    End,
    /// There are no more, for this reason.
    Broken(Flaw, DamageKind),
}

impl Feed {
    /// Looks at the first bytes. Gzip within gzip is not looked for.
    pub(super) fn open(mut source: CountedSource) -> io::Result<Self> {
        let mut first = Vec::new();
        source.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut first)?;
        // A file of the first byte alone is a torn gzip file, not one of another form.
        let gzip = !first.is_empty() && GZIP_MAGIC.starts_with(&first);
        let whole = Cursor::new(first).chain(source);
        Ok(match gzip {
            true => Feed::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CAPACITY, whole)))),
            false => Feed::Plain(whole),
        })
    }

    pub(super) fn is_gzip(&self) -> bool {
        matches!(self, Feed::Gzip(_))
    }

    /// Reads once into the chunk. `wanted` is how much is known to be needed; not much more is read, so that what lies
    /// behind a large message need not be moved.
    pub(super) fn fill(&mut self, chunk: &mut Chunk, wanted: usize) -> Fed {
        let space = chunk.space(wanted.max(SMALLEST_READ));
        let most = space.len().min(wanted.max(CAPACITY));
        let space = &mut space[..most];
        let read = match self {
            Feed::Plain(reader) => reader.read(space).map_err(|e| (Flaw::Io(e.kind()), DamageKind::Damage)),
            Feed::Gzip(reader) => reader.read(space).map_err(|e| gzip_flaw(&e)),
            Feed::Ended => return Fed::End,
        };
        match read {
            Ok(0) => {
                *self = Feed::Ended;
                Fed::End
            }
            Ok(n) => {
                chunk.commit(n);
                Fed::More
            }
            Err((flaw, kind)) => {
                *self = Feed::Ended;
                Fed::Broken(flaw, kind)
            }
        }
    }
}

fn gzip_flaw(error: &io::Error) -> (Flaw, DamageKind) {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => (Flaw::Torn(Part::Gzip), DamageKind::TornTail),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            (Flaw::Gzip, DamageKind::Damage)
        }
        kind => (Flaw::Io(kind), DamageKind::Damage),
    }
}
