//! What is said of a process life: leak, no leak, or why that cannot be told, with the figures behind it. Data only.

use super::windows::Figures;
use crate::engine::ingest::entity::SeriesLabel;
use crate::engine::verdict::InconclusiveReason;
use crate::model::Nanos;

/// The evidence of one life at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// When the life began: the start time of its points, or its first point.
    pub start: Nanos,
    /// What the window says: the longest that shows a leak, or else the longest that is covered.
    pub figures: Figures,
    /// The smallest steady growth, in bytes a second, that one of the covered windows would have shown over its noise.
    pub smallest: f64,
    /// The newest minimum less the first one that counted.
    pub grown: f64,
    /// Full garbage collections in the window; `None` when the process does not report them.
    pub collections: Option<u64>,
    /// How much memory there is, when the rule knows.
    pub limit: Option<f64>,
    /// Points of the series that came after their bucket had closed.
    pub ignored: u64,
}

/// Seconds until a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeToLimit {
    /// With the slope.
    pub expected: f64,
    /// With the upper limit of the slope.
    pub earliest: f64,
    /// With the lower limit of the slope; `None` when that does not rise.
    pub latest: Option<f64>,
}

impl Evidence {
    /// Growth over the window in relation to its level.
    pub fn share(&self) -> f64 {
        if self.figures.level > 0.0 { self.figures.growth() / self.figures.level } else { 0.0 }
    }

    /// When the limit is reached, if memory goes on growing like this. `None` without a limit or without growth.
    pub fn time_to_limit(&self) -> Option<TimeToLimit> {
        let left = (self.limit? - self.figures.last).max(0.0);
        let Figures { slope, low, high, .. } = self.figures;
        let after = |slope: f64| (slope > 0.0).then(|| left / slope);
        Some(TimeToLimit { expected: after(slope)?, earliest: after(high)?, latest: after(low) })
    }
}

/// What is said of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrendVerdict {
    /// There was a leak.
    Leak,
    /// A leak would have been found, if there had been one of the smallest size shown.
    NoLeak,
    /// It cannot be told.
    Inconclusive(InconclusiveReason),
}

impl TrendVerdict {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            TrendVerdict::Leak => "leak",
            TrendVerdict::NoLeak => "no_leak",
            TrendVerdict::Inconclusive(_) => "inconclusive",
        }
    }
}

/// What became of one life of one series.
#[derive(Clone, Debug)]
pub struct LifeReport {
    /// Index of the rule.
    pub rule: usize,
    /// The series.
    pub series: SeriesLabel,
    /// When the life began.
    pub start: Nanos,
    /// How long it was seen: from the first bucket that counts to the end of the last one.
    pub seen: Nanos,
    /// The verdict.
    pub verdict: TrendVerdict,
    /// When leaks began; the first ones when there are many.
    pub leaks_began: Vec<Nanos>,
    /// The evidence: of the beginning of the first leak, else the newest there is.
    pub evidence: Option<Evidence>,
    /// Points of the series that came after their bucket had closed.
    pub ignored: u64,
}
