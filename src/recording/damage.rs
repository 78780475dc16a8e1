//! What is wrong with a recording, as data: where, what, and whether it matters.
//!
//! Invariant: nothing a reader leaves out goes without an entry here, or without a count once there are more entries than
//! are kept. A file that cannot be read at all is an [`OpenError`]; everything later is a [`Damage`], so that the rest is
//! still evaluated.

use super::format::MESSAGE_LIMIT;
use crate::otlp::DecodeError;
use std::fmt;
use std::io;

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file gave an error before anything was read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// Its bytes are none of the forms that are known.
    #[error(
        "{file}: not a recording ({found}); tried: own recording, Collector JSON lines, length-prefixed protobuf, zstd \
         (both framings), gzip, one ExportMetricsServiceRequest as protobuf or JSON"
    )]
    Unrecognised {
        /// The file.
        file: String,
        /// What its bytes look like.
        found: LooksLike,
    },
}

/// What the bytes of an unrecognised file look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LooksLike {
    /// JSON of another kind.
    #[error("it is JSON without resourceMetrics")]
    OtherJson,
    /// Traces or logs.
    #[error("it holds traces, logs or profiles, not metrics")]
    OtherSignal,
    /// Starts like JSON, and is not.
    #[error("it starts like JSON, but no line of it can be read")]
    BrokenJson,
    /// Starts like a length-prefixed message, which then cannot be read.
    #[error("it starts like a length prefix, but no message behind it can be read")]
    BrokenMessages,
    /// Anything else.
    #[error("its first bytes are not known")]
    Unknown,
}

/// One thing that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Index of the file, in the order they were opened.
    pub file: usize,
    /// Name of the file.
    pub name: String,
    /// Where.
    pub location: DamageLocation,
    /// What.
    pub what: Flaw,
    /// Whether it matters.
    pub kind: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { name, location, what, .. } = self;
        match self.kind {
            DamageKind::TornTail => write!(f, "{name}: {location}: the recording ends in the middle: {what}"),
            DamageKind::Damage => write!(f, "{name}: {location}: {what}"),
        }
    }
}

/// Whether a damage matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The last entry is incomplete, as after a crash of the writer. Worth a note, no more.
    TornTail,
    /// Something is missing that was once there.
    Damage,
}

/// Where a damage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageLocation {
    /// Offset in the file.
    Byte(u64),
    /// Offset in what came out of the compression.
    Content(u64),
    /// Line, the first one is 1; what a damaged frame took with it is not counted.
    Line(u64),
}

impl fmt::Display for DamageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamageLocation::Byte(n) => write!(f, "byte {n}"),
            DamageLocation::Content(n) => write!(f, "byte {n} of the content"),
            DamageLocation::Line(n) => write!(f, "line {n}"),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A message or line that does not decode.
    #[error("an export that cannot be read ({0}); skipped")]
    Export(DecodeError),
    /// Messages of an own recording without a receive time and a payload: what a crash can leave behind.
    #[error("{0} zero bytes where messages should be; skipped")]
    Zeros(u64),
    /// A length that cannot be.
    #[error("an impossible length of {0} bytes; nothing behind it can be read")]
    Length(u32),
    /// A line that is longer than a message may be.
    #[error("a line of more than {} MiB; skipped", MESSAGE_LIMIT >> 20)]
    LongLine,
    /// A compressed message that is larger than a message may be.
    #[error("a message of more than {} MiB after decompression; skipped", MESSAGE_LIMIT >> 20)]
    LargeMessage,
    /// Bytes that are no zstd frame, or a frame that cannot be decompressed.
    #[error("a damaged zstd frame; reading resumed at the next one")]
    Frame,
    /// A damaged frame, and no good one behind it.
    #[error("a damaged zstd frame, and no readable one behind it")]
    LastFrame,
    /// So much damage that the search for the next good frame was given up.
    #[error("a damaged zstd frame; the search for a good one was given up")]
    SearchGivenUp,
    /// Content behind a damaged frame that does not start with a message.
    #[error("content behind a damaged frame that does not start with a message; skipped to the next frame")]
    Misaligned,
    /// The gzip stream is damaged.
    #[error("a damaged gzip stream; nothing behind it can be read")]
    Gzip,
    /// The file gave an error while it was read.
    #[error("reading failed ({0}); nothing behind it can be read")]
    Io(io::ErrorKind),
    /// The last message, line or frame is incomplete.
    #[error("the last {0} is incomplete")]
    Torn(Part),
}

/// What can be incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    /// A length-prefixed message.
    #[error("message")]
    Message,
    /// A line.
    #[error("line")]
    Line,
    /// A zstd frame.
    #[error("zstd frame")]
    Frame,
    /// A gzip stream.
    #[error("gzip stream")]
    Gzip,
}
