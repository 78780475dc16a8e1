//! Small bodies, copied one behind the other into pieces of memory that they share.
//!
//! A body is allocated by one thread and given back by another; a piece for each would make the two wait for each other in the
//! allocator. A piece is given back with the last of its bodies, so at most one of them is held for the bodies that wait no more.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::sync::{Mutex, PoisonError};

/// The bytes of a piece.
const PIECE: usize = 256 << 10;

/// See the file's head.
#[derive(Default)]
pub(super) struct Copies(Mutex<BytesMut>);

impl Copies {
    /// Copies so many bytes.
    pub(super) fn copy(&self, from: &mut impl Buf, length: usize) -> Bytes {
        let mut piece = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.capacity() < length {
            *piece = BytesMut::with_capacity(PIECE.max(length));
        }
        piece.put(from.take(length));
        piece.split().freeze()
    }
}
