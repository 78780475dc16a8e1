//! A window over a stream of bytes that hands out parts of itself without copying them.
//!
//! Bytes are appended at the end and taken from the start. A part that was taken keeps its buffer alive; [`BytesMut`] uses
//! the buffer again as soon as nobody holds a part of it any more, so a steady stream of messages allocates nothing per
//! message, and the cost is linear whatever the sizes.

use bytes::{Buf, Bytes, BytesMut};

/// Capacity that is made at a time.
pub(super) const CAPACITY: usize = 256 << 10;

#[derive(Default)]
pub(super) struct Chunk {
    /// What is there is `[consumed..filled]`; the bytes behind it are initialised, but not filled.
    buffer: BytesMut,
    consumed: usize,
    filled: usize,
    /// Offset in the stream of the buffer's first byte.
    base: u64,
}

impl Chunk {
    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.consumed..self.filled]
    }

    /// How much is there.
    pub(super) fn len(&self) -> usize {
        self.filled - self.consumed
    }

    /// Offset in the stream of the first byte that is there.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.consumed as u64
    }

    /// Drops bytes from the start.
    pub(super) fn consume(&mut self, n: usize) {
        self.consumed += n.min(self.len());
    }

    /// Brings back what was consumed since that offset, as far as its buffer is still the same.
    pub(super) fn rewind(&mut self, offset: u64) {
        self.consumed -= self.offset().saturating_sub(offset).min(self.consumed as u64) as usize;
    }

    /// Takes bytes from the start.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        let n = n.min(self.len());
        self.release();
        self.filled -= n;
        self.base += n as u64;
        self.buffer.split_to(n).freeze()
    }

    /// Space behind what is there, at least `n` bytes.
    pub(super) fn space(&mut self, n: usize) -> &mut [u8] {
        if self.buffer.len() - self.filled < n.max(1) {
            self.release();
            self.buffer.truncate(self.filled);
            self.buffer.reserve(n.max(CAPACITY));
            self.buffer.resize(self.filled + n.max(CAPACITY), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// Marks the first `n` bytes of the space as filled.
    pub(super) fn commit(&mut self, n: usize) {
        self.filled += n;
        debug_assert!(self.filled <= self.buffer.len());
    }

    /// Drops bytes from the end.
    pub(super) fn retract(&mut self, n: usize) {
        self.filled -= n.min(self.len());
    }

    fn release(&mut self) {
        self.buffer.advance(self.consumed);
        self.base += self.consumed as u64;
        self.filled -= self.consumed;
        self.consumed = 0;
    }
}
