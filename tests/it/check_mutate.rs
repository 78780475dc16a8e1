//! Mutants: which changes of a definition there are, who notices them, and that the shipped rules have scenarios that notice all.

use super::cli_support::{Folder, gauge, hump, rule};
use foreshock::definition::{self, Settings, Source};
use foreshock::gate::mutants;
use std::process::Command;

/// The changes of one definition, as `path: change`.
fn changes(text: &str) -> Vec<String> {
    let (definitions, problems) = definition::parse("d.json", text);
    assert!(problems.iter().all(|p| p.severity != definition::Severity::Error), "{problems:?}");
    mutants(&definitions[0]).iter().map(|one| format!("{}: {}", one.path, one.change)).collect()
}

#[test]
fn everything_that_decides_is_changed() {
    let text = rule("Busy", "metrics.gauges.app/cpu", 10, 0.8);
    assert_eq!(
        changes(&text),
        [
            "expirationTime: 60000 to 120000",
            "expirationTime: 60000 to 30000",
            "rules[0].severity: 10 to 5",
            "rules[0].conditionOperator: > to >=",
            "rules[0].conditionOperator: > to <",
            "rules[0].conditionValue: 0.8 to 0.8400000000000001",
            "rules[0].conditionValue: 0.8 to 0.76",
            "rules[0].window: 60000 to 120000",
            "rules[0].window: 60000 to 30000",
            "rules[0].aggregation: avg to max",
            "rules[0].aggregation: avg to min",
            "rules[0].aggregation: avg to sum",
        ]
    );
    let two = r#"{"name": "n", "entityType": "openTelemetry", "query": "entity.type:\"pythonRuntime\"", "ruleLogicalOperator": "OR", "rules": [
        {"ruleType": "threshold", "severity": 5, "metricName": "metrics.sums.m{type=\"rss\"}", "aggregation": "rate", "rollup": 10000, "window": 60000,
         "conditionOperator": "=", "conditionValue": 0},
        {"ruleType": "host_availability", "severity": 5, "offlineDuration": 60000}]}"#;
    let found = changes(two);
    for wanted in [
        "expirationTime: 0 to 300000",
        "query: removed",
        "ruleLogicalOperator: OR to AND",
        "rules[0]: removed",
        "rules[0].severity: 5 to 10",
        "rules[0].conditionOperator: = to !=",
        "rules[0].conditionValue: 0 to 1",
        "rules[0].conditionValue: 0 to -1",
        "rules[0].rollup: 10000 to 0",
        "rules[0].aggregation: rate to delta",
        "rules[0].metricName: metrics.sums.m{type=\"rss\"} to metrics.sums.m",
        "rules[1]: removed",
        "rules[1].offlineDuration: 60000 to 120000",
    ] {
        assert!(found.iter().any(|one| one == wanted), "{wanted} is not in\n{}", found.join("\n"));
    }
    let off = rule("Busy", "metrics.gauges.app/cpu", 10, 0.8).replace("\"name\"", "\"enabled\": false, \"name\"");
    assert_eq!(changes(&off), [""; 0], "what is switched off is not judged");
}

#[test]
fn every_mutant_is_another_definition() {
    let loaded = definition::load(&definition::builtin(), &Settings::default());
    let mut all = 0;
    for definition in &loaded.definitions {
        let mutants = mutants(definition);
        let mut seen: Vec<String> = vec![format!("{definition:?}")];
        for mutant in &mutants {
            let text = format!("{:?}", mutant.definition);
            assert!(!seen.contains(&text), "{}: {} {}", definition.name, mutant.path, mutant.change);
            seen.push(text);
        }
        all += mutants.len();
    }
    assert_eq!(all, 120);
    let _: Vec<Source> = definition::builtin();
}

