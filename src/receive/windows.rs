//! The windows of HTTP/2: how much a client may send before anybody has looked at it.
//!
//! What lies in a window is not charged to the inbox yet. Invariant: the windows of all connections together are at most as large
//! as the inbox, apart from the least that HTTP/2 begins with. Each connection gets a share of what is left, so that a few
//! that send large bodies may send them without a pause, and many small ones do not take more memory than was meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// HTTP/2 begins with this for a connection; it is not part of what is shared.
const LEAST: usize = (64 << 10) - 1;
/// More than this does not make anything faster.
const MOST: usize = 16 << 20;
const MOST_OF_STREAM: usize = 4 << 20;
const LEAST_FRAME: usize = 16 << 10;
const MOST_FRAME: usize = 1 << 20;
/// The part of what is left that a connection gets.
const SHARE: usize = 16;

/// What is left.
#[derive(Debug)]
pub(super) struct Windows(AtomicUsize);

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Window {
    left: Arc<Windows>,
    taken: usize,
}

impl Windows {
    /// Windows of so many bytes altogether.
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Windows(AtomicUsize::new(bytes)))
    }

    /// The window of a new connection. One thread accepts them all.
    pub(super) fn take(self: &Arc<Self>) -> Window {
        let taken = (self.0.load(Ordering::Relaxed) / SHARE).min(MOST - LEAST);
        self.0.fetch_sub(taken, Ordering::Relaxed);
        Window { left: Arc::clone(self), taken }
    }
}

impl Window {
    /// Its size.
    pub(super) fn bytes(&self) -> u32 {
        (LEAST + self.taken) as u32
    }

    /// The part of it that one request may take.
    pub(super) fn of_stream(&self) -> u32 {
        self.bytes().min(MOST_OF_STREAM as u32)
    }

    /// The largest frame: a body that comes in one piece need not be put together.
    pub(super) fn frame(&self) -> u32 {
        (self.bytes() / 4).clamp(LEAST_FRAME as u32, MOST_FRAME as u32)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.left.0.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, MOST, Windows};

    #[test]
    fn many_connections_get_no_more_than_there_is_and_give_it_back() {
        let all = 256 << 20;
        let windows = Windows::new(all);
        let first = windows.take();
        assert_eq!(first.bytes() as usize, MOST);
        let more: Vec<_> = (0..10_000).map(|_| windows.take()).collect();
        let beyond = |window: &super::Window| window.bytes() as usize - LEAST;
        let sum: usize = more.iter().chain([&first]).map(beyond).sum();
        assert!(sum <= all && sum > all / 2, "{sum}");
        assert!(more.windows(2).all(|two| two[0].bytes() >= two[1].bytes()));
        drop(more);
        assert_eq!(windows.take().bytes() as usize, MOST.min((all - beyond(&first)) / 16 + LEAST));
    }
}
