//! Where the bytes of a file come from: as they are, or out of a gzip stream.
//!
//! Invariant: what was read before an error is handed out before the error is reported. No decompressed size is trusted;
//! bytes come in pieces of the space that is offered.

use super::chunk::{CAPACITY, Chunk};
use super::damage::{Flaw, Part};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufReader, Cursor, Read};
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
#[derive(Default)]
pub(super) struct Feed {
    /// `None` at the end.
    reader: Option<Box<dyn Read + Send>>,
    pub(super) is_gzip: bool,
}

impl Feed {
    /// Looks at the first bytes. Gzip within gzip is not looked for.
    pub(super) fn open(mut source: CountedSource) -> io::Result<Self> {
        let mut first = Vec::new();
        source.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut first)?;
        // A file of the first byte alone is a torn gzip file, not one of another form.
        let is_gzip = !first.is_empty() && GZIP_MAGIC.starts_with(&first);
        let whole = Cursor::new(first).chain(source);
        let reader: Box<dyn Read + Send> = match is_gzip {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(CAPACITY, whole))),
            false => Box::new(whole),
        };
        Ok(Feed { reader: Some(reader), is_gzip })
    }

    /// Reads once into the chunk; false at the end. `wanted` is how much is known to be needed; not much more is read, so
    /// that what lies behind a large message need not be moved.
    pub(super) fn fill(&mut self, chunk: &mut Chunk, wanted: usize) -> Result<bool, Flaw> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let space = chunk.space(wanted.max(SMALLEST_READ));
        let most = space.len().min(wanted.max(CAPACITY));
        let read = reader.read(&mut space[..most]);
        if !matches!(read, Ok(1..)) {
            self.reader = None;
        }
        let n = read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof if self.is_gzip => Flaw::Torn(Part::Gzip),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other if self.is_gzip => {
                Flaw::Gzip
            }
            kind => Flaw::Io(kind),
        })?;
        chunk.commit(n);
        Ok(n > 0)
    }
}
