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

impl Aggregation {
    /// The name, as rules write it.
    pub fn name(self) -> String {
        match self {
            Aggregation::Avg => "avg".into(),
            Aggregation::Sum => "sum".into(),
            Aggregation::Min => "min".into(),
            Aggregation::Max => "max".into(),
            Aggregation::Rate => "rate".into(),
            Aggregation::Delta => "delta".into(),
            Aggregation::Count => "count".into(),
            Aggregation::AbsoluteDiff => "absolute_diff".into(),
            Aggregation::RelativeDiff => "relative_diff".into(),
            Aggregation::Percentile(q) => format!("p{}", (q * 100.0).round()),
        }
    }
}
