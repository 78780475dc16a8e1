//! One life of a process: its minima, and whether a leak is active.
//!
//! A point costs its bucket a comparison; the evaluation is paid once, when the bucket closes. The conditions must hold for a
//! while until a leak begins, and growth must be gone for a while until it ends.

use super::minima::{BUCKET, Minima};
use super::windows::{Figures, Reading, View, WindowEvaluator};
use crate::definition::TrendParameters;
use crate::model::{MS, Nanos};

/// Looks for a leak in one life of a process.
#[derive(Clone, Debug)]
pub struct Detector {
    start: Nanos,
    minima: Minima,
    /// The conditions hold since here, short failures not counted.
    since: Option<Nanos>,
    /// When they held last.
    last: Nanos,
    /// When an active leak had some growth left last.
    last_weak: Nanos,
    leaking: bool,
}

/// What the end of a bucket brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketEvaluation {
    /// Whether a window is covered by points.
    pub covered: bool,
    /// What the windows say, while a leak is active.
    pub reading: Option<Reading>,
    /// Whether a leak begins or ends with it.
    pub change: Option<LeakChange>,
}

/// A leak begins or ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LeakChange {
    /// It begins; the figures are those of the longest window that shows it.
    Begins(Figures),
    /// The growth has ended.
    Ends,
}

impl Detector {
    /// A process that started at a time.
    pub fn new(start: Nanos) -> Self {
        let never = Nanos::MIN / 2;
        Detector { start, minima: Minima::default(), since: None, last: never, last_weak: never, leaking: false }
    }

    /// When the process started.
    pub fn start(&self) -> Nanos {
        self.start
    }

    /// Takes a point in, which must not be older than the last closed bucket.
    #[inline]
    pub fn add(&mut self, time: Nanos, value: f64) {
        self.minima.add(time, value);
    }

    /// Closes the bucket that ends at `at` and evaluates, when it had a point.
    pub fn close(
        &mut self,
        at: Nanos,
        parameters: &TrendParameters,
        windows: &mut WindowEvaluator,
    ) -> Option<BucketEvaluation> {
        if !self.minima.close(at) {
            return None;
        }
        let view = self.view(at, parameters);
        if !self.leaking {
            let check = windows.check(&view);
            if !self.holds(at, check.leak, parameters) {
                return Some(BucketEvaluation { covered: check.covered, reading: None, change: None });
            }
            let reading = windows.evaluate(&self.view(at, parameters));
            self.leaking = true;
            let change = reading.leak.map(LeakChange::Begins);
            return Some(BucketEvaluation { covered: true, reading: Some(reading), change });
        }
        let reading = windows.evaluate(&view);
        let change = self.clears(at, &reading, parameters).then_some(LeakChange::Ends);
        Some(BucketEvaluation { covered: reading.covered.is_some(), reading: Some(reading), change })
    }

    /// What the windows say of the newest bucket that was closed.
    pub fn reading(&self, parameters: &TrendParameters) -> Option<Reading> {
        let at = (self.minima.newest()?.bucket() + 1).saturating_mul(BUCKET);
        Some(WindowEvaluator::default().evaluate(&self.view(at, parameters)))
    }

    fn view<'a>(&'a self, at: Nanos, parameters: &'a TrendParameters) -> View<'a> {
        View { minima: &self.minima, from: self.start.saturating_add(parameters.skip_ms * MS), at, parameters }
    }

    /// Whether the conditions have held for long enough.
    fn holds(&mut self, at: Nanos, leak: bool, parameters: &TrendParameters) -> bool {
        if leak {
            let since = *self.since.get_or_insert(at);
            self.last = at;
            return at - since >= parameters.hold_ms * MS;
        }
        if at - self.last > parameters.tol_ms * MS {
            self.since = None;
        }
        false
    }

    /// Whether growth is gone for long enough.
    fn clears(&mut self, at: Nanos, reading: &Reading, parameters: &TrendParameters) -> bool {
        self.holds(at, reading.leak.is_some(), parameters);
        if reading.weak {
            self.last_weak = at;
        }
        if at - self.last.max(self.last_weak) < parameters.clear_ms * MS {
            return false;
        }
        self.leaking = false;
        true
    }

    /// Whether a leak is active.
    pub fn is_leaking(&self) -> bool {
        self.leaking
    }

    /// Ends the life: an active leak ends with it, and its open buckets are not evaluated.
    pub fn end(&mut self) {
        self.leaking = false;
        self.minima.drop_open();
    }

    /// Its minima.
    pub fn minima(&self) -> &Minima {
        &self.minima
    }
}
