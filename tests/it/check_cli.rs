//! `foreshock check` from outside: which files, in which order, with which rules and recordings, and how it ends.

use super::cli_support::{Folder, busy_and_calm, gauge, hump, rule};

/// A scenario that passes with the rules of [`busy_and_calm`].
fn passing(name: &str) -> String {
    format!(
        "scenario: {name}\nrules: rules\nscope: app\nresource: {{service.name: shop, service.instance.id: i-1}}\n\
         series: {{metric: cpu, kind: gauge, values: 0.2x9 1x30}}\n\
         expect: {{definition: busy, opens: 2m20s, severity: 10}}\nquiet: calm\n"
    )
}

fn failing(name: &str) -> String {
    passing(name).replace("2m20s", "3m")
}

/// A scenario over the recording.
const RECORDED: &str = "scenario: as recorded\nrules: rules\nrecordings: cpu.jsonl\n\
    expect: {definition: busy, opens: 2m20s, closes: 4m20s, value: 0.88, tolerance: 0.1}\nquiet: calm\n";

#[test]
fn every_exit_code() {
    let folder = busy_and_calm();
    folder.write("good.test.yaml", passing("a")).write("recorded.test.yaml", RECORDED);
    let ended = folder.run("check");
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "2 cases: 2 passed, 0 failed, 0 inconclusive.\n"),
        "{}",
        ended.stderr
    );

    folder.write("bad.test.yaml", failing("b"));
    let ended = folder.run("check");
    assert_eq!(ended.code, 1);
    let expected = "bad.test.yaml\n  FAILED  b\n    line 6: busy on shop (i-1): opens expected 3m, got 2m20s\n\n\
        3 cases: 2 passed, 1 failed, 0 inconclusive.\n";
    assert_eq!(ended.stdout, expected);
    assert!(ended.stderr.contains("exit code 1: 1 of 3 cases failed"), "{}", ended.stderr);

    folder.write("broken.test.yaml", passing("c").replace("kind: gauge", "kind: gouge"));
    let ended = folder.run("check");
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("broken.test.yaml:5:29") && ended.stderr.contains("1 mistake in the scenarios"));
    assert_eq!(folder.run("check missing").code, 2);
    assert_eq!(folder.run("check --no-such-option").code, 2);
}

#[test]
fn nothing_is_never_a_pass() {
    let folder = busy_and_calm();
    folder.write("none/readme.md", "").write("empty.jsonl", "").write("good.test.yaml", passing("a"));
    let ended = folder.run("check none");
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("there is no scenario"), "{}", ended.stderr);

    let inconclusive = |text: &str, word: &str| {
        folder.write("x/a.test.yaml", text);
        let ended = folder.run("check x good.test.yaml");
        assert_eq!(ended.code, 4, "{text}{}", ended.stderr);
        assert!(
            ended.stdout.contains(word) && ended.stdout.contains("1 passed, 0 failed, 1 inconclusive"),
            "{}",
            ended.stdout
        );
    };
    inconclusive("", "there is no scenario here");
    inconclusive("scenario: a\nrules: ../rules\n", "the scenario expects nothing");
    inconclusive("scenario: a\nrules: ../rules\nexpect: []\n", "the scenario expects nothing");
    inconclusive("scenario: a\nrules: ../rules\ninconclusive: {}\nquiet: []\n", "the scenario expects nothing");
    inconclusive("scenario: a\nrules: ../rules\nexpect: []\ndropped: {}\n", "no data points and no expected verdict");
    inconclusive(
        &RECORDED.replace("cpu.jsonl", "../empty.jsonl").replace(": rules", ": ../rules"),
        "the recording contains no data points",
    );
    // What a recording without any point would have failed to do is not known.
    let quiet = "scenario: a\nrules: ../rules\nrecordings: ../empty.jsonl\ninconclusive: {busy: no_series}\n";
    inconclusive(quiet, "the recording contains no data points");

    let lines = gauge("shop", "cpu", &hump());
    let damaged = lines.replacen("\n", "\n{\"resourceMetrics\":[17]}\n", 1);
    folder.write("damaged.jsonl", damaged);
    inconclusive(
        &RECORDED.replace("cpu.jsonl", "../damaged.jsonl").replace(": rules", ": ../rules"),
        "damaged.jsonl: line 2",
    );

    folder.write("y/b.test.yaml", failing("b").replace(": rules", ": ../rules"));
    assert_eq!(folder.run("check x y").code, 1, "a failure wins");
}

