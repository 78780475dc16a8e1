//! Choices the semantics leave open; the default of each is documented in `docs/semantics.md`.

use crate::model::Nanos;

/// How the engine reads samples, evaluates windows and keeps series.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Replaces the step of every definition's schedule.
    pub step: Option<Nanos>,
    /// Which time a point has.
    pub timestamps: Timestamps,
    /// What an id without a suffix means on an entity with several series.
    pub series: SeriesMode,
    /// How the values of monotonic sums are read.
    pub counters: Counters,
    /// Fraction of a window that must be covered by points.
    pub min_coverage: f64,
    /// At most this many points are kept of a series; more are dropped as `too_dense`.
    pub max_points_per_series: usize,
    /// The windows of the rules were made shorter for a short run. A trend cannot be scaled: its rules are inconclusive.
    pub scaled_windows: bool,
    /// What is kept, and how long.
    pub retention: Retention,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            step: None,
            timestamps: Timestamps::Event,
            series: SeriesMode::Each,
            counters: Counters::Raw,
            min_coverage: 0.9,
            max_points_per_series: 8192,
            scaled_windows: false,
            retention: Retention::default(),
        }
    }
}

/// What the engine keeps, and how long. By default everything: a recording ends, a service does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// After how long without a point a series is evicted, and an entity with its last series. Never before no window could
    /// hold a point, and no presence rule or open event be about it.
    pub forget_after: Option<Nanos>,
    /// Most series.
    pub series: u64,
    /// Most series of an entity.
    pub series_of_entity: u64,
    /// Most entities.
    pub entities: u64,
    /// Whether closed events stay for the report.
    pub closed_events: bool,
}

impl Default for Retention {
    fn default() -> Self {
        let unlimited = u64::MAX;
        Retention {
            forget_after: None,
            series: unlimited,
            series_of_entity: unlimited,
            entities: unlimited,
            closed_events: true,
        }
    }
}

/// Which time a point has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// Its own.
    Event,
    /// When it was received.
    Arrival,
}

impl Timestamps {
    /// The word used in options, scenarios and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Timestamps::Event => "event",
            Timestamps::Arrival => "arrival",
        }
    }
}

/// What an id without a suffix means on an entity with several series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesMode {
    /// Each series is evaluated on its own.
    Each,
    /// The series of an entity are merged into one.
    Merge,
}

impl SeriesMode {
    /// The word used in options, scenarios and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            SeriesMode::Each => "each",
            SeriesMode::Merge => "merge",
        }
    }
}

/// How the values of monotonic sums are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// As they were sent.
    Raw,
    /// As the increase since the previous point.
    Increase,
}

impl Counters {
    /// The word used in options, scenarios and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Counters::Raw => "raw",
            Counters::Increase => "increase",
        }
    }
}
