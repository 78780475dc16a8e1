//! The command line from outside: what it prints where, and how it ends.

use super::cli_support::{Folder, busy_and_calm, gauge, hump, line, rule};
use foreshock::cli::{ExitStatus, guarded};
use serde_json::Value as Json;
use std::process::Stdio;

#[test]
fn events_fail_the_command_only_when_asked() {
    let folder = busy_and_calm();
    assert_eq!(folder.run("replay cpu.jsonl --rules rules").code, 0);
    assert_eq!(folder.run("replay cpu.jsonl --rules rules --fail-on critical").code, 1);
    assert_eq!(folder.run("replay cpu.jsonl --rules rules --fail-on warning").code, 1);
    assert_eq!(folder.run("replay cpu.jsonl --rules rules/calm.json --fail-on warning").code, 0);
    folder.write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 5, 0.8));
    assert_eq!(folder.run("replay cpu.jsonl --rules rules --fail-on critical").code, 0);
}

#[test]
fn no_data_is_never_a_pass() {
    let folder = busy_and_calm();
    folder.write("empty.jsonl", "").write("other.json", rule("Other", "metrics.gauges.app/memory", 5, 1.0));
    assert_eq!(folder.run("replay empty.jsonl --rules rules").code, 4);
    assert_eq!(folder.run("replay empty.jsonl --rules rules --allow-no-data").code, 0);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json").code, 4);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json --allow-no-data").code, 0);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json --rules rules").code, 0);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json --rules rules --strict").code, 4);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json --rules rules --strict --allow-no-data").code, 4);
    assert_eq!(folder.run("replay cpu.jsonl --rules other.json --rules rules --strict --fail-on critical").code, 1);
}

#[test]
fn damage_is_said_and_makes_the_answer_inconclusive() {
    let folder = busy_and_calm();
    let good = gauge("shop", "cpu", &hump());
    let lines: Vec<&str> = good.lines().collect();
    let damaged = format!("{}\n{{\"resourceMetrics\":[17]}}\n{}\n", lines[..3].join("\n"), lines[3..].join("\n"));
    folder.write("damaged.jsonl", damaged);
    for format in ["text", "json", "jsonl"] {
        let ended = folder.run(&format!("replay damaged.jsonl --rules rules --allow-no-data --format {format}"));
        assert_eq!(ended.code, 4, "{format}");
        assert!((ended.stdout + &ended.stderr).contains("damaged.jsonl: line 4"), "{format}");
    }
    let torn = format!("{good}{}", &lines[0][..60]);
    folder.write("torn.jsonl", torn);
    let ended = folder.run("replay torn.jsonl --rules rules");
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("the last line is incomplete"), "{}", ended.stdout);
}

