//! Samples kept: the blocks of number series, and histogram series.
//!
//! Absent on purpose: who a series is, and what a window over its points gives.

pub(super) mod block;
pub(super) mod histograms;
pub(super) mod sample_store;
pub(super) mod table;
pub(super) mod times;
