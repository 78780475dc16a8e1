//! Recordings out: our own form, length-prefixed protobuf and JSON lines, each plain, as zstd frames or as gzip members.
//!
//! Invariant: what goes out at once is a run of whole messages, compressed on its own, so that a reader can go on behind any
//! damage and appending to a file needs nothing but its end. Content is held back until a run is full, has lasted as long as
//! it may, or [`Writer::flush`] is called; how long it lasted is the difference of receive times, not of a clock.

use super::format::{Compression, MESSAGE_LIMIT, RecordingFormat};
use super::message::{GUARD, HEAD_LIMIT, PREFIX, is_own, write_own_fields};
use crate::model::Nanos;
use crate::otlp::{self, DecodeError};
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::bulk::Compressor;

/// Content after which a run is closed.
const RUN: usize = 1 << 20;
/// The level that zstd itself takes by default.
const ZSTD_LEVEL: i32 = 3;

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file gave an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// An export that does not decode.
    #[error("an export that cannot be read: {0}")]
    Export(#[from] DecodeError),
    /// An export that no reader would take.
    #[error("an export of {0} bytes; the most is {MESSAGE_LIMIT}")]
    TooLarge(usize),
    /// A head that no reader would take.
    #[error("a head of {0} bytes; the most is {HEAD_LIMIT}")]
    LongHead(usize),
}

/// Writes one recording. What is held back is lost unless [`Writer::finish`] or [`Writer::flush`] is called.
pub struct Writer<W: Write> {
    out: W,
    format: RecordingFormat,
    compression: Compression,
    /// For zstd.
    compressor: Compressor<'static>,
    head: Option<String>,
    /// The longest time a run may last.
    longest: Option<Nanos>,
    /// The first receive time of the open run.
    opened_at: Option<Nanos>,
    content: Vec<u8>,
    /// The run as it is written, and how many bytes were before it.
    packed: Vec<u8>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// A recording into `out`, which may hold one already.
    pub fn new(out: W, format: RecordingFormat, compression: Compression) -> Result<Self, WriteError> {
        let mut compressor = Compressor::new(ZSTD_LEVEL)?;
        // The checksum is what makes damage visible, the size what lets a reader hold a frame until it is checked.
        compressor.include_checksum(true)?;
        compressor.include_contentsize(true)?;
        Ok(Writer {
            out,
            format,
            compression,
            compressor,
            head: None,
            longest: None,
            opened_at: None,
            content: Vec::new(),
            packed: Vec::new(),
            written: 0,
        })
    }

    /// Closes a run, too, once its receive times span this long: what a crash may take at most.
    pub fn set_longest_run(&mut self, longest: Nanos) {
        self.longest = Some(longest);
    }

    /// Sets the head that the first message of an own recording carries: JSON text. The other forms have no place for it.
    pub fn set_head(&mut self, head: String) -> Result<(), WriteError> {
        if head.len() > HEAD_LIMIT {
            return Err(WriteError::LongHead(head.len()));
        }
        self.head = Some(head);
        Ok(())
    }

    /// Appends a payload in protobuf and its receive time, when it has one.
    pub fn append(&mut self, received_at: Option<Nanos>, payload: &[u8]) -> Result<(), WriteError> {
        if payload.len() > MESSAGE_LIMIT {
            return Err(WriteError::TooLarge(payload.len()));
        }
        self.close_before(received_at)?;
        match self.format {
            RecordingFormat::Own => self.own_message(received_at, payload),
            RecordingFormat::Protobuf => {
                self.content.extend_from_slice(&(payload.len() as u32).to_be_bytes());
                self.content.extend_from_slice(payload);
            }
            RecordingFormat::JsonLines => {
                let start = self.content.len();
                if let Err(error) = otlp::to_json(payload, &mut self.content) {
                    self.content.truncate(start);
                    return Err(error.into());
                }
                self.content.push(b'\n');
            }
        }
        if self.content.len() >= RUN { self.close() } else { Ok(()) }
    }

    /// Appends a receive time without an export. Only our own form keeps it.
    pub fn tick(&mut self, at: Nanos) -> Result<(), WriteError> {
        if self.format == RecordingFormat::Own {
            self.close_before(Some(at))?;
            self.own_message(Some(at), &[]);
        }
        Ok(())
    }

    /// Writes what was held back.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.close()?;
        self.out.flush()?;
        Ok(())
    }

    /// Writes what was held back and gives back what was written to.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.format == RecordingFormat::Own && self.head.is_some() {
            self.own_message(None, &[]);
        }
        self.flush()?;
        Ok(self.out)
    }

    /// What is written to, for those who must bring it to the disk.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// How many bytes were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    fn own_message(&mut self, received_at: Option<Nanos>, payload: &[u8]) {
        let start = self.content.len();
        self.content.extend_from_slice(&[0; PREFIX]);
        write_own_fields(received_at, self.head.take().as_deref(), &mut self.content);
        if is_own(payload) {
            self.content.extend_from_slice(&GUARD);
        }
        self.content.extend_from_slice(payload);
        let length = (self.content.len() - start - PREFIX) as u32;
        self.content[start..start + PREFIX].copy_from_slice(&length.to_be_bytes());
    }

    /// Closes the open run when this time is too late for it.
    fn close_before(&mut self, at: Option<Nanos>) -> Result<(), WriteError> {
        let (Some(longest), Some(at)) = (self.longest, at) else { return Ok(()) };
        if self.opened_at.is_some_and(|opened| at.saturating_sub(opened) >= longest) {
            self.close()?;
        }
        self.opened_at.get_or_insert(at);
        Ok(())
    }

    fn close(&mut self) -> Result<(), WriteError> {
        self.opened_at = None;
        if self.content.is_empty() {
            return Ok(());
        }
        self.packed.clear();
        let packed = match self.compression {
            Compression::None => &self.content,
            Compression::Gzip => {
                let mut member = GzEncoder::new(&mut self.packed, flate2::Compression::default());
                member.write_all(&self.content)?;
                member.finish()?
            }
            Compression::Zstd => {
                self.packed.reserve(zstd::zstd_safe::compress_bound(self.content.len()));
                self.compressor.compress_to_buffer(&self.content, &mut self.packed)?;
                &self.packed
            }
        };
        self.out.write_all(packed)?;
        self.written += packed.len() as u64;
        self.content.clear();
        Ok(())
    }
}
