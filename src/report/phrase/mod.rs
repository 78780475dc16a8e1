//! Sentences that several formats share, so that they say the same.

pub(super) mod definition;
pub(super) mod diff;
pub(super) mod event;
pub(super) mod losses;
pub(super) mod no_match;
pub(super) mod rule;
pub(super) mod trend;
pub(super) mod tune;
