//! The examples of `docs/scenarios.md` are what they say: every scenario in it passes, and every keyword is told.

use super::cli_support::Folder;
use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a document")
}

/// The blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_string).collect()
}

#[test]
fn every_example_passes() {
    let mut count = 0;
    for (i, block) in ["docs/scenarios.md", "README.md"].iter().flat_map(|name| blocks(&read(name), "yaml")).enumerate()
    {
        let folder = Folder::new();
        let fixtures = format!("{}/fixtures", env!("CARGO_MANIFEST_DIR"));
        folder.write("example.test.yaml", block.replace("fixtures", &fixtures));
        let ended = folder.run("check");
        assert_eq!(ended.code, 0, "example {}:\n{block}\n{}{}", i + 1, ended.stdout, ended.stderr);
        count += 1;
    }
    assert!(count >= 4, "only {count} examples");
}

#[test]
fn the_failure_that_is_shown_is_what_is_printed() {
    let text = read("docs/scenarios.md");
    let folder = Folder::new();
    folder.write("memory.test.yaml", blocks(&text, "yaml")[0].replace("6m50s", "6m40s"));
    assert_eq!(folder.run("check").stdout, blocks(&text, "text")[0]);
}

#[test]
fn every_keyword_is_documented() {
    let text = read("docs/scenarios.md");
    for (file, list) in [("parse", "SCENARIO_KEYS"), ("series", "SERIES_KEYS"), ("parse", "EVENT_KEYS")] {
        let source = read(&format!("src/scenario/{file}.rs"));
        let literal = source.split(&format!("const {list}: &str =")).nth(1).and_then(|rest| rest.split('"').nth(1));
        let keys: Vec<&str> = literal.expect(list).split_whitespace().filter(|word| *word != "\\").collect();
        assert!(keys.len() >= 15, "{list}: only {keys:?}");
        for key in keys.into_iter().filter(|key| *key != "note") {
            assert!(
                text.contains(&format!("`{key}`")) || text.contains(&format!("`{key}:")),
                "{list}: {key} is not documented"
            );
        }
    }
}
