//! The names of the aggregates; what they compute is `series`' to say.

/// How the points of a window become one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// Mean.
    Avg,
    /// Sum.
    Sum,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Increase per second.
    Rate,
    /// Increase.
    Delta,
    /// Number of points; of histograms the number of observations.
    Count,
    /// Last minus first.
    AbsoluteDiff,
    /// Last minus first, in relation to the size of the first.
    RelativeDiff,
    /// A percentile, as a fraction: 0.95 for `p95`.
    Percentile(f64),
}
