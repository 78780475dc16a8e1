//! One process life under watch: its floors, and whether a leak is raised.
//!
//! A point costs its bucket a comparison; the evaluation is paid once, when the bucket closes. The conditions must hold for a
//! while until a leak is raised, and growth must be gone for a while until it is cleared.

use super::ladder::{Figures, Reading, Workbench};
use super::ring::Ring;
use crate::event::TrendParameters;
use crate::model::{MS, Nanos};

/// See the module's own words.
#[derive(Clone, Debug)]
pub struct Detector {
    start: Nanos,
    ring: Ring,
    /// The conditions hold since here, short failures not counted.
    since: Option<Nanos>,
    /// The last instant at which they held.
    last: Nanos,
    /// The last instant of a raised leak with some growth left.
    last_weak: Nanos,
    raised: bool,
}

/// What the end of a bucket brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// What the windows say.
    pub reading: Reading,
    /// Whether a leak is raised or cleared by it.
    pub change: Option<Change>,
}

/// A leak begins or ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Raised; the figures are those of the longest window that shows it.
    Raised(Figures),
    /// Cleared: the growth has ended.
    Cleared,
}

impl Detector {
    /// A process that started at an instant.
    pub fn new(start: Nanos) -> Self {
        let never = Nanos::MIN / 2;
        Detector { start, ring: Ring::default(), since: None, last: never, last_weak: never, raised: false }
    }

    /// When the process started.
    pub fn start(&self) -> Nanos {
        self.start
    }

    /// Takes a point in, which must not be older than the last closed bucket.
    #[inline]
    pub fn add(&mut self, time: Nanos, value: f64) {
        self.ring.add(time, value);
    }

    /// Closes the bucket that ends at `at` and evaluates, when it had a point.
    pub fn close(&mut self, at: Nanos, parameters: &TrendParameters, bench: &mut Workbench) -> Option<Evaluation> {
        if !self.ring.close(at) {
            return None;
        }
        let from = self.start.saturating_add(parameters.skip_ms * MS);
        let reading = bench.evaluate(&self.ring, from, at, parameters);
        Some(Evaluation { reading, change: self.live(at, &reading, parameters) })
    }

    fn live(&mut self, at: Nanos, reading: &Reading, parameters: &TrendParameters) -> Option<Change> {
        if let Some(figures) = reading.leak {
            let since = *self.since.get_or_insert(at);
            self.last = at;
            if self.raised || at - since < parameters.hold_ms * MS {
                return None;
            }
            self.raised = true;
            return Some(Change::Raised(figures));
        }
        if at - self.last > parameters.tol_ms * MS {
            self.since = None;
        }
        if !self.raised {
            return None;
        }
        if reading.weak {
            self.last_weak = at;
        }
        if at - self.last.max(self.last_weak) < parameters.clear_ms * MS {
            return None;
        }
        self.raised = false;
        Some(Change::Cleared)
    }

    /// Whether a leak is raised and not cleared.
    pub fn is_raised(&self) -> bool {
        self.raised
    }

    /// Ends the life: what is raised ends with it, and its open buckets are not evaluated.
    pub fn end(&mut self) {
        self.raised = false;
        self.ring.drop_open();
    }

    /// Its floors.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}
