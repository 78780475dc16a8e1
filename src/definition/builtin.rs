//! The definitions that are part of the program.

use super::load::Source;

macro_rules! python {
    ($name:literal) => {
        ($name, include_str!(concat!("../../rules/python/events/", $name)))
    };
}

/// File names and texts of the package in `rules/python`.
const PYTHON: [(&str, &str); 8] = [
    python!("excessive-context-switching.json"),
    python!("frequent-garbage-collection.json"),
    python!("high-cpu-utilization.json"),
    python!("high-disk-io.json"),
    python!("high-memory-usage.json"),
    python!("high-network-io.json"),
    python!("high-thread-count.json"),
    python!("memory-leak-detection.json"),
];

/// File names and texts of `rules/local`: rule types that Instana does not have.
const LOCAL: [(&str, &str); 1] = [("memory-leak-trend.json", include_str!("../../rules/local/memory-leak-trend.json"))];

/// What a package has beside its definitions.
const PYTHON_REST: [(&str, &str); 2] = [
    ("package.json", include_str!("../../rules/python/package.json")),
    ("README.md", include_str!("../../rules/python/README.md")),
];

/// All files of an embedded package, by path; nothing when there is none of this name.
pub fn builtin_package(name: &str) -> Vec<Source> {
    let prefix = format!("builtin:{name}/");
    let mut files: Vec<Source> = builtin().into_iter().filter(|source| source.path.starts_with(&prefix)).collect();
    if name == "python" {
        let rest = PYTHON_REST.iter().map(|(file, text)| (format!("{prefix}{file}"), *text));
        files.extend(rest.map(|(path, text)| Source { path, text: text.to_string() }));
    }
    files
}

/// The embedded files, by package and path; a path begins with `builtin:` and the name of its package.
pub fn builtin() -> Vec<Source> {
    let python = PYTHON.iter().map(|(name, text)| (format!("builtin:python/events/{name}"), *text));
    let local = LOCAL.iter().map(|(name, text)| (format!("builtin:local/{name}"), *text));
    python.chain(local).map(|(path, text)| Source { path, text: text.to_string() }).collect()
}
