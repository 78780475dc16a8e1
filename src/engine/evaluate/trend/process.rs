//! One life of a process: the detector, and what it takes to say afterwards why there was no leak.

use super::detector::{BucketEvaluation, Detector, LeakChange};
use super::minima::{BUCKET, BucketMinimum, KEPT, bucket_of};
use super::statistics::median;
use super::windows::{Figures, Reading, WindowEvaluator};
use crate::definition::TrendParameters;
use crate::engine::verdict::InconclusiveReason;
use crate::model::{MINUTE, MS, Nanos};

/// Leaks of a life whose beginning is kept.
const MOST_LEAKS: usize = 32;

/// Values of the first minute that are kept, until their median is known.
const MOST_EARLY: usize = 64;

/// One life of a process whose memory a series reports.
#[derive(Clone, Debug)]
pub(super) struct ProcessLife {
    /// The start time of its points; 0 when they have none.
    pub key: Nanos,
    pub detector: Detector,
    /// A younger life of the series has begun, and no point of this one came since.
    pub ended: bool,
    pub leaks_began: Vec<Nanos>,
    /// What the windows said when the first leak began.
    pub first_leak: Option<LifeFigures>,
    /// The first minimum that counts, and the newest bucket that was closed.
    first: Option<BucketMinimum>,
    newest: i64,
    /// Covered windows without a break longer than the detector bears: since when and until when.
    covered: Option<(Nanos, Nanos)>,
    /// Whether that was ever long enough for a leak to begin.
    pub is_conclusive: bool,
    early: Early,
}

/// What the windows say of a life, in short.
#[derive(Clone, Copy, Debug)]
pub(super) struct LifeFigures {
    pub figures: Figures,
    pub smallest: f64,
}

impl LifeFigures {
    fn of(reading: &Reading) -> Option<LifeFigures> {
        let figures = reading.leak.or(reading.covered)?;
        Some(LifeFigures { figures, smallest: reading.smallest })
    }
}

/// What a life without a start time looks like when it begins: a process that has restarted is as small again.
#[derive(Clone, Debug, Default)]
struct Early {
    values: Vec<f64>,
    median: f64,
    previous: f64,
}

impl ProcessLife {
    /// A life whose points have this start time; without one it starts at its first point.
    pub fn new(key: Nanos, first: Nanos) -> Self {
        ProcessLife {
            key,
            detector: Detector::new(if key == 0 { first } else { key }),
            ended: false,
            leaks_began: Vec::new(),
            first_leak: None,
            first: None,
            newest: bucket_of(first),
            covered: None,
            is_conclusive: false,
            early: Early::default(),
        }
    }

    /// Whether a value begins a new life: it falls by 30 % at least in one step, to about what the first minute had.
    pub fn is_over_with(&self, value: f64) -> bool {
        let Early { median, previous, .. } = self.early;
        previous > 0.0 && value <= 0.7 * previous && value <= 1.2 * median
    }

    /// Takes a point in.
    pub fn add(&mut self, time: Nanos, value: f64) {
        self.detector.add(time, value);
        if self.key != 0 {
            return;
        }
        let early = &mut self.early;
        early.previous = value;
        if time < self.detector.start().saturating_add(MINUTE) {
            if early.values.len() < MOST_EARLY {
                early.values.push(value);
                early.median = median(&mut early.values.clone());
            }
        } else if !early.values.is_empty() {
            early.values = Vec::new();
        }
    }

    /// Whether a point of this time comes so late that nothing of the life is left to compare with.
    pub fn is_evicted_by(&self, time: Nanos) -> bool {
        let newest = self.detector.minima().newest_bucket().unwrap_or(self.newest);
        bucket_of(time) - newest > KEPT as i64
    }

    /// Closes the bucket that ends at `at`, when it had a point.
    pub fn close(
        &mut self,
        at: Nanos,
        parameters: &TrendParameters,
        windows: &mut WindowEvaluator,
    ) -> Option<BucketEvaluation> {
        let evaluation = self.detector.close(at, parameters, windows)?;
        let newest = *self.detector.minima().newest()?;
        self.newest = newest.bucket();
        let from = self.detector.start().saturating_add(parameters.skip_ms * MS);
        if self.first.is_none() && newest.bucket() * BUCKET >= from {
            self.first = Some(newest);
        }
        if matches!(evaluation.change, Some(LeakChange::Begins(_))) {
            self.first_leak = self.first_leak.or(evaluation.reading.as_ref().and_then(LifeFigures::of));
            if self.leaks_began.len() < MOST_LEAKS {
                self.leaks_began.push(at);
            }
        }
        if evaluation.covered {
            self.note_coverage(at, parameters);
        }
        Some(evaluation)
    }

    /// What the windows say while a leak is active; the beginning of the first one stands in when no window is covered at the
    /// moment.
    pub fn figures_now(&self, evaluation: &BucketEvaluation) -> Option<LifeFigures> {
        evaluation.reading.as_ref().and_then(LifeFigures::of).or(self.first_leak)
    }

    /// What the windows said in the end: when the first leak began, else of the newest bucket.
    pub fn figures_at_end(&self, parameters: &TrendParameters) -> Option<LifeFigures> {
        self.first_leak.or_else(|| LifeFigures::of(&self.detector.reading(parameters)?))
    }

    fn note_coverage(&mut self, at: Nanos, parameters: &TrendParameters) {
        let since = match self.covered {
            Some((since, last)) if at - last <= parameters.tol_ms * MS + BUCKET => since,
            _ => at,
        };
        self.covered = Some((since, at));
        self.is_conclusive |= at - since >= parameters.hold_ms * MS;
    }

    /// How much the newest minimum is above the first one that counted.
    pub fn grown(&self) -> f64 {
        match (self.first, self.detector.minima().newest()) {
            (Some(first), Some(newest)) => newest.value - first.value,
            _ => 0.0,
        }
    }

    /// From the first bucket that counts to the end of the newest one.
    pub fn seen(&self) -> Nanos {
        self.first.map_or(0, |first| (self.newest - first.bucket() + 1) * BUCKET)
    }

    /// The end of its newest bucket.
    pub fn newest_end(&self) -> Nanos {
        (self.detector.minima().newest_bucket().unwrap_or(self.newest) + 1).saturating_mul(BUCKET)
    }

    /// Why no leak could have begun: it was too short, or there were holes between its points.
    pub fn reason(&self, parameters: &TrendParameters) -> InconclusiveReason {
        let mut spacings: Vec<i64> = Vec::new();
        let mut later = None;
        for minimum in self.detector.minima().newest_first() {
            if let Some(later) = later.replace(minimum.bucket()) {
                spacings.push(later - minimum.bucket());
            }
        }
        spacings.sort_unstable();
        let (Some(&widest), Some(&usual)) = (spacings.last(), spacings.get(spacings.len().saturating_sub(1) / 2))
        else {
            return InconclusiveReason::WarmingUp;
        };
        // What a life without holes would have needed at this spacing.
        let enough = parameters.ladder.iter().filter_map(|window| {
            let buckets = window.window_ms * MS / BUCKET;
            let apart = (buckets as f64 / window.points as f64).ceil().max(usual as f64);
            let fits = buckets as f64 / apart >= parameters.nmin as f64;
            fits.then_some((parameters.cover * window.window_ms as f64) as i64 * MS + parameters.hold_ms * MS)
        });
        match enough.min() {
            None => InconclusiveReason::Gap,
            Some(needed) if self.seen() >= needed && widest > (2 * usual).max(2) => InconclusiveReason::Gap,
            Some(_) => InconclusiveReason::WarmingUp,
        }
    }
}
