//! Thresholds before deployment: what every value would have done on recordings, and which one to propose.
//!
//! Owns the sweep over the engine's observations, labels, the choice of a value, the edit that writes it back, and the
//! comparison of two sets of events. Pure: the caller reads files and feeds the engine.

mod sweep;

pub use sweep::{Question, Spell, Tally, sweep};
