//! Trends: memory that grows and does not come back, one life of a process after the other.
//!
//! The room's face is `trends`: samples in, findings and reports of lives out. Behind it is pure code: minima of buckets of
//! 30 s ([`minima`]), statistics over a few of them ([`statistics`]), the conditions on windows of several lengths
//! ([`windows`]), and when a leak begins and ends ([`Detector`]). `docs/leak-detection.md` says what it finds and misses.

pub(in crate::engine) mod auxiliary;
mod detector;
pub mod minima;
mod process;
mod series;
pub mod statistics;
pub(in crate::engine) mod trends;
mod verdict;
pub mod windows;

pub use detector::{BucketEvaluation, Detector, LeakChange};
pub use verdict::{Evidence, LifeReport, TimeToLimit, TrendVerdict};
