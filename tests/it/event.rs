//! Event definitions through the public face.

use foreshock::event::{Settings, Source, load};
use std::path::Path;

/// Every `.json` file below a folder, by path.
fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, into: &mut Vec<Source>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                into.push(Source { path: path.to_str().unwrap().to_string(), text });
            }
        }
    }
    let mut into = Vec::new();
    walk(Path::new(folder), &mut into);
    into
}

#[test]
fn reference_files_load() {
    for (folder, count) in [("fixtures/packages", 28), ("fixtures/definitions", 20)] {
        let loaded = load(&sources(folder), &Settings::default());
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        assert_eq!(loaded.definitions.len(), count, "{folder}");
    }
}
