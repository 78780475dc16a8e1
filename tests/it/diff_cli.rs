//! `diff` from outside: two sets of rules, folders or git revisions, on the same recordings.

use super::cli_support::{Folder, gauge, hump, rule};
use serde_json::Value as Json;
use std::process::Command;

const CPU: &str = "metrics.gauges.app/cpu";

/// Old and new rules: one event vanishes, one appears, one moves, one gets another severity, one stays.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("cpu.jsonl", gauge("shop", "cpu", &hump()));
    let old = [
        ("gone", 5, 0.8),
        ("new", 5, 2.0),
        ("moved", 5, 0.8),
        ("graver", 5, 0.8),
        ("same", 5, 0.8),
        ("removed", 5, 0.8),
    ];
    for (name, severity, above) in old {
        folder.write(&format!("old/{name}.json"), rule(name, CPU, severity, above));
    }
    let new = [
        ("gone", 5, 2.0),
        ("new", 5, 0.8),
        ("moved", 5, 0.5),
        ("graver", 10, 0.8),
        ("same", 5, 0.8),
        ("added", 5, 0.8),
    ];
    for (name, severity, above) in new {
        folder.write(&format!("new/{name}.json"), rule(name, CPU, severity, above));
    }
    folder
}

fn json(folder: &Folder, arguments: &str) -> Json {
    let ended = folder.run(&format!("diff {arguments} --format json"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn changes(document: &Json) -> Vec<(String, Vec<String>, u64)> {
    let text = |of: &Json| of.as_str().expect("a text").to_string();
    let definitions = document["definitions"].as_array().expect("a list");
    definitions
        .iter()
        .map(|of| {
            let changes = of["changes"].as_array().expect("a list").iter().map(|change| text(&change["change"]));
            (text(&of["definition"]), changes.collect(), of["unchanged"].as_u64().expect("a number"))
        })
        .collect()
}

#[test]
fn events_appear_vanish_move_and_change_severity() {
    let folder = folder();
    let document = json(&folder, "--old old --new new cpu.jsonl");
    let got = changes(&document);
    let got: Vec<(&str, &str, u64)> = got
        .iter()
        .map(|(name, changes, same)| (name.as_str(), changes.first().map_or("", String::as_str), *same))
        .collect();
    let wanted = [
        ("added", "appears", 0),
        ("gone", "vanishes", 0),
        ("graver", "severity", 0),
        ("moved", "moves", 0),
        ("new", "appears", 0),
        ("removed", "vanishes", 0),
        ("same", "", 1),
    ];
    assert_eq!(got, wanted);
    let moved = &document["definitions"][3];
    assert!(moved["new"]["firing"].as_i64() > moved["old"]["firing"].as_i64());
    assert!(document["definitions"][0]["old"].is_null() && document["definitions"][5]["new"].is_null());
    // What it says of a side is what a replay of it says.
    let replay = folder.run("replay cpu.jsonl --rules old --set moved.conditionValue=0.5 --format json").stdout;
    let replay: Json = serde_json::from_str(&replay).expect("JSON");
    let event = replay["events"].as_array().expect("a list").iter().find(|of| of["foreshock"]["definition"] == "moved");
    assert_eq!(event.expect("an event")["start"], moved["changes"][0]["new"]["start"]);
}

#[test]
fn the_text_and_the_markdown_lead_with_what_differs() {
    let folder = folder();
    let text = folder.run("diff --old old --new new cpu.jsonl").stdout;
    for words in [
        "gone               fired → quiet   1 → 0  ",
        "new       06:02:20 to 06:03:30, warning",
        "severity  06:02:20 to 06:03:30, critical; was 06:02:20 to 06:03:30, warning",
        "added (added)",
        "Events: 2 new, 2 removed, 1 moved, 1 with another severity, 1 unchanged.",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let markdown = folder.run("diff --old old --new new cpu.jsonl --format markdown").stdout;
    assert!(markdown.contains("| gone | fired → quiet | 1 → 0 |"), "{markdown}");
    assert!(markdown.contains("<summary>Unchanged: 1</summary>"), "{markdown}");
    let same = folder.run("diff --old old --new old cpu.jsonl").stdout;
    assert!(same.ends_with("Events: 0 new, 0 removed, 5 unchanged.\n"), "{same}");
}

/// Runs git in the folder; its settings are nobody's.
fn git(folder: &Folder, arguments: &[&str]) {
    let settings = ["-c", "user.email=a@example.org", "-c", "user.name=a", "-c", "commit.gpgsign=false"];
    let output =
        Command::new("git").args(settings).args(arguments).current_dir(folder.path("")).output().expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_side_can_be_a_git_revision() {
    let folder = folder();
    folder.write("pkg/events/busy.json", rule("Busy", CPU, 5, 0.8)).write("pkg/package.json", "{}");
    git(&folder, &["init", "-q", "-b", "main"]);
    git(&folder, &["add", "pkg"]);
    git(&folder, &["commit", "-q", "-m", "rules"]);
    folder.write("pkg/events/busy.json", rule("Busy", CPU, 5, 2.0));
    let document = json(&folder, "--old main:pkg --new pkg cpu.jsonl");
    assert_eq!(changes(&document), [("busy".to_string(), vec!["vanishes".to_string()], 0)]);
    let file = json(&folder, "--old HEAD:pkg/events/busy.json --new pkg cpu.jsonl");
    assert_eq!(changes(&file), changes(&document));
    let says = |arguments: &str, words: &str| {
        let ended = folder.run(&format!("diff {arguments} cpu.jsonl"));
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments}");
        assert!(ended.stderr.contains(words), "{words:?} is not in\n{}", ended.stderr);
    };
    says("--old nowhere:pkg --new pkg", "nowhere:pkg: git says: Not a valid object name nowhere");
    says("--old main:missing --new pkg", "main:missing: there is no such file or folder in that revision");
    let ended = folder.command("diff --old main:pkg --new pkg cpu.jsonl").env("PATH", "").output().expect("it runs");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("git cannot be run") && said.contains("install it, or name a folder"), "{said}");
}

#[test]
fn bad_input_gets_a_sentence_and_its_exit_code() {
    let folder = folder();
    folder.write("empty.jsonl", "").write("other/other.json", rule("Other", "metrics.gauges.app/memory", 5, 1.0));
    let says = |arguments: &str, code: i32, words: &str| {
        let ended = folder.run(&format!("diff {arguments}"));
        assert_eq!(ended.code, code, "{arguments}\n{}{}", ended.stdout, ended.stderr);
        let all = ended.stdout + &ended.stderr;
        assert!(all.contains(words), "{arguments}: {words:?} is not in\n{all}");
    };
    says("--old old cpu.jsonl", 2, "--new");
    says("--old missing --new new cpu.jsonl", 2, "missing");
    says("--old old --new new -", 2, "standard input");
    says("--old old --new new empty.jsonl", 4, "no metrics received");
    says("--old other --new other cpu.jsonl", 4, "no definition could be evaluated");
    says("--old other --new new cpu.jsonl", 0, " new, ");
}
