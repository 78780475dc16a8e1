//! The edge cases of `fixtures/oracle/cases`: both the engine and the naive oracle must give the stored documents.

use crate::oracle::definition::Definition;
use crate::oracle::{document, json, judge};
use crate::oracle_engine::{Step, run};
use foreshock::definition::{self, EventDefinition};
use foreshock::engine::{Counters, Options, SeriesMode};
use foreshock::otlp::Encoding;
use std::fs;
use std::path::{Path, PathBuf};

struct Case {
    name: String,
    /// Name and text of each definition, sorted by name.
    definitions: Vec<(String, String)>,
    options: Options,
    input: String,
    expected: document::Document,
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oracle/cases");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&root).expect("the cases").map(|e| e.expect("an entry").path()).collect();
    folders.sort();
    folders.iter().map(|folder| case(folder)).collect()
}

fn case(folder: &Path) -> Case {
    let events = fs::read_dir(folder.join("events")).expect("events").map(|e| e.expect("an entry").path());
    let mut definitions: Vec<(String, String)> =
        events.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(path))).collect();
    definitions.sort();
    let mut options = Options::default();
    if let Ok(text) = fs::read_to_string(folder.join("options.txt")) {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["--counters", "increase"] => options.counters = Counters::Increase,
            ["--series", "merge"] => options.series = SeriesMode::Merge,
            other => panic!("options {other:?}"),
        }
    }
    let expected = serde_json::from_str(&read(folder.join("expected.json"))).expect("expected.json is JSON");
    Case {
        name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
        definitions,
        options,
        input: read(folder.join("input.jsonl")),
        expected: document::of_json(&expected),
    }
}

#[test]
fn the_naive_oracle_agrees() {
    let mut wrong = Vec::new();
    for case in cases() {
        let definitions: Vec<Definition> = case
            .definitions
            .iter()
            .map(|(name, text)| Definition::read(name, &serde_json::from_str(text).expect("a definition is JSON")))
            .collect();
        let got = judge(&definitions, &case.options, &json::arrivals(&case.input));
        wrong.extend(document::differences(&case.expected, &got).into_iter().map(|d| format!("{}: {d}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engine_agrees() {
    let mut wrong = Vec::new();
    for case in cases() {
        let definitions: Vec<EventDefinition> = case
            .definitions
            .iter()
            .flat_map(|(name, text)| definition::parse(&format!("{name}.json"), text).0)
            .collect();
        let steps: Vec<Step> = case
            .input
            .lines()
            .zip(json::arrivals(&case.input))
            .map(|(line, arrival)| Step { at: arrival.at, body: Some(line.as_bytes().to_vec()) })
            .collect();
        let (_, report) = run(definitions.clone(), &case.options, Encoding::Json, &steps);
        let got = document::of_report(&definitions, &report);
        wrong.extend(document::differences(&case.expected, &got).into_iter().map(|d| format!("{}: {d}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
