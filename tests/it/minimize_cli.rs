//! `foreshock check --minimize` from outside: what it writes passes `foreshock check`, holds no more than is needed, and
//! nothing that is to be hidden.

use super::cli_support::{Ended, Folder, START_S, gauge, hump, line, rule};
use serde_json::Value as Json;
use std::fs;

/// Exports of several gauges, in order.
fn gauges(service: &str, all: &[(&str, Vec<f64>)]) -> String {
    let lines: Vec<Vec<String>> =
        all.iter().map(|(name, values)| gauge(service, name, values).lines().map(str::to_string).collect()).collect();
    let longest = lines.iter().map(Vec::len).max().unwrap_or(0);
    let at = |i: usize| lines.iter().filter_map(move |lines| lines.get(i)).cloned().collect::<Vec<_>>();
    (0..longest).flat_map(at).map(|line| line + "\n").collect()
}

/// A recording and a folder `rules` with one definition; minimizes its first event into `tests/case.test.yaml`.
struct Incident(Folder);

impl Incident {
    fn new(recording: String, definition: &str) -> Self {
        let folder = Folder::new();
        folder.write("day.jsonl", recording).write("rules/busy.json", definition).write("tests/readme", "");
        Incident(folder)
    }

    fn events(&self) -> Vec<Json> {
        let ended = self.0.run("replay day.jsonl --rules rules --format json");
        let document: Json = serde_json::from_str(&ended.stdout).expect("a document");
        document["events"].as_array().expect("events").clone()
    }

    fn minimize(&self, more: &str) -> Ended {
        let id = self.events()[0]["id"].as_str().expect("an id").to_string();
        self.0.run(&format!("check --minimize day.jsonl --event {id} --rules rules -o tests/case.test.yaml {more}"))
    }

    /// The scenario, which passes.
    fn minimized(&self, more: &str) -> String {
        let ended = self.minimize(more);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let text = fs::read_to_string(self.0.path("tests/case.test.yaml")).expect("a scenario");
        let checked = self.0.run("check tests");
        assert_eq!(checked.code, 0, "{}{}\n{text}", checked.stdout, checked.stderr);
        text
    }
}

fn series(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("  - metric: ")).collect()
}

#[test]
fn only_the_series_that_a_rule_needs_stay() {
    let noise: Vec<String> = (0..12).map(|i| format!("noise.{i}")).collect();
    let mut all: Vec<(&str, Vec<f64>)> = noise.iter().map(|name| (name.as_str(), vec![1.0; 30])).collect();
    all.insert(3, ("cpu", hump()));
    all.insert(9, ("load", hump().iter().map(|v| v * 7.0).collect()));
    let mut definition: Json = serde_json::from_str(&rule("Busy", "metrics.gauges.app/cpu", 10, 0.8)).expect("JSON");
    let other: Json = serde_json::from_str(&rule("", "metrics.gauges.app/load", 5, 5.0)).expect("JSON");
    definition["rules"].as_array_mut().expect("rules").push(other["rules"][0].clone());
    definition["ruleLogicalOperator"] = "AND".into();
    let incident = Incident::new(gauges("shop", &all), &definition.to_string());
    let text = incident.minimized("");
    assert_eq!(series(&text), ["cpu", "load"], "{text}");
    assert!(text.contains("rules: \"../rules/busy.json\""), "{text}");
}

