//! The reasons for which a data point is dropped. Only `classify` and `admit` give one.

/// Why a point was dropped, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The flag "no recorded value", or no value at all.
    NoRecordedValue,
    /// Not a finite number (for histograms: sum, min or max).
    NotFinite,
    /// A histogram whose bucket counts do not fit its bounds, or attributes that cannot be read.
    Malformed,
    /// A summary.
    Summary,
    /// No time.
    NoTime,
    /// More than five minutes later than it was received.
    Future,
    /// Older than the longest window that could have used it.
    TooLate,
    /// The series has a point of that time.
    Duplicate,
    /// The series has as many points as are kept.
    TooDense,
    /// Of a new entity, and there are as many as may be.
    TooManyEntities,
    /// Of a new series, and there are as many as may be, of all entities or of its own.
    TooManySeries,
}

impl DropReason {
    /// All reasons in the order of the checks; the limits come last.
    pub const ALL: [DropReason; 11] = [
        DropReason::NoRecordedValue,
        DropReason::NotFinite,
        DropReason::Malformed,
        DropReason::Summary,
        DropReason::NoTime,
        DropReason::Future,
        DropReason::TooLate,
        DropReason::Duplicate,
        DropReason::TooDense,
        DropReason::TooManyEntities,
        DropReason::TooManySeries,
    ];

    /// The name used in documents and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::NoRecordedValue => "no_recorded_value",
            DropReason::NotFinite => "not_finite",
            DropReason::Malformed => "malformed",
            DropReason::Summary => "summary",
            DropReason::NoTime => "no_time",
            DropReason::Future => "future",
            DropReason::TooLate => "too_late",
            DropReason::Duplicate => "duplicate",
            DropReason::TooDense => "too_dense",
            DropReason::TooManyEntities => "too_many_entities",
            DropReason::TooManySeries => "too_many_series",
        }
    }
}
