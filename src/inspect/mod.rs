//! What is in a recording, without any rule: services and instances, metrics with kind, unit and attributes, the export
//! interval, the client's release, gaps, resets, several writers, and what would be dropped.
//!
//! Pure: batches in, findings out; `render` gives them a shape. Absent on purpose: judging. `too_late` and `too_dense`
//! depend on the rules, so they are not counted here.

mod client;

pub use client::{Client, Clients};
