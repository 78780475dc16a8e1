//! Evaluate: when rules are evaluated, and what they find.

pub(super) mod judge;
pub(super) mod presence;
pub(super) mod selection;
pub(super) mod trace;
pub mod trend;