#[test]
fn what_cannot_run_says_which_file_and_what_to_do() {
    let folder = busy_and_calm();
    let says = |arguments: &str, words: &[&str]| {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, 2, "{arguments}");
        assert_eq!(ended.stdout, "", "{arguments}");
        for word in words {
            assert!(ended.stderr.contains(word), "{arguments}: {word:?} is not in\n{}", ended.stderr);
        }
    };
    folder.write("note.txt", "hello").write("empty/readme.md", "");
    says("replay", &["<FILE>"]);
    says("replay cpu.jsonl --step 0s", &["--step", "1ms"]);
    says("replay cpu.jsonl --min-coverage 1.5", &["--min-coverage", "at most 1"]);
    says("replay missing.jsonl", &["missing.jsonl"]);
    says("replay rules", &["rules", "folder"]);
    says("replay note.txt", &["note.txt", "not a recording"]);
    says("replay - -", &["standard input", "only once"]);
    says("replay cpu.jsonl --rules missing", &["missing"]);
    says("replay cpu.jsonl --rules empty", &["no event definition", "empty"]);
    says("replay cpu.jsonl --rules builtin:perl", &["builtin:perl".trim_start_matches("builtin:"), "builtin:python"]);
    says("replay cpu.jsonl --rules rules --set busy.conditionValu=3", &["conditionValu"]);
    says("replay cpu.jsonl --rules rules -o cpu.jsonl", &["cpu.jsonl", "input"]);
    says("replay cpu.jsonl --rules rules -o missing/answer.json", &["missing/answer.json"]);
    says("convert cpu.jsonl", &["--output"]);
    says("tune", &["tune"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    says(&format!("serve --grpc {taken}"), &[&taken, "name a free port"]);
    says("serve --grpc 127.0.0.1:0 --http nowhere", &["nowhere", "cannot listen"]);
    says("serve --rules rules --inbox-size 1MiB", &["--inbox-size", "--max-message-size"]);
    says("serve --max-message-size 65MiB", &["--max-message-size"]);
    says("serve --max-message-size much", &["64MiB"]);
    says("serve --auth-token-file missing.txt", &["missing.txt", "one a line"]);
    says("record", &["--output"]);
    says("record -o missing/live.foreshock --grpc 127.0.0.1:0 --http 127.0.0.1:0", &["missing/live.foreshock"]);
}

#[test]
fn every_error_of_the_rules_is_shown_with_its_line() {
    let folder = busy_and_calm();
    folder.write("broken/a.json", "{\n  \"name\": \"A\",\n  \"rules\":\n}\n").write("broken/b.json", "[1, 2");
    let ended = folder.run("replay cpu.jsonl --rules broken --rules rules");
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    for words in ["broken/a.json:4:1", "broken/b.json:1:", "error[", "2 errors in the rules: nothing was evaluated"] {
        assert!(ended.stderr.contains(words), "{words:?} is not in\n{}", ended.stderr);
    }
}

#[test]
fn warnings_are_said_once_and_not_with_q() {
    let folder = busy_and_calm();
    folder.write("odd.json", rule("Odd", "metrics.gauges.app/cpu", 5, 2.0).replace("\"avg\"", "\"p95\""));
    let ended = folder.run("replay cpu.jsonl --rules odd.json --format json");
    assert_eq!(ended.stderr.matches("warning:").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("odd.json:9:22"), "{}", ended.stderr);
    assert_eq!(folder.run("replay cpu.jsonl --rules odd.json --format json -q").stderr, "");
    assert_eq!(folder.run("replay cpu.jsonl --format json --allow-no-data").stderr, "", "built-in rules do not warn");
}

#[test]
fn a_smart_alert_is_named_and_left_out() {
    let folder = busy_and_calm();
    folder.write("rules/smart.json", r#"{"name":"S","granularity":60000,"timeThreshold":{},"rule":{}}"#);
    let ended = folder.run("replay cpu.jsonl --rules rules --format json");
    assert_eq!(ended.code, 0);
    assert!(ended.stderr.contains("rules/smart.json"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("smart"));
}

#[test]
fn of_a_folder_with_events_only_these_are_read() {
    let folder = busy_and_calm();
    folder
        .write("all/shop/package.json", "{}")
        .write("all/shop/dashboards/d.json", "not even JSON")
        .write("all/shop/events/deep/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.8))
        .write("all/till/events/busy.json", rule("Busy till", "metrics.gauges.app/cpu", 10, 3.0))
        .write("all/till/events/notes.txt", "no definition");
    let ended = folder.run("replay cpu.jsonl --rules all --format json");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let document: Json = serde_json::from_str(&ended.stdout).expect("JSON");
    let names: Vec<&str> = document["definitions"].as_array().expect("a list").iter().map(name).collect();
    assert_eq!(names, ["shop/busy", "till/busy"]);
}

fn name(definition: &Json) -> &str {
    definition["definition"].as_str().expect("a name")
}

#[test]
fn parameters_and_overrides_change_what_is_judged() {
    let folder = busy_and_calm();
    let templated = rule("Busy {{what}}", "metrics.gauges.app/cpu", 10, 12345.0).replace("12345", "{{limit}}");
    folder.write("busy.json", templated);
    let fired = |arguments: &str| folder.run(&format!("replay cpu.jsonl {arguments} --fail-on warning")).code;
    assert_eq!(fired("--rules busy.json --param limit=0.8"), 1);
    assert_eq!(fired("--rules busy.json --param limit=8"), 0);
    assert_eq!(fired("--rules rules --set busy.conditionValue=3"), 0);
    assert_eq!(fired("--rules rules --set calm.rules[0].conditionValue=0.5 --set busy.enabled=false"), 1);
    let ended = folder.run("replay cpu.jsonl --rules rules --param nothing=1");
    assert!(ended.stderr.contains("--param nothing"), "{}", ended.stderr);
}

#[test]
fn the_lines_are_the_events_of_the_document() {
    let folder = busy_and_calm();
    let document = folder.run("replay cpu.jsonl --rules rules --format json");
    let lines = folder.run("replay cpu.jsonl --rules rules --format jsonl -q");
    assert_eq!((document.code, lines.code, lines.stderr.as_str()), (0, 0, ""));
    let document: Json = serde_json::from_str(&document.stdout).expect("JSON");
    let lines: Vec<Json> = lines.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["state"], &lines[1]["state"]), (&Json::from("OPEN"), &Json::from("CLOSED")));
    assert_eq!(lines[0]["id"], lines[1]["id"]);
    assert_eq!(document["events"], Json::Array(vec![lines[1].clone()]), "each event once, in its final state");
}

#[test]
fn an_answer_goes_to_a_file_when_asked() {
    let folder = busy_and_calm();
    let printed = folder.run("replay cpu.jsonl --rules rules --format json").stdout;
    let ended = folder.run("replay cpu.jsonl --rules rules --format json -o answer.json");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(folder.path("answer.json")).expect("the answer"), printed);
}

#[test]
fn standard_input_is_a_recording() {
    let folder = busy_and_calm();
    let from_file = folder.run("replay cpu.jsonl --rules rules --format json").stdout;
    let stdin = gauge("shop", "cpu", &hump()).into_bytes();
    assert_eq!(folder.run_with("replay - --rules rules --format json", stdin).stdout, from_file);
}

#[test]
fn colours_come_only_when_they_are_wanted() {
    let folder = busy_and_calm();
    let escapes = |arguments: &str| folder.run(arguments).stdout.contains('\u{1b}');
    assert!(!escapes("replay cpu.jsonl --rules rules"), "a pipe is no terminal");
    assert!(escapes("replay cpu.jsonl --rules rules --color always"));
    assert!(!escapes("replay cpu.jsonl --rules rules --color never"));
    assert!(!escapes("replay cpu.jsonl --rules rules --color always --format json"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let folder = busy_and_calm();
    let many: Vec<String> = (0..400).map(|i| gauge(&format!("shop-{i}"), "cpu", &hump())).collect();
    folder.write("many.jsonl", many.concat());
    let commands = [
        "replay many.jsonl --rules rules -v",
        "replay many.jsonl --rules rules --format json",
        "man",
        "inspect many.jsonl -v",
    ];
    for arguments in commands {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("foreshock"))
            .current_dir(folder.path(""))
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{arguments}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{arguments}");
    }
}

#[test]
fn help_names_what_exists_and_nothing_else() {
    let folder = Folder::new();
    let help = folder.run("--help");
    assert_eq!(help.code, 0);
    let commands =
        ["replay", "inspect", "convert", "serve", "record", "run", "check", "tune", "diff", "completions", "man"];
    for command in commands {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command} is missing in\n{}", help.stdout);
        assert_eq!(folder.run(&format!("{command} --help")).code, 0);
    }
    assert!(!help.stdout.contains("\n  lint "), "lint does not exist yet");
    assert!(folder.run("--version").stdout.starts_with("foreshock 0."));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(folder.run(&format!("completions {shell}")).stdout.contains("replay"), "{shell}");
    }
    assert!(
        folder.run("man").stdout.contains(".TH foreshock\\-replay 1")
            || folder.run("man").stdout.contains("foreshock-replay")
    );
}

