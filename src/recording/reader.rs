//! Several recordings as one sequence of exports, and that as inputs of the engine.
//!
//! Invariant: receive times never go backwards, neither within a file nor over all of them; exports of the same time come in
//! the order of the files. An export without a receive time comes when the one before it in its file has come.

use super::damage::{Damage, OpenError};
use super::feed::CountedSource;
use super::file::{RecordingEntry, RecordingFile};
use super::format::{Compression, FileFormat};
use crate::engine::{Input, Inputs};
use crate::model::Export;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes to read from, and what they are called in messages.
pub struct Source {
    /// The name.
    pub name: String,
    /// Number of bytes, when it is known.
    pub size: Option<u64>,
    /// The bytes.
    pub reader: Box<dyn Read + Send>,
}

/// What is known of an opened file.
#[derive(Clone, Copy, Debug)]
pub struct FileInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its form.
    pub format: FileFormat,
    /// Its compression.
    pub compression: Compression,
    /// The head of an own recording: JSON text.
    pub head: Option<&'a str>,
}

/// Reads recordings, merged by time.
pub struct Reader {
    files: Vec<Pending>,
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

/// A file and its next export.
struct Pending {
    file: RecordingFile,
    export: Export,
    next: Option<RecordingEntry>,
}

impl Reader {
    /// Opens recordings and recognises their forms. The first that is none is an error.
    pub fn open(sources: Vec<Source>) -> Result<Reader, OpenError> {
        let read = Arc::new(AtomicU64::new(0));
        let total = sources.iter().map(|source| source.size).sum();
        let mut files = Vec::with_capacity(sources.len());
        for (index, source) in sources.into_iter().enumerate() {
            let counted = CountedSource { inner: source.reader, read: Arc::clone(&read) };
            let file = RecordingFile::open(index, source.name, counted)?;
            let mut pending = Pending { file, export: Export::default(), next: None };
            // The head of a recording stands in its first message.
            pending.look();
            files.push(pending);
        }
        Ok(Reader { files, read, total })
    }

    /// Reads the next export into `export`, which is empty for a tick.
    pub fn next(&mut self, export: &mut Export) -> Option<RecordingEntry> {
        if let [only] = &mut self.files[..]
            && only.next.is_none()
        {
            // Nothing to merge with: one export does.
            return only.file.next(export);
        }
        self.files.iter_mut().for_each(Pending::look);
        let pending = self.files.iter_mut().filter(|pending| pending.next.is_some());
        let first = pending.min_by_key(|pending| pending.file.received_at)?;
        std::mem::swap(export, &mut first.export);
        first.next.take()
    }

    /// What is known of the files, in the order of the sources.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileInfo<'_>> {
        self.files.iter().map(|Pending { file, .. }| FileInfo {
            name: &file.content.name,
            format: file.format,
            compression: file.content.compression,
            head: file.head.as_deref(),
        })
    }

    /// The head of the first recording that has one.
    pub fn head(&self) -> Option<&str> {
        self.files.iter().find_map(|pending| pending.file.head.as_deref())
    }

    /// The damages found so far, file by file; of a file with very many only the first ones.
    pub fn damages(&self) -> impl Iterator<Item = &Damage> {
        self.files.iter().flat_map(|pending| &pending.file.content.damages)
    }

    /// How many damages matter: not counting torn tails, counting those that are not kept.
    pub fn damage_count(&self) -> u64 {
        self.files.iter().map(|pending| pending.file.content.damaged).sum()
    }

    /// Bytes read from the sources so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of all sources, when every size is known.
    pub fn bytes_total(&self) -> Option<u64> {
        self.total
    }
}

impl Pending {
    /// Reads the next export unless one is there.
    fn look(&mut self) {
        if self.next.is_none() {
            self.next = self.file.next(&mut self.export);
        }
    }
}

/// The exports of a reader as inputs of the engine.
pub struct Replayed {
    reader: Reader,
    export: Export,
}

impl Replayed {
    /// The inputs of a reader, one after the other.
    pub fn new(reader: Reader) -> Self {
        Replayed { reader, export: Export::default() }
    }

    /// Where the inputs are read from.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }
}

impl Inputs for Replayed {
    fn next(&mut self) -> Option<Input<'_>> {
        let RecordingEntry { at, is_tick, .. } = self.reader.next(&mut self.export)?;
        Some(Input { received_at: at, export: (!is_tick).then_some(&self.export) })
    }
}
