//! The bytes that are held between a socket and the engine, and who holds them.
//!
//! Invariant: what is charged is given back when the charge is dropped, whatever became of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes may be held at a time.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// What one request holds.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

/// What a body holds after its request was answered.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Budget { limit, used: AtomicUsize::new(0) })
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A charge of nothing yet.
    pub(super) fn open(self: &Arc<Self>) -> Arc<Charge> {
        Arc::new(Charge { budget: Arc::clone(self), held: AtomicUsize::new(0) })
    }
}

impl Charge {
    /// Holds so many bytes more, if there is room.
    #[must_use]
    pub(super) fn grow(&self, bytes: usize) -> bool {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.limit {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Holds so many bytes in all, if there is room. One request at a time resizes its charge.
    #[must_use]
    pub(super) fn resize(&self, bytes: usize) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        if bytes > held {
            return self.grow(bytes - held);
        }
        self.held.fetch_sub(held - bytes, Ordering::Relaxed);
        self.budget.used.fetch_sub(held - bytes, Ordering::Relaxed);
        true
    }
}

impl Charge {
    /// What is held, for somebody who keeps it longer than the request lives. The request holds nothing any more.
    pub(super) fn hand_over(&self) -> Held {
        Held { budget: Arc::clone(&self.budget), bytes: self.held.swap(0, Ordering::Relaxed) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}
