//! Thresholds before deployment: what every value would have done on recordings, and which one to propose.
//!
//! The way: [`Tuning`] takes the engine's traces ([`Tuning::learn`]), chooses candidates, sweeps them, and gives results; a
//! [`Package`] takes these back into its files. [`compare`] shows what a change of rules changes. Absent on purpose: files, and
//! feeding the engine.

mod choose;
mod diff;
mod label;
mod package;
mod result;
mod study;
mod sweep;
mod tuning;

pub use choose::{Choice, Reason};
pub use diff::{Behaviour, ChangeKind, Compared, Comparison, EventChange, RulesOutcome, compare};
pub use label::{Incident, Label, Unusable, service_of};
pub use package::{Package, PackageError, PackageFile, Writable, number, writable};
pub use result::{Basis, Fleet, ThresholdResult, Tuned};
pub use study::{Candidate, EntityFigures, PeakFigures};
pub use sweep::{NotSwept, Swept, SweptRule, Tracked, swept_rules};
pub use tuning::{BASELINE, PassError, TracedSource, Tuning};
