//! Evaluate: when rules are evaluated, and what they find.

pub(super) mod evaluation;
pub(super) mod evaluator;
pub(super) mod finding;
mod fleet;
pub(super) mod schedule;
pub(super) mod state;
pub(super) mod tally;
mod threshold;
pub(super) mod trace;
pub mod trend;
