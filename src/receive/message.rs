//! The one message of a unary gRPC call: five bytes that say how long it is and whether it is compressed, then the bytes.
//!
//! A message that came in one piece, as small ones do, is not put together again. Everything is charged as it arrives and as
//! it is decompressed, and decompression stops at the limit.

use super::budget::Charge;
use super::counters::Transport;
use super::reception::Reception;
use super::refusal::{Reason, Refusal};
use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;
use std::fmt::Display;
use std::io::{self, Read};

/// What stands before a message: a flag and the length.
const PREFIX: usize = 5;
/// Smaller messages are copied, one behind the other: what they came in is larger than they are.
const COPIED: usize = 32 << 10;
/// How much is decompressed before it is looked at what that takes.
const STRETCH: u64 = 64 << 10;
/// The base-two logarithm of the largest room a sender may ask a decompressor to keep: that of the largest message.
const WINDOW: u32 = 26;

/// How a message may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// The names, for whoever sends something else.
    pub(super) const ALL: &'static str = "gzip,zstd,identity";

    /// What the headers of a call say; an error for what is not known.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, String> {
        match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Compression::None),
            Some(b"gzip") => Ok(Compression::Gzip),
            Some(b"zstd") => Ok(Compression::Zstd),
            Some(other) => Err(format!("grpc-encoding {}", String::from_utf8_lossy(other))),
        }
    }
}

/// Reads the message of a call to its end.
pub(super) async fn read<B>(
    reception: &Reception,
    mut body: B,
    compression: Compression,
    charge: &Charge,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let reading = Reading { reception, charge };
    let mut pieces = Pieces::default();
    let mut announced = None;
    let (is_compressed, length) = loop {
        match announced {
            None if pieces.length >= PREFIX => announced = Some(reading.announced(&pieces.prefix())?),
            Some((is_compressed, length)) if pieces.length >= length => break (is_compressed, length),
            _ => match reading.piece(&mut body).await? {
                Some(piece) => pieces.push(piece),
                None => return Err(reading.malformed("the call ended before its message")),
            },
        }
    };
    // The end is waited for, too: a call that is answered before is reset, and some clients see that first.
    if pieces.length > length || (!body.is_end_stream() && reading.piece(&mut body).await?.is_some()) {
        return Err(reading.malformed("there is more than one message in the call"));
    }
    pieces.join();
    let mut message = pieces.first;
    match (is_compressed, compression) {
        (false, _) if length <= COPIED => Ok(reception.copies.copy(&mut message, length)),
        (false, _) => Ok(message),
        (true, Compression::None) => Err(reading.malformed("it is marked as compressed, and grpc-encoding is absent")),
        (true, Compression::Gzip) => reading.inflate(Ok(flate2::read::MultiGzDecoder::new(&message[..]))),
        (true, Compression::Zstd) => reading.inflate(unzstd(&message)),
    }
}

fn unzstd(message: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(message)?;
    decoder.window_log_max(WINDOW)?;
    Ok(decoder)
}

/// Whom to ask and to tell while a message is read.
struct Reading<'a> {
    reception: &'a Reception,
    charge: &'a Charge,
}

impl Reading<'_> {
    fn malformed(&self, message: &str) -> Refusal {
        self.reception.refuse(Transport::Grpc, Reason::Malformed, message)
    }

    fn hold(&self, bytes: usize) -> Result<(), Refusal> {
        if self.charge.grow(bytes) {
            return Ok(());
        }
        Err(self.reception.refuse(Transport::Grpc, Reason::InboxFull, "the inbox is full"))
    }

    /// The next bytes; `None` when there are no more.
    async fn piece<B>(&self, body: &mut B) -> Result<Option<Bytes>, Refusal>
    where
        B: Body<Data = Bytes, Error: Display> + Unpin,
    {
        loop {
            let Some(frame) = body.frame().await else { return Ok(None) };
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) if data.is_empty() => {}
                Ok(Ok(data)) => {
                    self.hold(data.len())?;
                    return Ok(Some(data));
                }
                // Trailers say nothing here.
                Ok(Err(_)) => return Ok(None),
                Err(error) => return Err(self.malformed(&format!("the call cannot be read: {error}"))),
            }
        }
    }

    /// Whether a message is compressed, and its length.
    fn announced(&self, mut prefix: &[u8]) -> Result<(bool, usize), Refusal> {
        let (flag, length) = (prefix.get_u8(), prefix.get_u32() as usize);
        if flag > 1 {
            return Err(self.malformed(&format!("{flag} in place of the mark for compression, 0 or 1")));
        }
        if length > self.reception.limits.message_bytes {
            return Err(self.reception.too_large(Transport::Grpc));
        }
        Ok((flag == 1, length))
    }

    fn inflate(&self, decoder: io::Result<impl Read>) -> Result<Bytes, Refusal> {
        let wrong = |error: io::Error| self.malformed(&format!("the message cannot be decompressed: {error}"));
        let most = self.reception.limits.message_bytes;
        let mut decoder = decoder.map_err(wrong)?;
        let mut message = Vec::new();
        loop {
            match (&mut decoder).take(STRETCH).read_to_end(&mut message).map_err(wrong)? {
                0 => return Ok(Bytes::from(message)),
                _ if message.len() > most => return Err(self.reception.too_large(Transport::Grpc)),
                more => self.hold(more)?,
            }
        }
    }
}

/// What has arrived, in the pieces it came in.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    rest: Vec<Bytes>,
    length: usize,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        if self.first.is_empty() { self.first = piece } else { self.rest.push(piece) }
    }

    /// Puts them together behind each other, unless there is only one.
    fn join(&mut self) {
        if !self.rest.is_empty() {
            let mut whole = Vec::with_capacity(self.length);
            std::iter::once(&self.first).chain(&self.rest).for_each(|piece| whole.extend_from_slice(piece));
            *self = Pieces { first: Bytes::from(whole), rest: Vec::new(), length: self.length };
        }
    }

    /// Takes out the bytes in front.
    fn prefix(&mut self) -> [u8; PREFIX] {
        if self.first.len() < PREFIX {
            self.join();
        }
        let mut prefix = [0; PREFIX];
        self.first.copy_to_slice(&mut prefix);
        self.length -= PREFIX;
        prefix
    }
}
