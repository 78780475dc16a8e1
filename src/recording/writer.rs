//! Recordings out: our own form, length-prefixed protobuf and JSON lines, each plain, as zstd frames or as gzip members.
//!
//! Invariant: what goes out at once is a run of whole messages, compressed on its own, so that a reader can go on behind any
//! damage and appending to a file needs nothing but its end. Content is held back until a run is full, has lasted as long as
//! it may, or [`Writer::flush`] is called; how long it lasted is told by the instants of the arrivals, not by a clock.

use super::own::{self, HEAD_LIMIT};
use super::{Compression, MESSAGE_LIMIT};
use crate::model::Nanos;
use crate::otlp::{self, DecodeError};
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::bulk::Compressor;

/// Content after which a run is closed.
const RUN: usize = 1 << 20;
/// The level that zstd itself takes by default.
const ZSTD_LEVEL: i32 = 3;

/// The forms that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFormat {
    /// Our own: keeps the instants of arrival.
    Own,
    /// Length-prefixed protobuf. It has no place for instants of arrival: a reader takes them from the points.
    Protobuf,
    /// One JSON object a line. It has no place for instants of arrival either.
    JsonLines,
}

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file gave an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A body that does not decode.
    #[error("an export that cannot be read: {0}")]
    Body(#[from] DecodeError),
    /// A body that no reader would take.
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
    packing: Packing,
    head: Option<String>,
    /// The longest time a run may last.
    longest: Option<Nanos>,
    /// The first instant of the open run.
    opened_at: Option<Nanos>,
    content: Vec<u8>,
}

enum Packing {
    None,
    Gzip,
    Zstd(Box<Compressor<'static>>, Vec<u8>),
}

impl<W: Write> Writer<W> {
    /// A recording into `out`, which may hold one already.
    pub fn new(out: W, format: RecordingFormat, compression: Compression) -> Result<Self, WriteError> {
        let packing = match compression {
            Compression::None => Packing::None,
            Compression::Gzip => Packing::Gzip,
            Compression::Zstd => {
                let mut compressor = Compressor::new(ZSTD_LEVEL)?;
                // The checksum is what makes damage visible, the size what lets a reader hold a frame until it is checked.
                compressor.include_checksum(true)?;
                compressor.include_contentsize(true)?;
                Packing::Zstd(Box::new(compressor), Vec::new())
            }
        };
        Ok(Writer { out, format, packing, head: None, longest: None, opened_at: None, content: Vec::new() })
    }

    /// Closes a run, too, once the instants in it span this long: what a crash may take at most.
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

    /// Appends a body, given as protobuf, and the instant it arrived, when it has one.
    pub fn append(&mut self, at: Option<Nanos>, body: &[u8]) -> Result<(), WriteError> {
        if body.len() > MESSAGE_LIMIT {
            return Err(WriteError::TooLarge(body.len()));
        }
        self.close_before(at)?;
        match self.format {
            RecordingFormat::Own => self.own_message(at, body),
            RecordingFormat::Protobuf => {
                self.content.extend_from_slice(&(body.len() as u32).to_be_bytes());
                self.content.extend_from_slice(body);
            }
            RecordingFormat::JsonLines => {
                let start = self.content.len();
                if let Err(error) = otlp::to_json(body, &mut self.content) {
                    self.content.truncate(start);
                    return Err(error.into());
                }
                self.content.push(b'\n');
            }
        }
        if self.content.len() >= RUN { self.close() } else { Ok(()) }
    }

    /// Appends an instant without a body. Only our own form keeps it.
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

    fn own_message(&mut self, at: Option<Nanos>, body: &[u8]) {
        let start = self.content.len();
        self.content.extend_from_slice(&[0; 4]);
        own::write_prefix(at, self.head.take().as_deref(), &mut self.content);
        if own::is_own(body) {
            self.content.extend_from_slice(&own::GUARD);
        }
        self.content.extend_from_slice(body);
        let length = (self.content.len() - start - 4) as u32;
        self.content[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Closes the open run when this instant is too late for it.
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
        match &mut self.packing {
            Packing::None => self.out.write_all(&self.content)?,
            Packing::Gzip => {
                let mut member = GzEncoder::new(&mut self.out, flate2::Compression::default());
                member.write_all(&self.content)?;
                member.finish()?;
            }
            Packing::Zstd(compressor, frame) => {
                frame.clear();
                frame.reserve(zstd::zstd_safe::compress_bound(self.content.len()));
                compressor.compress_to_buffer(&self.content, frame)?;
                self.out.write_all(frame)?;
            }
        }
        self.content.clear();
        Ok(())
    }
}
