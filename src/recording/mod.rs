//! Recordings: files of OTLP bodies and the instants they arrived, read in every form and written in ours and the Collector's.
//!
//! A form is recognised by its bytes, never by a name. Reading is a stream: a file of any size takes the memory of its largest
//! message and of a few small ones, and several files are merged by time. Whatever is wrong with a file is data ([`Damage`]); what can still be
//! read is read. No clock is known here, instants are handed in; and no path, but by the [`Keeper`]: a [`Source`] is a name and
//! a reader.
//!
//! Our own form is the length-prefixed protobuf of the Collector's file exporter (four bytes of length, most significant
//! first, then an `ExportMetricsServiceRequest`) with one extra field in each message: the instant it arrived. Every OTLP
//! reader skips it. A message with that field alone is a tick. Compressed, it is a chain of zstd frames that hold whole messages
//! and a checksum each, so that damage costs one frame.

mod chunk;
mod damage;
mod feed;
mod fields;
mod file;
mod inputs;
mod keeper;
mod own;
mod reader;
mod recognise;
mod writer;
mod zstd_chain;

pub use damage::{Damage, DamageKind, Flaw, Found, OpenError, Part, Place};
pub use inputs::Replayed;
pub use keeper::{Keeper, Keeping};
pub use own::{AT_FIELD, HEAD_FIELD};
pub use reader::{Arrival, Compression, FileInfo, Form, Reader, Source};
pub use writer::{RecordingFormat, WriteError, Writer};

/// The largest body, after decompression.
pub const MESSAGE_LIMIT: usize = 64 << 20;