#[test]
fn a_scenario_that_asks_for_silence_is_met_by_silence() {
    let folder = busy_and_calm();
    folder.write("a.test.yaml", "scenario: a\nrules: rules\ninconclusive: {busy: no_entity, calm: no_entity}\n");
    let ended = folder.run("check");
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn folders_are_searched_in_order_and_a_file_is_run_once() {
    let folder = busy_and_calm();
    let nested = |name: &str| passing(name).replace(": rules", ": ../rules");
    folder
        .write("b/z.test.yaml", nested("z"))
        .write("b/a.test.yml", format!("{}---\n{}", nested("first"), nested("second")))
        .write("a.test.yaml", passing("top"))
        .write("b/notes.yaml", "no scenario")
        .write(".hidden/x.test.yaml", "broken")
        .write("node_modules/x.test.yaml", "broken");
    let names = |arguments: &str| {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        let lines = ended.stdout.lines().filter(|line| !line.is_empty() && !line.contains("cases"));
        lines.map(|line| line.trim_start().trim_start_matches("passed  ").to_string()).collect::<Vec<_>>()
    };
    let all = ["a.test.yaml", "top", "b/a.test.yml", "first", "second", "b/z.test.yaml", "z"];
    assert_eq!(names("check -v"), all);
    assert_eq!(names("check -v b/z.test.yaml b"), ["b/z.test.yaml", "z", "b/a.test.yml", "first", "second"]);
}

#[test]
fn the_order_is_that_of_the_files_whoever_is_done_first() {
    let folder = busy_and_calm();
    let many: Vec<String> =
        (0..40)
            .map(|i| {
                if i % 7 == 0 { passing(&format!("s{i}")).replace("1x30", "1x9000") } else { failing(&format!("s{i}")) }
            })
            .collect();
    folder.write("many.test.yaml", many.join("---\n"));
    let first = folder.run("check -v");
    assert_eq!(first.code, 1);
    let names: Vec<&str> = first.stdout.lines().filter_map(|l| l.rsplit_once("  s")).map(|(_, n)| n).collect();
    assert_eq!(names, (0..40).map(|i| i.to_string()).collect::<Vec<_>>());
    for _ in 0..3 {
        assert_eq!(folder.run("check -v").stdout, first.stdout);
    }
}

#[test]
fn rules_come_from_beside_the_file_from_the_program_or_from_the_command_line() {
    let folder = busy_and_calm();
    folder.write(
        "tests/a.test.yaml",
        passing("a").replace(": rules", ": ../rules/busy.json").replace("quiet: calm\n", ""),
    );
    assert_eq!(folder.run("check").code, 0);
    // Somebody changed the rule: its scenario says so.
    folder.write("changed/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.3));
    let ended = folder.run("check --rules changed");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("opens expected 2m20s, got 1m40s"), "{}", ended.stdout);
    assert_eq!(folder.run("check --rules rules/busy.json --set busy.conditionValue=0.3").code, 1);
    assert_eq!(folder.run("check --set busy.conditionValue=0.3").code, 2);
    // A scenario that names no rules is one for those of the command line.
    folder.write("tests/b.test.yaml", passing("b").replace("rules: rules\n", "").replace("quiet: calm\n", ""));
    assert_eq!(folder.run("check tests/b.test.yaml").code, 2);
    assert_eq!(folder.run("check tests/b.test.yaml --rules rules/busy.json").code, 0);

    let says = |text: &str, word: &str| {
        folder.write("wrong/a.test.yaml", text);
        let ended = folder.run("check wrong");
        assert_eq!(ended.code, 2, "{text}");
        assert!(ended.stderr.contains(word), "{word} is not in\n{}", ended.stderr);
    };
    says("scenario: a\nrules: builtin:snake\nquiet: a\n", "no built-in rules `snake`");
    says("scenario: a\nrules: ../nowhere\nquiet: a\n", "wrong/a.test.yaml:2:8");
    says("scenario: a\nrules: builtin:python\nquiet: a\n", "no definition is called `a`");
    says("scenario: a\nrules: ../rules\nrecordings: ../none.jsonl\nquiet: calm\n", "wrong/a.test.yaml:3:13");
    says("scenario: a\nrules: ../rules\nrecordings: a.test.yaml\nquiet: calm\n", "not a recording");
    folder.write("broken/x.json", "{\"rules\": [");
    says("scenario: a\nrules: ../broken\nquiet: x\n", "broken/x.json:1");
}

#[test]
fn a_recording_and_a_text_are_one_input() {
    let folder = busy_and_calm();
    // The recording is of i-1; the text adds a second instance, in the recording's time.
    let both = RECORDED.replace("quiet: calm\n", "")
        + "  \nscope: app\nresource: {service.name: shop, service.instance.id: i-2}\n\
           series: {metric: cpu, kind: gauge, values: 3x30}\n";
    let both = both.replace(
        "expect: {",
        "expect:\n  - {definition: busy, entity: shop (i-2), opens: 50s}\n  - {definition: calm, entity: shop (i-2), opens: 50s}\n  - {",
    );
    folder.write("a.test.yaml", both);
    let ended = folder.run("check");
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

/// The CPU seconds of a run over a thousand scenarios, made of those of the shipped rules.
#[cfg(unix)]
#[test]
fn a_thousand_scenarios_take_less_than_two_seconds_of_cpu() {
    let folder = Folder::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/python");
    let entries = std::fs::read_dir(shipped.join("tests")).expect("scenarios");
    let texts: Vec<String> =
        entries.map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a text")).collect();
    let (mut count, mut files) = (0, 0);
    while count < 1000 {
        let text = texts[files % texts.len()].replace("rules: ..", "rules: builtin:python");
        count += text.matches("\nscenario: ").count();
        folder.write(&format!("{files}.test.yaml"), text);
        files += 1;
    }
    let script = "TIMEFORMAT='%U %S'; time \"$0\" check";
    let mut bash = std::process::Command::new("bash");
    let output = bash.args(["-c", script, env!("CARGO_BIN_EXE_foreshock")]).current_dir(folder.path("")).output();
    let output = output.expect("it runs");
    let (said, times) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        count > 1000
            && said
                == format!("1,{:03} cases: 1,{:03} passed, 0 failed, 0 inconclusive.\n", count % 1000, count % 1000),
        "{said}{times}"
    );
    let seconds: f64 = times.split_whitespace().map(|part| part.parse::<f64>().expect("seconds")).sum();
    // A build for tests is not optimised; the promise is about the other one.
    let most = if cfg!(debug_assertions) { 6.0 } else { 2.0 };
    assert!(seconds < most, "{count} scenarios took {seconds} s");
}