#[test]
fn exit_codes_are_what_the_documents_say_and_a_panic_is_a_defect() {
    let all = [
        (ExitStatus::Passed, 0),
        (ExitStatus::Failed, 1),
        (ExitStatus::CouldNotRun, 2),
        (ExitStatus::Inconclusive, 4),
        (ExitStatus::Defect, 70),
    ];
    all.into_iter().for_each(|(status, code)| assert_eq!(status.code(), code));
    assert_eq!(guarded(|| ExitStatus::Failed), ExitStatus::Failed);
    assert_eq!(guarded(|| panic!("made by a test")), ExitStatus::Defect);
}

#[test]
fn several_recordings_are_merged_by_time() {
    let folder = busy_and_calm();
    let whole = gauge("shop", "cpu", &hump());
    let (odd, even): (Vec<_>, Vec<_>) = whole.lines().enumerate().partition(|(i, _)| i % 2 == 1);
    let text = |lines: Vec<(usize, &str)>| lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
    folder.write("odd.jsonl", text(odd)).write("even.jsonl", text(even));
    let one = folder.run("replay cpu.jsonl --rules rules --format json").stdout;
    assert_eq!(folder.run("replay odd.jsonl even.jsonl --rules rules --format json").stdout, one);
}

#[test]
fn an_event_has_the_keys_of_the_contract_in_their_order() {
    let folder = busy_and_calm();
    let lines = folder.run("replay cpu.jsonl --rules rules --format jsonl -q").stdout;
    let opened = lines.lines().next().expect("an event");
    let id = serde_json::from_str::<Json>(opened).expect("JSON")["id"].as_str().expect("an id").to_string();
    let expected = format!(
        concat!(
            r#"{{"id":"{}","type":"issue","state":"OPEN","start":1763791340000,"severity":10,"text":"Busy","#,
            r#""suggestion":"","entity":"openTelemetry","entityLabel":"shop (i-1)","#,
            r#""tags":"service.name=shop,service.instance.id=i-1","#,
            r#""foreshock":{{"definition":"busy","at":1763791340000,"#,
            r#""resource":{{"service.name":"shop","service.instance.id":"i-1"}},"#,
            r#""rules":[{{"index":0,"ruleType":"threshold","metricName":"metrics.gauges.app/cpu","aggregation":"avg","#,
            r#""window":60000,"conditionOperator":">","conditionValue":0.8,"#,
            r#""series":[{{"attributes":{{}},"value":0.8666666666666667,"points":6}}]}}],"lastViolation":1763791340000,"#,
            r#""peak":{{"value":0.8666666666666667,"at":1763791340000,"series":{{"resource":{{"service.name":"shop","#,
            r#""service.instance.id":"i-1"}},"attributes":{{}}}}}}}}}}"#
        ),
        id
    );
    assert_eq!(opened, expected);
}

