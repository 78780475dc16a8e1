//! Thresholds before deployment: what every value would have done on recordings, and which one to propose.
//!
//! Owns the sweep over the engine's observations, labels, the choice of a value, the edit that writes it back, and the
//! comparison of two sets of events. Pure: the caller reads files and feeds the engine.

mod choose;
mod compare;
mod edit;
mod incident;
mod round;
mod sketch;
mod sweep;
mod tuned;
mod tuning;

pub use choose::{Choice, Reason};
pub use compare::{Behaviour, Change, ChangeKind, Compared, Comparison, Side, compare};
pub use edit::{Edit, EditError, edit, number, raise_version};
pub use incident::{Incident, service_of};
pub use sweep::{Question, Spell, Tally, sweep};
pub use tuned::{Answer, Basis, Fleet, Tuned};
pub use tuning::{BASELINE, EntityFigures, NotSwept, Outcome, PeakFigures, Tuning, Unusable, questions};