/// A scenario in which the rule fires, and one in which it does not.
const SCENARIOS: &str = "common: {rules: rules, scope: app, resource: {service.name: shop, service.instance.id: i-1}}\n---\n\
    scenario: fires\nseries: {metric: cpu, kind: gauge, values: 0.75 0.775x29 0.3x30}\n\
    expect: {definition: busy, opens: 50s, value: 0.7708333333, severity: 10, closes: 6m}\n---\n\
    scenario: quiet\nseries: {metric: cpu, kind: gauge, values: 0.75x30}\nquiet: busy\n";

#[test]
fn a_change_that_nobody_notices_is_told_with_its_place() {
    let folder = Folder::new();
    folder.write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.75)).write("a.test.yaml", SCENARIOS);
    let ended = folder.run("check --mutate");
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("MUTATION\n  12 of 12 changes noticed (100.0%)\n\n"), "{}", ended.stdout);
    assert_eq!(folder.run("check --min-mutation-score 100%").code, 0);

    // Without its limit, its severity and its end the event could be another one.
    let less = SCENARIOS.replace(", severity: 10, closes: 6m", "").replace("0.75x30}\nquiet", "0.2x30}\nquiet");
    folder.write("a.test.yaml", less);
    let ended = folder.run("check --mutate");
    assert_eq!(ended.code, 0);
    let expected = "MUTATION\n  7 of 12 changes noticed (58.3%)\n  \
        unnoticed  busy: no scenario notices expirationTime 60000 to 120000\n  \
        unnoticed  busy: no scenario notices expirationTime 60000 to 30000\n  \
        unnoticed  busy: no scenario notices rules[0].severity 10 to 5\n  \
        unnoticed  busy: no scenario notices rules[0].conditionOperator > to >=\n  \
        unnoticed  busy: no scenario notices rules[0].conditionValue 0.75 to 0.7125\n\n\
        2 cases: 2 passed, 0 failed, 0 inconclusive.\n";
    assert_eq!(ended.stdout, expected);
    assert_eq!(folder.run("check --min-mutation-score 50%").code, 0);
    let ended = folder.run("check --min-mutation-score 60%");
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains("rules/busy.json:13:19: busy: no scenario notices rules[0].severity 10 to 5"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_recording_is_a_witness_and_so_are_rules_of_the_command_line() {
    let folder = Folder::new();
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &hump()))
        .write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.8))
        .write("a.test.yaml", "scenario: a\nrules: rules\nrecordings: cpu.jsonl\nexpect: {definition: busy, opens: 2m20s, closes: 4m20s}\n");
    let ended = folder.run("check --mutate");
    let of_file = "MUTATION\n  8 of 12 changes noticed (66.7%)\n";
    assert!(ended.stdout.starts_with(of_file), "{}{}", ended.stdout, ended.stderr);
    let ended = folder.run("check --mutate --min-mutation-score 100% --rules rules");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.starts_with(of_file), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("rules/busy.json:13:19: busy: no scenario notices rules[0].severity"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_scenario_that_fails_is_no_witness() {
    let folder = Folder::new();
    folder.write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.75));
    folder.write("a.test.yaml", SCENARIOS.replace("opens: 50s", "opens: 1m"));
    let ended = folder.run("check --mutate --min-mutation-score 100%");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("no scenario notices rules[0].severity 10 to 5"), "{}", ended.stdout);
    folder.write(
        "none/a.test.yaml",
        "scenario: own\ndefinitions: {d: {rules: [{ruleType: threshold, metricName: metrics.gauges.g, \
        aggregation: max, window: 10000, conditionOperator: '>', conditionValue: 5}]}}\n\
        series: {metric: g, kind: gauge, values: 1x9}\nquiet: d\n",
    );
    assert_eq!(folder.run("check none --min-mutation-score 100%").code, 4);
}

#[test]
fn the_shipped_rules_have_scenarios_that_notice_every_change() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output =
        command.args(["check", "rules", "--min-rule-coverage", "100%", "--min-mutation-score", "100%"]).output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("9 of 9 definitions fired") && text.contains("120 of 120 changes noticed"), "{text}");
}
