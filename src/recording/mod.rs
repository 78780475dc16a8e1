//! Recordings: files of OTLP exports and the times they were received, read in every form and written in ours and the
//! Collector's.
//!
//! A form is recognised by its bytes, never by a name. Reading is a stream: a file of any size takes the memory of its
//! largest message and of a few small ones, and several files are merged by time. Whatever is wrong with a file is data
//! ([`Damage`]); what can still be read is read. No clock is known here, times are passed in; and no path, but by the
//! [`LiveRecording`]: a [`Source`] is a name and a reader.
//!
//! Our own form is the length-prefixed protobuf of the Collector's file exporter (four bytes of length, most significant
//! first, then an `ExportMetricsServiceRequest`) with one extra field in each message: the time it was received. Every OTLP
//! reader skips it. A message with that field alone is a tick. Compressed, it is a chain of zstd frames that hold whole
//! messages and a checksum each, so that damage costs one frame.
//!
//! The way of the bytes: `feed` (gzip or not) → `zstd_chain` → `content` → `file` (cut into messages as `recognise` found)
//! → `reader` (several files merged by time).

mod chunk;
mod content;
mod damage;
mod feed;
mod file;
mod format;
mod live;
mod message;
mod reader;
mod recognise;
mod writer;
mod zstd_chain;

pub use damage::{Damage, DamageKind, DamageLocation, Flaw, LooksLike, OpenError, Part};
pub use file::RecordingEntry;
pub use format::{Compression, FileFormat, MESSAGE_LIMIT, RecordingFormat};
pub use live::{LiveRecording, LiveRecordingOptions};
pub use message::{AT_FIELD, HEAD_FIELD};
pub use reader::{FileInfo, Reader, Replayed, Source};
pub use writer::{WriteError, Writer};
