//! What is counted, for `/metrics` and for the lines on standard error.

use super::refusal::Reason;
use crate::engine::{Counts, DropReason};
use crate::model::Nanos;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The two ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Grpc,
    Http,
}

impl Transport {
    pub(super) const ALL: [Transport; 2] = [Transport::Grpc, Transport::Http];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

/// Why a connection was closed from this side, without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hangup {
    TooMany,
    Silent,
}

impl Hangup {
    pub(super) const ALL: [Hangup; 2] = [Hangup::TooMany, Hangup::Silent];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Hangup::TooMany => "too_many",
            Hangup::Silent => "silent",
        }
    }

    pub(super) fn remedy(self) -> &'static str {
        match self {
            Hangup::TooMany => "raise --max-connections",
            Hangup::Silent => "something connects and sends no request; raise --header-timeout when it is only slow",
        }
    }
}

/// What the engine made of what it was given.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Points, series, entities, dropped points.
    pub counts: Counts,
    /// Events that were opened.
    pub opened: u64,
    /// Events that were closed.
    pub closed: u64,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Accepted requests with points that will be dropped.
    pub(super) partial: [AtomicU64; Transport::ALL.len()],
    /// Accepted requests without such points.
    pub(super) accepted: [AtomicU64; Transport::ALL.len()],
    pub(super) refused: [[AtomicU64; Reason::ALL.len()]; Transport::ALL.len()],
    pub(super) points: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) connections: [AtomicU64; Transport::ALL.len()],
    pub(super) hangups: [AtomicU64; Hangup::ALL.len()],
    /// From an instant of the grid until it was judged, the last time there was one.
    pub(super) lag: AtomicI64,
    judged: Mutex<Judged>,
}

impl Counters {
    /// Takes over what the engine says.
    pub(super) fn publish(&self, counts: &Counts, opened: u64, closed: u64) {
        let mut judged = self.judged();
        judged.counts.clone_from(counts);
        judged.opened += opened;
        judged.closed += closed;
    }

    /// What the engine said last.
    pub(super) fn judged(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dropped points so far, by reason.
    pub(super) fn dropped(&self) -> [u64; DropReason::ALL.len()] {
        self.judged().counts.dropped
    }

    pub(super) fn set_lag(&self, lag: Nanos) {
        self.lag.store(lag, Ordering::Relaxed);
    }
}

/// Counts one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How many were counted.
pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