#[test]
fn a_histogram_keeps_its_buckets() {
    let export = |i: u64| {
        let nanos = (START_S + 10 * i) * 1_000_000_000;
        let slow = if i < 10 { 0 } else { 50 * (i - 9) };
        let buckets = format!(r#""bucketCounts":["{}","0","{slow}"],"explicitBounds":[0.1,0.5]"#, 10 * i);
        let count = 10 * i + slow;
        let point =
            format!(r#"{{"timeUnixNano":"{nanos}","startTimeUnixNano":"1","count":"{count}","sum":1.5,{buckets}}}"#);
        line("shop", "latency", &format!(r#""histogram":{{"aggregationTemporality":2,"dataPoints":[{point}]}}"#))
    };
    let definition = rule("Slow", "metrics.histograms.app/latency", 5, 0.3).replace("avg", "p95");
    let incident = Incident::new((0..30).map(export).collect(), &definition);
    let text = incident.minimized("");
    assert!(text.contains("bounds: [0.1, 0.5]") && text.contains("kind: histogram"), "{text}");
}

#[test]
fn absence_is_an_incident_as_well() {
    let offline = r#"{"name":"Gone","entityType":"any","expirationTime":60000,
        "rules":[{"ruleType":"system","systemRuleId":"entity.offline","severity":10}]}"#;
    let still = gauge("other", "cpu", &[0.5; 90]);
    let gone = gauge("shop", "cpu", &[0.5; 20]);
    let (mut still, mut gone) = (still.lines(), gone.lines());
    let lines = (0..90).flat_map(|_| [still.next(), gone.next()]).flatten();
    let incident = Incident::new(lines.map(|line| format!("{line}\n")).collect(), offline);
    let text = incident.minimized("");
    assert!(text.contains("service.name: shop") && !text.contains("other"), "{text}");
}

#[test]
fn nothing_that_is_hidden_can_be_read() {
    let incident =
        Incident::new(gauge("secret-shop", "cpu", &hump()), &rule("Busy", "metrics.gauges.app/cpu", 10, 0.8));
    let text = incident.minimized("--anonymize");
    assert!(!text.contains("secret") && !text.contains("i-1") && !text.contains("2025"), "{text}");
    assert!(text.contains("service.name: h"), "names stay: {text}");
    let other = incident.minimized("--anonymize");
    assert_ne!(text, other, "each run has a key of its own");
    let id = incident.events()[0]["id"].as_str().expect("an id").to_string();
    let with_key = || {
        let mut command =
            incident.0.command(&format!("check --minimize day.jsonl --event {id} --rules rules --anonymize"));
        command.env("FORESHOCK_ANONYMIZE_KEY", "a key").output().expect("it runs").stdout
    };
    assert_eq!(with_key(), with_key());
}

#[test]
fn a_value_that_the_query_asks_for_stays_and_is_named() {
    let definition = rule("Busy", "metrics.gauges.app/cpu", 10, 0.8).replacen(
        "\"rules\"",
        "\"query\": \"entity.service.name:secret-shop\",\n  \"rules\"",
        1,
    );
    let incident = Incident::new(gauge("secret-shop", "cpu", &hump()), &definition);
    let ended = incident.minimize("--anonymize");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let kept = "not hashed, because the rule asks for their values: service.name\n";
    assert!(ended.stderr.contains(kept), "{}", ended.stderr);
}

#[test]
fn who_names_no_event_is_told_which_there_are() {
    let incident = Incident::new(gauge("shop", "cpu", &hump()), &rule("Busy", "metrics.gauges.app/cpu", 10, 0.8));
    let id = incident.events()[0]["id"].as_str().expect("an id").to_string();
    for more in ["", "--event nope", "--event="] {
        let ended = incident.0.run(&format!("check --minimize day.jsonl --rules rules {more}"));
        assert_eq!(ended.code, 2, "{more}");
        let line = format!("  {id}  2025-11-22 06:02:20  critical  busy  shop (i-1)\n");
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    }
    let ended = incident.0.run("check --minimize day.jsonl --rules rules --event x --set busy.conditionValue=9");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--set is not possible with it"), "{}", ended.stderr);
    incident.0.write("quiet.jsonl", gauge("shop", "cpu", &[0.1; 30]));
    let ended = incident.0.run("check --minimize quiet.jsonl --rules rules");
    assert!(ended.code == 2 && ended.stderr.contains("has no event"), "{}", ended.stderr);
    let ended = incident.0.run(&format!("check --minimize day.jsonl --rules rules --event {id} -o ./day.jsonl"));
    assert!(ended.code == 2 && ended.stderr.contains("is an input as well"), "{}", ended.stderr);
    let ended = incident.0.run("check --minimize - --rules rules");
    assert!(ended.code == 2 && ended.stderr.contains("name a file"), "{}", ended.stderr);
}
