//! A window over a stream of bytes that hands out parts of itself without copying them.
//!
//! Bytes are appended at the end and taken from the start. A part that was taken keeps its block alive; a block is used again,
//! as it is, once nobody holds a part of it any more. So a steady stream of messages neither allocates nor clears memory, and
//! the cost is linear whatever the sizes.

use bytes::{Bytes, BytesMut};

/// Capacity that is made at a time.
pub(super) const CAPACITY: usize = 256 << 10;
/// Blocks that are kept until nobody holds a part of them.
const SPARE_BLOCKS: usize = 2;

#[derive(Default)]
pub(super) struct Chunk {
    /// The block that is read into, while nobody else has a part of it. What is there is `[consumed..filled]`; the bytes
    /// behind it are initialised, but not filled.
    own: BytesMut,
    /// The same block once parts of it were taken, else empty: it is not written to any more.
    shared: Bytes,
    consumed: usize,
    filled: usize,
    /// Offset in the stream of the block's first byte.
    base: u64,
    /// Blocks that were handed out before, the oldest first.
    spare: Vec<Bytes>,
}

impl Chunk {
    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        let block = if self.shared.is_empty() { &self.own[..] } else { &self.shared[..] };
        &block[self.consumed..self.filled]
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

    /// Brings back what was consumed since that offset, as far as its block is still the same.
    pub(super) fn rewind(&mut self, offset: u64) {
        self.consumed -= self.offset().saturating_sub(offset).min(self.consumed as u64) as usize;
    }

    /// Takes bytes from the start.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        let part = self.consumed..self.consumed + n.min(self.len());
        self.consumed = part.end;
        if self.shared.is_empty() {
            self.shared = std::mem::take(&mut self.own).freeze();
        }
        self.shared.slice(part)
    }

    /// Space behind what is there, at least `n` bytes.
    pub(super) fn space(&mut self, n: usize) -> &mut [u8] {
        if !self.shared.is_empty() {
            self.move_on(n);
        }
        if self.own.len() - self.filled < n.max(1) {
            // Moving costs no more than what was consumed since the last time.
            if self.consumed >= self.len() {
                self.own.copy_within(self.consumed..self.filled, 0);
                self.rebase();
            }
            let wanted = self.filled + n.max(CAPACITY);
            self.own.resize(wanted.max(self.own.len()), 0);
        }
        &mut self.own[self.filled..]
    }

    /// Goes on in another block, with what is left of the last one.
    fn move_on(&mut self, n: usize) {
        let last = std::mem::take(&mut self.shared);
        let rest = last.slice(self.consumed..self.filled);
        // All blocks have one size as long as messages are small, so that any of them will do.
        let wanted = (rest.len() + n.max(CAPACITY / 2)).max(CAPACITY);
        let free = self.spare.iter().position(|block| block.is_unique() && block.len() >= wanted);
        let unused = free.and_then(|i| self.spare.remove(i).try_into_mut().ok());
        self.own = unused.unwrap_or_else(|| BytesMut::zeroed(wanted));
        self.own[..rest.len()].copy_from_slice(&rest);
        self.rebase();
        drop(rest);
        if self.spare.len() == SPARE_BLOCKS {
            self.spare.remove(0);
        }
        // A large one is not kept for messages that are small again.
        if last.len() <= 2 * CAPACITY {
            self.spare.push(last);
        }
    }

    /// What is there lies at the start of its block now.
    fn rebase(&mut self) {
        self.base += self.consumed as u64;
        self.filled -= self.consumed;
        self.consumed = 0;
    }

    /// Marks the first `n` bytes of the space as filled.
    pub(super) fn commit(&mut self, n: usize) {
        self.filled += n;
    }

    /// Drops bytes from the end.
    pub(super) fn retract(&mut self, n: usize) {
        self.filled -= n.min(self.len());
    }
}
