//! The forms and compressions of recordings, and the largest message of any.

/// The largest payload, after decompression.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// The forms a file that is read may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// No content.
    Empty,
    /// Our own.
    Own,
    /// Length-prefixed protobuf.
    Protobuf,
    /// One JSON object a line.
    JsonLines,
    /// Length-prefixed zstd frames, each with one payload.
    ZstdMessages,
    /// One payload.
    Single,
}

impl FileFormat {
    /// The form in words.
    pub fn as_str(self) -> &'static str {
        match self {
            FileFormat::Empty => "empty",
            FileFormat::Own => "own recording",
            FileFormat::Protobuf => "length-prefixed protobuf",
            FileFormat::JsonLines => "JSON lines",
            FileFormat::ZstdMessages => "length-prefixed zstd frames",
            FileFormat::Single => "one request",
        }
    }
}

/// The forms that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFormat {
    /// Our own: keeps the receive times.
    Own,
    /// Length-prefixed protobuf. It has no place for receive times: a reader derives them from the points.
    Protobuf,
    /// One JSON object a line. It has no place for receive times either.
    JsonLines,
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
