//! From an incident to a test: the smallest scenario that still gives an event of a recording.

mod draft;
mod search;
mod trace;

pub use search::{Minimized, NotFound, Wanted, minimize};
pub use trace::{TooMany, Trace};
