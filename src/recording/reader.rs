//! Several recordings as one sequence of arrivals.
//!
//! Invariant: instants never go backwards, neither within a file nor over all of them; arrivals of the same instant come in
//! the order of the files. An arrival without an instant comes when the one before it in its file has come.

use super::damage::{Damage, OpenError};
use super::feed::Counted;
use super::file::{File, Next};
use crate::model::{Export, Nanos};
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

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived; `None` for a body without a usable time, which leaves time where it is.
    pub at: Option<Nanos>,
    /// Index of the file, in the order of the sources.
    pub file: usize,
    /// An instant without a body.
    pub is_tick: bool,
}

/// The forms a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No content.
    Empty,
    /// Our own.
    Own,
    /// Length-prefixed protobuf.
    Protobuf,
    /// One JSON object a line.
    JsonLines,
    /// Length-prefixed zstd frames, each with one body.
    ZstdMessages,
    /// One body.
    Single,
}

impl Form {
    /// The form in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Empty => "empty",
            Form::Own => "own recording",
            Form::Protobuf => "length-prefixed protobuf",
            Form::JsonLines => "JSON lines",
            Form::ZstdMessages => "length-prefixed zstd frames",
            Form::Single => "one request",
        }
    }
}

/// Compression around a whole recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None.
    None,
    /// Gzip, one or several members.
    Gzip,
    /// Zstd, one or several frames.
    Zstd,
}

/// What is known of an opened file.
#[derive(Clone, Copy, Debug)]
pub struct FileInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its form.
    pub form: Form,
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

/// A file and its next arrival.
struct Pending {
    file: File,
    export: Export,
    next: Option<Next>,
    ended: bool,
}

impl Reader {
    /// Opens recordings and recognises their forms. The first that is none is an error.
    pub fn open(sources: Vec<Source>) -> Result<Reader, OpenError> {
        let read = Arc::new(AtomicU64::new(0));
        let total = sources.iter().map(|source| source.size).sum();
        let mut files = Vec::with_capacity(sources.len());
        for (index, source) in sources.into_iter().enumerate() {
            let counted = Counted { inner: source.reader, read: Arc::clone(&read) };
            let file = File::open(index, source.name, counted)?;
            let mut pending = Pending { file, export: Export::default(), next: None, ended: false };
            // The head of a recording stands in its first message.
            pending.look();
            files.push(pending);
        }
        Ok(Reader { files, read, total })
    }

    /// Reads the next arrival into `export`, which is empty for a tick.
    pub fn next(&mut self, export: &mut Export) -> Option<Arrival> {
        if let [only] = &mut self.files[..]
            && only.next.is_none()
        {
            // Nothing to merge with: one export does.
            let next = if only.ended { None } else { only.file.next(export) };
            only.ended = next.is_none();
            return next.map(|next| Arrival { at: next.at, file: only.file.index, is_tick: next.tick });
        }
        let mut first: Option<(Option<Nanos>, usize)> = None;
        for (i, pending) in self.files.iter_mut().enumerate() {
            pending.look();
            if pending.next.is_some() && first.is_none_or(|(at, _)| pending.file.at < at) {
                first = Some((pending.file.at, i));
            }
        }
        let pending = &mut self.files[first?.1];
        let next = pending.next.take()?;
        std::mem::swap(export, &mut pending.export);
        Some(Arrival { at: next.at, file: pending.file.index, is_tick: next.tick })
    }

    /// What is known of the files, in the order of the sources.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileInfo<'_>> {
        self.files.iter().map(|Pending { file, .. }| FileInfo {
            name: &file.name,
            form: file.form,
            compression: file.compression,
            head: file.head.as_deref(),
        })
    }

    /// The head of the first recording that has one.
    pub fn head(&self) -> Option<&str> {
        self.files.iter().find_map(|pending| pending.file.head.as_deref())
    }

    /// What was found wrong so far, file by file; of a file with very many only the first ones.
    pub fn damages(&self) -> impl Iterator<Item = &Damage> {
        self.files.iter().flat_map(|pending| &pending.file.damages.kept)
    }

    /// How often something was found wrong that matters: not counting torn tails, counting what is not kept.
    pub fn damage_count(&self) -> u64 {
        self.files.iter().map(|pending| pending.file.damages.damaged).sum()
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
    /// Reads the next arrival unless one is there.
    fn look(&mut self) {
        if self.next.is_none() && !self.ended {
            self.next = self.file.next(&mut self.export);
            self.ended = self.next.is_none();
        }
    }
}
