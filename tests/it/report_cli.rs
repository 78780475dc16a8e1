//! Reports of `replay` as a user gets them: files beside the answer, formats of the answer, the job summary.

use super::cli_support::{Folder, busy_and_calm, gauge, hump, rule};
use serde_json::Value as Json;
use std::fs;

fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("alerts/cpu.jsonl", gauge("shop", "cpu", &hump()))
        .write("alerts/rules/busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 10, 0.8))
        .write("alerts/rules/calm.json", rule("Calm shop", "metrics.gauges.app/cpu", 5, 2.0))
        .write("alerts/rules/memory.json", rule("Memory", "metrics.gauges.app/memory", 5, 2.0))
        .write(".git/HEAD", "");
    folder
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).expect("a report")
}

const REPLAY: &str = "replay alerts/cpu.jsonl --rules alerts/rules";

#[test]
fn reports_stand_beside_the_answer() {
    let folder = folder();
    let ended = folder.run(&format!("{REPLAY} --fail-on critical --junit junit.xml --sarif log.sarif --format json"));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stdout.starts_with("{\n  \"schemaVersion\": 1"));
    let junit = read(&folder, "junit.xml");
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let of = |name: &str| {
        let mut cases = document.descendants().filter(|node| node.tag_name().name() == "testcase");
        cases.find(|case| case.attribute("name") == Some(name)).expect("the case")
    };
    assert_eq!(of("busy").attribute("classname"), Some("alerts.cpu_jsonl"));
    assert!(!of("calm").has_children());
    let tag = |name| of(name).first_element_child().map(|node| node.tag_name().name());
    assert_eq!((tag("busy"), tag("memory")), (Some("failure"), Some("skipped")));
    let log: Json = serde_json::from_str(&read(&folder, "log.sarif")).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    let location = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "alerts/rules/busy.json");
    assert_eq!(results[0]["level"], "error");
    assert_eq!(results[1]["ruleId"], "no-series");
}

