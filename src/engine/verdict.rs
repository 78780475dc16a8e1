//! The verdict over a definition, and why there may be none.

/// The verdict over one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least one event.
    Fired,
    /// No event, and every rule was evaluated at least once.
    Quiet,
    /// It could not be evaluated.
    Inconclusive(InconclusiveReason),
    /// Switched off.
    Disabled,
}

/// Why a definition could not be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InconclusiveReason {
    /// No series matches a rule.
    NoSeries,
    /// No entity matches the query.
    NoEntity,
    /// No window was covered well enough.
    WarmingUp,
    /// Windows were covered, but the aggregate had no value.
    NoValue,
    /// The definition itself has a problem.
    Problem,
    /// A trend: holes between the points kept every window from being covered.
    Gap,
    /// A trend: several processes write the series.
    SeveralWriters,
    /// A trend: the windows were scaled, and a trend cannot be.
    Scaled,
}

impl InconclusiveReason {
    /// All reasons.
    pub const ALL: [InconclusiveReason; 8] = [
        InconclusiveReason::NoSeries,
        InconclusiveReason::NoEntity,
        InconclusiveReason::WarmingUp,
        InconclusiveReason::NoValue,
        InconclusiveReason::Problem,
        InconclusiveReason::Gap,
        InconclusiveReason::SeveralWriters,
        InconclusiveReason::Scaled,
    ];

    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            InconclusiveReason::NoSeries => "no_series",
            InconclusiveReason::NoEntity => "no_entity",
            InconclusiveReason::WarmingUp => "warming_up",
            InconclusiveReason::NoValue => "no_value",
            InconclusiveReason::Problem => "problem",
            InconclusiveReason::Gap => "gap",
            InconclusiveReason::SeveralWriters => "several_writers",
            InconclusiveReason::Scaled => "scaled",
        }
    }
}

impl Verdict {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Fired => "fired",
            Verdict::Quiet => "quiet",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::Disabled => "disabled",
        }
    }
}
