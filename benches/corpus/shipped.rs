//! The shipped rules, read from their folder.

use foreshock::definition::{self, EventDefinition, Settings, Source};
use std::path::Path;

/// The definitions of `rules/python`.
pub fn definitions() -> Vec<EventDefinition> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/python/events");
    let files = std::fs::read_dir(&folder).expect("the shipped rules are there").map(|entry| {
        let path = entry.expect("readable folder").path();
        let text = std::fs::read_to_string(&path).expect("readable rule");
        Source { path: path.to_string_lossy().into_owned(), text }
    });
    let loaded = definition::load(&files.collect::<Vec<_>>(), &Settings::default());
    assert!(!loaded.has_errors() && !loaded.definitions.is_empty(), "the shipped rules load");
    loaded.definitions
}
