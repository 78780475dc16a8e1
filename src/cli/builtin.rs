//! The rules that are part of the program.

use crate::event::Source;

macro_rules! event {
    ($path:literal) => {
        Source {
            path: concat!("builtin:", $path).to_string(),
            text: include_str!(concat!("../../rules/", $path)).to_string(),
        }
    };
}

/// The events for Python applications, in the order of their names.
pub(super) fn python() -> Vec<Source> {
    vec![
        event!("python/events/excessive-context-switching.json"),
        event!("python/events/frequent-garbage-collection.json"),
        event!("python/events/high-cpu-utilization.json"),
        event!("python/events/high-disk-io.json"),
        event!("python/events/high-memory-usage.json"),
        event!("python/events/high-network-io.json"),
        event!("python/events/high-thread-count.json"),
        event!("python/events/memory-leak-detection.json"),
    ]
}
