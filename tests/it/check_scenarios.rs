//! Runs every scenario below `tests/scenarios`.

use foreshock::definition::{self, EventDefinition, Problem, Settings, Source};
use foreshock::gate::{RuleSource, run_all};
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The built-in rules of one package.
fn rules(name: &str) -> Result<Vec<EventDefinition>, Vec<Problem>> {
    let inside = format!("{name}/");
    let sources: Vec<Source> = definition::builtin().into_iter().filter(|s| s.path.starts_with(&inside)).collect();
    assert!(!sources.is_empty(), "no rules are called {name}");
    let loaded = definition::load(&sources, &Settings::default());
    if loaded.has_errors() { Err(loaded.problems) } else { Ok(loaded.definitions) }
}

/// Names and texts of the files in a folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_name().expect("a name").to_string_lossy().into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn scenarios() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in files(&Path::new(ROOT).join("tests/scenarios")) {
        let source: RuleSource<'_> = &rules;
        let (outcomes, problems) = run_all(&name, &text, source);
        for problem in problems {
            let at = problem.position.map(|p| format!(":{}:{}", p.line, p.column)).unwrap_or_default();
            wrong.push(format!("{name}{at}: {}: {}", problem.path, problem.message));
        }
        count += outcomes.len();
        for outcome in &outcomes {
            for failure in &outcome.failures {
                wrong.push(format!("{name}:{}: {}: {}", failure.position.line, outcome.scenario, failure.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} scenarios were found");
}
