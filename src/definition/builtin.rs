//! The definitions that are part of the program.

use super::load::Source;

/// The path and the text of a file in `rules`; the path begins with `builtin:` and the name of its package.
macro_rules! embedded {
    ($path:literal) => {
        (concat!("builtin:", $path), include_str!(concat!("../../rules/", $path)))
    };
}

/// The definitions; those of `local` have rule types that Instana does not have.
const DEFINITIONS: [(&str, &str); 9] = [
    embedded!("python/events/excessive-context-switching.json"),
    embedded!("python/events/frequent-garbage-collection.json"),
    embedded!("python/events/high-cpu-utilization.json"),
    embedded!("python/events/high-disk-io.json"),
    embedded!("python/events/high-memory-usage.json"),
    embedded!("python/events/high-network-io.json"),
    embedded!("python/events/high-thread-count.json"),
    embedded!("python/events/memory-leak-detection.json"),
    embedded!("local/memory-leak-trend.json"),
];

/// What a package has beside its definitions.
const BESIDE: [(&str, &str); 2] = [embedded!("python/package.json"), embedded!("python/README.md")];

fn source((path, text): &(&str, &str)) -> Source {
    Source { path: path.to_string(), text: text.to_string() }
}

/// All files of an embedded package, by path; nothing when there is none of this name.
pub fn builtin_package(name: &str) -> Vec<Source> {
    let prefix = format!("builtin:{name}/");
    DEFINITIONS.iter().chain(&BESIDE).filter(|(path, _)| path.starts_with(&prefix)).map(source).collect()
}

/// The embedded definitions, by package and path.
pub fn builtin() -> Vec<Source> {
    DEFINITIONS.iter().map(source).collect()
}
