//! Trends: memory that grows and does not come back, process life by process life.
//!
//! Pure code: floors of buckets of 30 s ([`ring`]), statistics over a few of them ([`statistics`]), the conditions
//! ([`ladder`]), and when a leak is raised and cleared ([`Detector`]). What it finds and misses is told in
//! `docs/leak-detection.md`.

mod aside;
mod detector;
mod forget;
mod judge;
pub mod ladder;
mod life;
pub mod ring;
pub mod statistics;
mod verdict;
mod watch;

pub use detector::{Change, Detector, Evaluation};
pub use verdict::{Evidence, LifeReport, TimeToLimit, TrendVerdict};

pub(in crate::engine) use forget::KEPT_FOR;
pub(in crate::engine) use judge::{Trends, Watcher, watchers};
