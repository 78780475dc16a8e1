//! From an incident to a test: the smallest scenario that still gives an event of a recording.
//!
//! Absent on purpose: files. The caller reads the recording, and writes the scenario.

mod past;
mod search;
mod simplify;

pub use past::{EventPast, TooMany};
pub use search::{Minimized, NotFound, Wanted, minimize};