#[test]
fn an_event_below_the_gate_passes() {
    let folder = folder();
    let ended = folder.run(&format!("{REPLAY} --junit junit.xml"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let junit = read(&folder, "junit.xml");
    assert!(junit.contains(r#"tests="3" failures="0""#) && junit.contains(r#"skipped="1""#), "{junit}");
}

#[test]
fn files_are_named_from_the_root_of_the_project() {
    let folder = folder();
    let mut command = folder.command("replay cpu.jsonl --rules ./rules/../rules --fail-on critical --format github");
    let output =
        command.current_dir(folder.path("alerts")).env_remove("GITHUB_STEP_SUMMARY").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("::error file=alerts/rules/busy.json,line="), "{text}");
}

#[test]
fn the_job_summary_is_added_to_what_is_there() {
    let folder = folder();
    folder.write("summary.md", "before\n");
    let mut command = folder.command(&format!("{REPLAY} --fail-on critical --format github"));
    let output = command.env("GITHUB_STEP_SUMMARY", folder.path("summary.md")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let summary = read(&folder, "summary.md");
    assert!(summary.starts_with("before\n## foreshock: failed\n"), "{summary}");
    let page = folder.run(&format!("{REPLAY} --fail-on critical --format markdown"));
    assert_eq!(summary, format!("before\n{}", page.stdout));
}

#[test]
fn a_full_job_summary_is_left_alone() {
    let folder = folder();
    folder.write("summary.md", "x".repeat(1 << 20));
    let mut command = folder.command(&format!("{REPLAY} --fail-on critical --format github"));
    let output = command.env("GITHUB_STEP_SUMMARY", folder.path("summary.md")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the job summary is full"));
    assert_eq!(read(&folder, "summary.md").len(), 1 << 20);
}

#[test]
fn a_sender_cannot_give_commands_to_the_runner() {
    let folder = folder();
    folder.write("evil.jsonl", gauge("x\\n::stop-commands::now\\n##[error]", "cpu", &hump()));
    let run = "replay evil.jsonl --rules alerts/rules --fail-on critical --format github";
    let output = folder.command(run).env_remove("GITHUB_STEP_SUMMARY").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("::error ") && lines[1].starts_with("::warning "), "{text}");
}

#[test]
fn two_outputs_never_share_a_file() {
    let folder = folder();
    for wrong in ["--junit a --sarif a", "--junit a -o a", "--sarif -"] {
        let ended = folder.run(&format!("{REPLAY} {wrong}"));
        assert_eq!(ended.code, 2, "{wrong}");
        assert!(ended.stderr.contains("name a file for each"), "{}", ended.stderr);
    }
    let ended = folder.run(&format!("{REPLAY} --junit alerts/cpu.jsonl"));
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(read(&folder, "alerts/cpu.jsonl").starts_with('{'), "the recording is not overwritten");
    let ended = folder.run(&format!("{REPLAY} --junit no/such/folder.xml"));
    assert_eq!(ended.code, 2, "{}", ended.stderr);
}

#[test]
fn no_output_is_written_over_an_input() {
    let folder = busy_and_calm();
    let recording = gauge("shop", "cpu", &hump());
    let scenario = "scenario: a\nrules: ../rules\nrecordings: ../cpu.jsonl\nquiet: calm\n";
    folder.write("old.jsonl", &recording).write("new.jsonl", &recording).write("in/a.test.yaml", scenario);
    let ended = folder.run("check cpu.jsonl --golden golden.json --bless --rules rules");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let inputs = ["old.jsonl", "new.jsonl", "in/a.test.yaml", "golden.json"];
    let before = inputs.map(|name| read(&folder, name));
    for wrong in [
        "replay new.jsonl --rules rules --baseline old.jsonl -o ./old.jsonl",
        "replay new.jsonl --rules rules --baseline old.jsonl --sink file:old.jsonl",
        "check --junit in/a.test.yaml",
        "check in -o in/a.test.yaml",
        "check in/a.test.yaml --sarif in/a.test.yaml",
        "check new.jsonl --golden golden.json --rules rules -o new.jsonl",
        "check new.jsonl --golden golden.json --rules rules --junit golden.json",
        "check new.jsonl --baseline old.jsonl --rules rules --sarif old.jsonl",
        "run --rules rules --baseline old.jsonl -o old.jsonl -- true",
        "run --rules rules --baseline old.jsonl --record old.jsonl -- true",
    ] {
        let ended = folder.run(wrong);
        assert_eq!(ended.code, 2, "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("is an input as well"), "{wrong}: {}", ended.stderr);
    }
    for wrong in ["--junit new.xml --sarif ./new.xml", "--record new.xml -o new.xml"] {
        let ended = folder.run(&format!("run --rules rules {wrong} -- true"));
        assert_eq!(ended.code, 2, "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("name a file for each"), "{wrong}: {}", ended.stderr);
    }
    assert_eq!(inputs.map(|name| read(&folder, name)), before);
    assert!(!folder.path("new.xml").exists(), "nothing is opened");
}

#[test]
fn an_empty_or_damaged_input_is_a_case_of_its_own() {
    let folder = folder();
    folder.write("empty.jsonl", "{}\n");
    let ended = folder.run("replay empty.jsonl --rules alerts/rules --junit junit.xml");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let junit = read(&folder, "junit.xml");
    assert!(junit.contains(r#"name="the input""#) && junit.contains("no metrics received"), "{junit}");
}

fn scenarios() -> Folder {
    let folder = folder();
    let scenario = |name: &str, opens: &str| {
        format!(
            "scenario: {name}\nrules: rules\nscope: app\nresource: {{service.name: shop, service.instance.id: i-1}}\n\
             series: {{metric: cpu, kind: gauge, values: 0.2x9 1x30}}\n\
             expect:\n  - {{definition: busy, opens: {opens}, severity: 10}}\nquiet: calm\n"
        )
    };
    folder.write("alerts/busy.test.yaml", scenario("good", "2m20s") + "---\n" + &scenario("bad", "3m"));
    folder
}

#[test]
fn scenarios_are_reported_at_the_expectation_that_was_not_met() {
    let folder = scenarios();
    let ended = folder.run("check --junit junit.xml --sarif log.sarif --format gitlab -o quality.json");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    let junit = read(&folder, "junit.xml");
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let cases: Vec<_> = document.descendants().filter(|node| node.tag_name().name() == "testcase").collect();
    let names: Vec<_> = cases.iter().filter_map(|case| case.attribute("name")).collect();
    assert_eq!(names, ["good", "bad"]);
    assert!(cases.iter().all(|case| case.attribute("classname") == Some("alerts.busy_test_yaml")), "{junit}");
    assert!(cases.iter().all(|case| case.attribute("time").is_some()), "{junit}");
    let failure = cases[1].first_element_child().expect("a failure");
    assert_eq!(failure.attribute("message"), Some("busy on shop (i-1): opens expected 3m, got 2m20s"));
    assert_eq!(failure.attribute("type"), Some("different-event"));
    let log: Json = serde_json::from_str(&read(&folder, "log.sarif")).expect("JSON");
    let at = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(at["artifactLocation"]["uri"], "alerts/busy.test.yaml");
    assert_eq!(at["region"]["startLine"], 16);
    let quality: Json = serde_json::from_str(&read(&folder, "quality.json")).expect("JSON");
    assert_eq!(quality[0]["location"]["lines"]["begin"], 16);
    assert_eq!(quality.as_array().map(Vec::len), Some(1));
}

#[test]
fn the_formats_of_check() {
    let folder = scenarios();
    let github = folder.command("check --format github").env_remove("GITHUB_STEP_SUMMARY").output().expect("it runs");
    let expected = "::error file=alerts/busy.test.yaml,line=16,col=5,title=foreshock (different-event)::bad: busy on shop \
        (i-1): opens expected 3m, got 2m20s\n2 cases: 1 passed, 1 failed, 0 inconclusive\n";
    assert_eq!(String::from_utf8_lossy(&github.stdout), expected);
    let json: Json = serde_json::from_str(&folder.run("check --format json").stdout).expect("JSON");
    assert_eq!((&json["failed"], &json["passed"]), (&1.into(), &1.into()));
    assert_eq!(json["suites"][0]["cases"][1]["findings"][0]["place"]["line"], 16);
    let page = folder.run("check --format markdown --coverage");
    assert!(page.stdout.starts_with("## foreshock: failed\n"), "{}", page.stdout);
    assert!(page.stderr.contains("never fired"), "what the format does not hold is told beside it: {}", page.stderr);
}

#[test]
fn what_is_worse_than_a_baseline_is_in_the_reports() {
    let folder = folder();
    folder.write("alerts/old.jsonl", gauge("shop", "cpu", &[0.2; 30]));
    let ended = folder.run(&format!("{REPLAY} --baseline alerts/old.jsonl --junit junit.xml --format markdown"));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stdout.contains("vs baseline alerts/old.jsonl"), "{}", ended.stdout);
    let junit = read(&folder, "junit.xml");
    assert!(junit.contains("<testsuite name=\"alerts/cpu.jsonl vs baseline alerts/old.jsonl\""), "{junit}");
    assert!(junit.contains("type=\"new-event\""), "{junit}");
}