#[test]
fn delta_and_malformed_points_are_counted_with_a_remedy() {
    let folder = busy_and_calm();
    let nan =
        line("shop", "cpu", r#""gauge":{"dataPoints":[{"timeUnixNano":"1763791505000000000","asDouble":"NaN"}]}"#);
    folder.write("nan.jsonl", gauge("shop", "cpu", &hump()) + &nan);
    let ended = folder.run("replay nan.jsonl --rules rules");
    assert!(ended.stdout.contains("DROPPED 1 of 31 data points\n  1 not_finite"), "{}", ended.stdout);
    let document = folder.run("replay nan.jsonl --rules rules --format json").stdout;
    assert_eq!(serde_json::from_str::<Json>(&document).expect("JSON")["dropped"], serde_json::json!({"not_finite": 1}));
}

#[test]
fn both_built_in_packages_run_and_each_has_a_name() {
    let folder = busy_and_calm();
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings/slow_leak.jsonl.gz");
    folder.write("leak.jsonl.gz", std::fs::read(recording).expect("a recording"));
    let verdicts = |arguments: &str| -> Vec<(String, String)> {
        let ended = folder.run(&format!("replay leak.jsonl.gz --format json {arguments}"));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let document: Json = serde_json::from_str(&ended.stdout).expect("JSON");
        let definitions = document["definitions"].as_array().expect("a list");
        let verdict = |d: &Json| d["verdict"].as_str().expect("a verdict").to_string();
        definitions.iter().map(|d| (name(d).to_string(), verdict(d))).collect()
    };
    let leak_of = |all: &[(String, String)]| -> Vec<String> {
        all.iter()
            .filter(|(name, _)| name.contains("leak"))
            .map(|(name, verdict)| format!("{name} {verdict}"))
            .collect()
    };
    let all = verdicts("");
    assert_eq!(all.len(), 9);
    assert_eq!(leak_of(&all), ["memory-leak-detection quiet", "memory-leak-trend fired"]);
    assert_eq!(leak_of(&verdicts("--rules builtin:python")), ["memory-leak-detection quiet"]);
    assert_eq!(verdicts("--rules builtin:local"), [("memory-leak-trend".to_string(), "fired".to_string())]);
}

#[test]
fn a_trend_rule_says_that_instana_does_not_have_it() {
    let folder = busy_and_calm();
    let own = r#"{"name":"N","entityType":"e","rules":[{"ruleType":"trend","metricName":"metrics.gauges.app/cpu"}]}"#;
    folder.write("own.json", own);
    let ended = folder.run("replay cpu.jsonl --rules own.json");
    assert!(ended.stderr.contains("own.json:1:51: `rules[0].ruleType` is `trend`"), "{}", ended.stderr);
    assert!(ended.stdout.contains("needs 8m30s of data from process start"), "{}", ended.stdout);
    // The built-in one is what it is: not even -v says so.
    assert!(!folder.run("replay cpu.jsonl --rules builtin:local -v").stderr.contains("not-importable"));
}
