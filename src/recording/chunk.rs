//! A window over a stream of bytes that hands out parts of itself without copying them.
//!
//! Bytes are appended at the end and taken from the start. A part that was taken keeps the buffer it lies in alive; the next
//! bytes then go to another buffer, an old one as soon as nobody holds a part of it any more. So a steady stream of messages
//! allocates nothing per message, and bytes are moved only when a message lies across the end of a buffer: the cost is linear
//! whatever the sizes.

use bytes::{Bytes, BytesMut};

/// Room of a fresh buffer.
pub(super) const ROOM: usize = 256 << 10;
/// A buffer that had to grow beyond this for one message is not kept.
const LARGEST_SPARE: usize = 8 << 20;
/// Old buffers kept for when they are free again.
const SPARES: usize = 4;

/// See the file's head.
pub(super) struct Chunk {
    store: Store,
    start: usize,
    end: usize,
    /// Offset in the stream of the buffer's first byte.
    base: u64,
    spares: Vec<Bytes>,
}

/// The length of either is the room that is initialised, not what is filled.
enum Store {
    Writable(BytesMut),
    Shared(Bytes),
}

impl Store {
    fn bytes(&self) -> &[u8] {
        match self {
            Store::Writable(bytes) => bytes,
            Store::Shared(bytes) => bytes,
        }
    }
}

impl Chunk {
    pub(super) fn new() -> Self {
        Chunk { store: Store::Writable(BytesMut::new()), start: 0, end: 0, base: 0, spares: Vec::new() }
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.store.bytes()[self.start..self.end]
    }

    /// How much is there.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Offset in the stream of the first byte that is there.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Drops bytes from the start.
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n.min(self.len());
    }

    /// Brings back what was consumed since that offset; only as long as no room was asked for.
    pub(super) fn rewind(&mut self, offset: u64) {
        self.start -= self.offset().saturating_sub(offset).min(self.start as u64) as usize;
    }

    /// Takes bytes from the start.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        let n = n.min(self.len());
        let taken = self.start..self.start + n;
        self.start += n;
        if let Store::Writable(bytes) = &mut self.store {
            self.store = Store::Shared(std::mem::take(bytes).freeze());
        }
        match &self.store {
            Store::Shared(bytes) => bytes.slice(taken),
            Store::Writable(_) => Bytes::new(),
        }
    }

    /// Room behind what is there, at least `n` bytes.
    pub(super) fn space(&mut self, n: usize) -> &mut [u8] {
        let free = match &self.store {
            Store::Writable(bytes) => bytes.len() - self.end,
            Store::Shared(_) => 0,
        };
        if free < n.max(1) {
            self.make_room(n.max(1));
        }
        match &mut self.store {
            Store::Writable(bytes) => &mut bytes[self.end..],
            Store::Shared(_) => &mut [],
        }
    }

    /// Says that the first `n` bytes of the room are filled.
    pub(super) fn commit(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.store.bytes().len());
    }

    /// Drops bytes from the end.
    pub(super) fn retract(&mut self, n: usize) {
        self.end -= n.min(self.len());
    }

    fn make_room(&mut self, n: usize) {
        let kept = self.len();
        let needed = kept + n;
        match &mut self.store {
            Store::Writable(bytes) if self.start >= kept && bytes.len() >= needed => {
                bytes.copy_within(self.start..self.end, 0);
            }
            Store::Writable(bytes) => {
                // Doubling keeps the copying linear in what is read.
                let mut larger = BytesMut::zeroed(needed.max(2 * kept).max(ROOM));
                larger[..kept].copy_from_slice(&bytes[self.start..self.end]);
                *bytes = larger;
            }
            Store::Shared(old) => {
                let old = std::mem::take(old);
                let mut fresh = self.fresh(needed);
                fresh[..kept].copy_from_slice(&old[self.start..self.end]);
                if old.len() <= LARGEST_SPARE && self.spares.len() < SPARES {
                    self.spares.push(old);
                }
                self.store = Store::Writable(fresh);
            }
        }
        self.base += self.start as u64;
        self.start = 0;
        self.end = kept;
    }

    /// A buffer with at least that room: an old one that nobody holds a part of, or a new one.
    fn fresh(&mut self, room: usize) -> BytesMut {
        // The largest first: with it, a large message need not be moved when its length is known.
        self.spares.sort_by_key(|spare| std::cmp::Reverse(spare.len()));
        for i in 0..self.spares.len() {
            if self.spares[i].len() < room {
                break;
            }
            match self.spares.remove(i).try_into_mut() {
                Ok(bytes) => return bytes,
                Err(still_held) => self.spares.insert(i, still_held),
            }
        }
        // What is free and too small makes way for the larger one.
        self.spares.retain(|spare| spare.len() >= room || !spare.is_unique());
        BytesMut::zeroed(room.max(ROOM))
    }
}
