//! Aggregates over windows: of one series, of the columns of a block at once, of several series read as one.
//!
//! Absent on purpose: thresholds, and what follows from a value.

pub(super) mod aggregate;
pub(super) mod block_windows;
pub(super) mod frame;
pub(super) mod histogram;
pub(super) mod running;
pub(super) mod subscription;
pub(super) mod sum;
