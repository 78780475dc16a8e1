//! `tune` from outside: what it proposes and why, what it writes, and what it says to bad input.

use super::cli_support::{Folder, START_S, gauge, gauge_from, hump, line, rule};
use serde_json::Value as Json;
use std::fs;

const CPU: &str = "metrics.gauges.app/cpu";

/// Thirty quiet values around `level`.
fn quiet(level: f64) -> Vec<f64> {
    (0..30).map(|i| level * [1.0, 0.9, 0.8][i % 3]).collect()
}

/// A recording with a hump and a rule that fires on it.
fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("hump.jsonl", gauge("shop", "cpu", &hump()))
        .write("calm.jsonl", gauge("shop", "cpu", &quiet(0.2)))
        .write("busy.json", rule("Busy", CPU, 10, 0.8));
    folder
}

fn json(folder: &Folder, arguments: &str) -> Json {
    let ended = folder.run(&format!("tune {arguments} --format json"));
    assert_eq!(ended.code, 0, "{arguments}\n{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// The answer about the only threshold.
fn only(folder: &Folder, arguments: &str) -> Json {
    let document = json(folder, arguments);
    let thresholds = document["thresholds"].as_array().expect("a list");
    assert_eq!(thresholds.len(), 1, "{document:#}");
    thresholds[0].clone()
}

/// What a value would have done.
fn value(answer: &Json, wanted: f64) -> Json {
    let values = answer["values"].as_array().expect("a list");
    let found = values.iter().find(|of| of["value"] == wanted);
    found.unwrap_or_else(|| panic!("{wanted} was not tried: {values:#?}")).clone()
}

/// Events of a replay.
fn events(folder: &Folder, arguments: &str) -> Vec<Json> {
    let ended = folder.run(&format!("replay {arguments} --format json"));
    let document: Json = serde_json::from_str(&ended.stdout).expect("JSON");
    document["events"].as_array().expect("a list").clone()
}

#[test]
fn a_value_that_fires_on_healthy_recordings_is_raised_to_a_round_one_above_them() {
    let folder = folder();
    let answer = only(&folder, "hump.jsonl --rules busy.json");
    assert_eq!((answer["today"].as_f64(), answer["proposed"].as_f64()), (Some(0.8), Some(1.2)));
    assert_eq!(answer["reason"], "fires");
    assert_eq!(answer["provisional"], true);
    assert_eq!(answer["quantiles"].as_array().expect("a list").last().expect("p100")["value"], 1.0);
    let (today, proposed) = (value(&answer, 0.8), value(&answer, 1.2));
    assert_eq!((today["events"].as_u64(), proposed["events"].as_u64()), (Some(1), Some(0)));
    let event = &events(&folder, "hump.jsonl --rules busy.json")[0];
    assert_eq!(today["first"], event["start"]);
    assert_eq!(answer["basis"]["instances"], 1);
    assert_eq!(answer["basis"]["exportInterval"], 10_000);
}

#[test]
fn a_value_that_is_quiet_with_room_stays() {
    let folder = folder();
    let answer = only(&folder, "calm.jsonl --rules busy.json");
    assert_eq!((answer["proposed"].as_f64(), answer["reason"].as_str()), (Some(0.8), Some("fits")));
    let close = only(&folder, "calm.jsonl --rules busy.json --set busy.conditionValue=0.19");
    assert_eq!((close["proposed"].as_f64(), close["reason"].as_str()), (Some(0.25), Some("close")));
}

#[test]
fn every_value_in_the_answer_is_what_a_replay_gives() {
    let folder = folder();
    folder.write("low.json", rule("Low", CPU, 5, 0.3).replace("\">\"", "\"<=\""));
    for (rules, name) in [("busy.json", "busy"), ("low.json", "low")] {
        let answer = only(&folder, &format!("hump.jsonl --rules {rules}"));
        let values = answer["values"].as_array().expect("a list");
        assert!(values.len() >= 4, "{values:#?}");
        for of in values {
            let set = format!("hump.jsonl --rules {rules} --set {name}.conditionValue={}", of["value"]);
            assert_eq!(of["events"].as_u64(), Some(events(&folder, &set).len() as u64), "{name} at {}", of["value"]);
        }
    }
}

#[test]
fn a_lower_bound_is_tuned_to_the_other_side() {
    let folder = folder();
    folder.write("low.json", rule("Low", CPU, 5, 0.3).replace("\">\"", "\"<\""));
    let answer = only(&folder, "hump.jsonl --rules low.json");
    // The lowest average is 0.2: a fifth below it is 0.16, and 0.15 is round.
    assert_eq!((answer["proposed"].as_f64(), answer["reason"].as_str()), (Some(0.15), Some("fires")));
}

#[test]
fn a_bad_recording_is_seen_and_the_healthy_one_is_not() {
    let folder = folder();
    let arguments = "calm.jsonl --bad hump.jsonl --rules busy.json --set busy.conditionValue=2";
    let answer = only(&folder, arguments);
    assert_eq!(answer["reason"], "misses");
    let proposed = answer["proposed"].as_f64().expect("a value");
    assert!(proposed > 0.2 && proposed < 1.0, "{proposed}");
    assert_eq!(value(&answer, proposed)["missed"], 0);
    assert_eq!(value(&answer, 2.0)["missed"], 1);
    let set = format!("--rules busy.json --set busy.conditionValue={proposed}");
    let seen = &events(&folder, &format!("hump.jsonl {set}"))[0];
    let begin = answer_begin(&folder);
    let after = value(&answer, proposed)["seenAfter"][0].as_i64().expect("seen");
    assert_eq!(seen["start"].as_i64(), Some(begin + after));
    assert_eq!(events(&folder, &format!("calm.jsonl {set}")), Vec::<Json>::new());
}

/// The first judged instant of the bad recording.
fn answer_begin(_: &Folder) -> i64 {
    START_S as i64 * 1000
}

#[test]
fn an_incident_explains_what_fires_in_it() {
    let folder = folder();
    let incident = "--incident +90s..+210s@shop";
    let answer = only(&folder, &format!("hump.jsonl --rules busy.json {incident}"));
    assert_eq!((answer["proposed"].as_f64(), answer["reason"].as_str()), (Some(0.8), Some("fits")));
    let today = value(&answer, 0.8);
    assert_eq!(
        (today["events"].as_u64(), today["falseEvents"].as_u64(), today["missed"].as_u64()),
        (Some(1), Some(0), Some(0))
    );
    // Of another service it explains nothing.
    folder.write("till.jsonl", gauge("till", "cpu", &quiet(0.2)));
    let other = only(&folder, "hump.jsonl till.jsonl --rules busy.json --incident 06:01:30..06:03:30@till");
    assert_eq!(value(&other, 0.8)["falseEvents"], 1);
}

#[test]
fn labels_come_from_a_file_and_name_the_definitions_they_are_about() {
    let folder = folder();
    folder
        .write("rules/busy.json", rule("Busy", CPU, 10, 2.0))
        .write("rules/other.json", rule("Other", CPU, 10, 3.0))
        .write("labels/labels.json", r#"[{"recording": "../hump.jsonl", "definitions": ["busy"]}]"#);
    let document = json(&folder, "calm.jsonl --rules rules --labels labels/labels.json");
    let proposed: Vec<_> =
        document["thresholds"].as_array().expect("a list").iter().map(|of| of["reason"].clone()).collect();
    assert_eq!(proposed, ["misses", "fits"]);
    let refused = |labels: &str, words: &str| {
        folder.write("labels.json", labels);
        let ended = folder.run("tune calm.jsonl --rules rules --labels labels.json");
        assert_eq!(ended.code, 2, "{labels}");
        assert!(ended.stderr.contains(words), "{words:?} is not in\n{}", ended.stderr);
    };
    refused("{}", "write a JSON list of labels");
    refused(r#"[{"service": "shop"}]"#, "neither `recording` nor `from` and `to`");
    refused(r#"[{"from": "+1m"}]"#, "`from` and `to` belong together");
    refused(r#"[{"from": "+1m", "to": "noon"}]"#, "`noon`");
    refused(r#"[{"recording": "hump.jsonl", "definitions": ["bussy"]}]"#, "no definition `bussy`");
}

#[test]
fn an_incident_that_one_rule_sees_is_not_the_business_of_the_others() {
    let folder = folder();
    folder.write("rules/busy.json", rule("Busy", CPU, 10, 0.8)).write("rules/other.json", rule("Other", CPU, 10, 3.0));
    let document = json(&folder, "calm.jsonl --bad hump.jsonl --rules rules");
    let reasons: Vec<_> =
        document["thresholds"].as_array().expect("a list").iter().map(|of| of["reason"].clone()).collect();
    assert_eq!(reasons, ["fits", "fits"], "busy sees the bad recording already");
}

#[test]
fn a_budget_allows_a_more_sensitive_value() {
    let folder = folder();
    let strict = only(&folder, "hump.jsonl --rules busy.json --set busy.conditionValue=0.1");
    let generous =
        only(&folder, "hump.jsonl --rules busy.json --set busy.conditionValue=0.1 --max-events-per-week 100000");
    let (strict, generous) =
        (strict["proposed"].as_f64().expect("a value"), generous["proposed"].as_f64().expect("a value"));
    assert!(generous < strict, "{generous} and {strict}");
}

#[test]
fn each_window_is_an_answer_of_its_own() {
    let folder = folder();
    let document = json(&folder, "hump.jsonl --rules busy.json --window 30s,1m,2m");
    let thresholds = document["thresholds"].as_array().expect("a list");
    assert_eq!(thresholds.iter().map(|of| of["window"].clone()).collect::<Vec<_>>(), [30_000, 60_000, 120_000]);
    for of in thresholds {
        let set = format!("hump.jsonl --rules busy.json --set busy.window={}", of["window"]);
        assert_eq!(value(of, 0.8)["events"].as_u64(), Some(events(&folder, &set).len() as u64));
    }
    assert_eq!(thresholds[1]["values"], only(&folder, "hump.jsonl --rules busy.json")["values"]);
}

#[test]
fn little_memory_gives_the_same_answer() {
    let folder = folder();
    for name in ["a", "b", "c", "d"] {
        folder.write(&format!("{name}.jsonl"), gauge(name, "cpu", &hump()));
    }
    let much = folder.run("tune a.jsonl b.jsonl c.jsonl d.jsonl --rules busy.json --format json");
    let little = folder.run("tune a.jsonl b.jsonl c.jsonl d.jsonl --rules busy.json --format json --max-memory 2kB");
    assert_eq!((much.code, little.code), (0, 0), "{}", little.stderr);
    assert_eq!(much.stdout, little.stdout);
    let ended = folder.run_with(
        "tune a.jsonl b.jsonl - --rules busy.json --max-memory 1kB",
        fs::read(folder.path("c.jsonl")).expect("it"),
    );
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--max-memory is too small to read standard input once"), "{}", ended.stderr);
    let none = folder.run("tune a.jsonl b.jsonl c.jsonl d.jsonl --rules busy.json --max-memory 1B");
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("--max-memory is too small for one instance"), "{}", none.stderr);
}

#[test]
fn instances_that_differ_and_other_intervals_are_named() {
    let folder = folder();
    let slow: String = (0..6)
        .map(|i| {
            let nanos = (START_S + 60 * i) * 1_000_000_000;
            line("slow", "cpu", &format!(r#""gauge":{{"dataPoints":[{{"timeUnixNano":"{nanos}","asDouble":0.2}}]}}"#))
        })
        .collect();
    folder.write("slow.jsonl", slow).write("hot.jsonl", gauge("hot", "cpu", &hump()));
    for name in ["a", "b"] {
        folder.write(&format!("{name}.jsonl"), gauge(name, "cpu", &quiet(0.2)));
    }
    let text = folder.run("tune a.jsonl b.jsonl hot.jsonl slow.jsonl --rules busy.json").stdout;
    for words in [
        "one value cannot fit all instances: highest 1 on hot (i-1), 0.18 on the middle one (5.6",
        "another export interval than most (every 10s): slow (i-1) every 1m",
        "based on 4m20s of 4 instances every 10s: low confidence",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    folder.write("sum.json", rule("Sum", CPU, 5, 1.0).replace("\"avg\"", "\"sum\""));
    let text = folder.run("tune calm.jsonl --rules sum.json").stdout;
    assert!(text.contains("depends on the export interval"), "{text}");
}

#[test]
fn three_instances_over_a_day_are_no_longer_provisional() {
    let folder = folder();
    let day = |name: &str| -> String {
        (0..25 * 60)
            .map(|i| {
                let nanos = (START_S + 60 * i) * 1_000_000_000;
                let value = if i % 700 == 699 { 0.9 } else { 0.2 };
                let point = format!(r#""gauge":{{"dataPoints":[{{"timeUnixNano":"{nanos}","asDouble":{value}}}]}}"#);
                line(name, "cpu", &point)
            })
            .collect()
    };
    for name in ["a", "b", "c"] {
        folder.write(&format!("{name}.jsonl"), day(name));
    }
    let rules = rule("Busy", CPU, 10, 0.3).replace("60000", "120000");
    folder.write("pkg/events/busy.json", &rules).write("pkg/package.json", "{ \"version\": \"1.2.3\" }\n");
    let answer = only(&folder, "a.jsonl b.jsonl c.jsonl --rules pkg");
    assert_eq!((answer["provisional"].as_bool(), answer["reason"].as_str()), (Some(false), Some("fires")));
    let ended = folder.run("tune a.jsonl b.jsonl c.jsonl --rules pkg --write pkg");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let proposed = answer["proposed"].as_f64().expect("a value");
    assert_eq!(read(&folder, "pkg/events/busy.json"), rules.replace("0.3", &proposed.to_string()));
    assert_eq!(read(&folder, "pkg/package.json"), "{ \"version\": \"1.2.4\" }\n");
}

fn read(folder: &Folder, path: &str) -> String {
    fs::read_to_string(folder.path(path)).expect("a file")
}

/// A package with odd formatting, a second event that stays, and files that are none of our business.
fn package(folder: &Folder) -> (String, String) {
    let event = "{\r\n\t\"name\" : \"Busy\",  \"entityType\":\"openTelemetry\",\"unknown\":[1,2 ,3],\r\n\t\"rules\":[ {\"ruleType\":\"threshold\",\
                 \"metricName\":\"metrics.gauges.app/cpu\",\"aggregation\":\"avg\",\"window\":60000,\"conditionOperator\":\">\",\
                 \"conditionValue\" : 8.0e-1 ,\"severity\":10} ]}";
    let list = format!("[ {} , {}]", rule("A", "metrics.gauges.app/none", 5, 1.0), rule("B", CPU, 5, 0.5));
    folder
        .write("pkg/events/busy.json", event)
        .write("pkg/events/list.json", &list)
        .write("pkg/dashboards/d.json", "{ \"x\": 1 }")
        .write("pkg/README.md", "# Package\n")
        .write("pkg/package.json", "{\n    \"name\": \"x\", \"version\": \"0.9.9\"\n}\n");
    (event.to_string(), list)
}

#[test]
fn a_written_package_differs_in_its_numbers_and_its_version_alone() {
    let folder = folder();
    let (event, list) = package(&folder);
    let arguments = "tune hump.jsonl --rules pkg --write out/new --accept-provisional";
    let ended = folder.run(arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("changelog: 0.9.10: busy > 1.2 (was 0.8), list-1 > 1.2 (was 0.5)"),
        "{}",
        ended.stderr
    );
    assert_eq!(read(&folder, "out/new/events/busy.json"), event.replace("8.0e-1", "1.2"));
    assert_eq!(
        read(&folder, "out/new/events/list.json"),
        list.replace("\"conditionValue\": 0.5", "\"conditionValue\": 1.2")
    );
    assert_eq!(read(&folder, "out/new/package.json"), read(&folder, "pkg/package.json").replace("0.9.9", "0.9.10"));
    for same in ["README.md", "dashboards/d.json"] {
        assert_eq!(read(&folder, &format!("out/new/{same}")), read(&folder, &format!("pkg/{same}")));
    }
    // What was written gives the events that were promised.
    let document = json(&folder, "hump.jsonl --rules pkg");
    for of in document["thresholds"].as_array().expect("a list").iter().filter(|of| of["proposed"].is_f64()) {
        let promised = value(of, of["proposed"].as_f64().expect("a value"))["events"].clone();
        let got = events(&folder, "hump.jsonl --rules out/new");
        let own = got.iter().filter(|event| event["foreshock"]["definition"] == of["definition"]).count();
        assert_eq!(promised.as_u64(), Some(own as u64));
    }
    let again = folder.run("tune hump.jsonl --rules out/new --write out/again --accept-provisional");
    assert_eq!(again.code, 0);
    assert!(again.stderr.contains("nothing was written: no value changes"), "{}", again.stderr);
}

#[test]
fn provisional_values_are_written_only_when_they_are_accepted() {
    let folder = folder();
    let (event, _) = package(&folder);
    let ended = folder.run("tune hump.jsonl --rules pkg --write pkg");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("--accept-provisional"), "{}", ended.stderr);
    assert_eq!(read(&folder, "pkg/events/busy.json"), event);
    assert_eq!(folder.run("tune hump.jsonl --rules pkg --write pkg --accept-provisional").code, 0);
    assert_eq!(read(&folder, "pkg/events/busy.json"), event.replace("8.0e-1", "1.2"));
}

#[test]
fn the_built_in_package_can_be_written() {
    let folder = folder();
    let disk: String = (0..120)
        .map(|i| {
            let nanos = (START_S + 10 * i) * 1_000_000_000;
            let point = format!(r#"{{"timeUnixNano":"{nanos}","asInt":"{}","attributes":[]}}"#, i * 1_000_000);
            let sum = format!(r#""sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{point}]}}"#);
            line("shop", "system.disk.io", &sum)
                .replace("\"app\"", "\"opentelemetry.instrumentation.system_metrics\"")
                .replace(
                    "[{\"key\"",
                    "[{\"key\":\"telemetry.sdk.language\",\"value\":{\"stringValue\":\"python\"}},{\"key\"",
                )
        })
        .collect();
    folder.write("disk.jsonl", disk);
    let ended = folder.run("tune disk.jsonl --rules builtin:python --write mine --accept-provisional");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(read(&folder, "mine/events/high-disk-io.json").contains("\"conditionValue\": 120000"));
    assert!(read(&folder, "mine/package.json").contains("\"version\": \"1.0.1\""));
    assert!(folder.path("mine/README.md").exists());
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_judged() {
    let folder = folder();
    package(&folder);
    folder.write("full/file.txt", "x");
    let says = |arguments: &str, words: &str| {
        let ended = folder.run(&format!("tune hump.jsonl {arguments}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments}");
        assert!(ended.stderr.contains(words), "{words:?} is not in\n{}", ended.stderr);
    };
    says("--rules pkg --write full", "the folder is not empty");
    says("--rules pkg --write pkg/inside", "lies inside the package");
    says("--rules pkg --write new --set busy.conditionValue=2", "--set");
    says("--rules pkg --write new --window 1m", "--window");
    says("--rules pkg --rules busy.json --write new", "name one package");
    says("--write new", "name one package");
    says("--rules pkg --accept-provisional", "it needs --write");
    // These are known only when there is something to write.
    folder.write("pkg/package.json", "{\"version\": \"1.0.0-beta\"}");
    let ended = folder.run("tune hump.jsonl --rules pkg --write new --accept-provisional");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("`1.0.0-beta` is not of the form 1.2.3"), "{}", ended.stderr);
    assert!(!folder.path("new").exists());
    folder.write("param.json", rule("P", CPU, 5, 0.8).replace("0.8", "{{limit}}"));
    let ended = folder.run("tune hump.jsonl --rules param.json --param limit=0.8 --write new --accept-provisional");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("written as `{{limit}}`"), "{}", ended.stderr);
}

#[test]
fn bad_input_gets_a_sentence_and_its_exit_code() {
    let folder = folder();
    folder
        .write("empty.jsonl", "")
        .write(
            "nan.jsonl",
            gauge("shop", "cpu", &hump())
                .replace("\"asDouble\":1", "\"asDouble\":\"NaN\"")
                .replace("\"asDouble\":0.2", "\"asDouble\":\"NaN\""),
        )
        .write("other.json", rule("Other", "metrics.gauges.app/memory", 5, 1.0))
        .write("same.json", rule("Same", CPU, 5, 1.0).replace("\">\"", "\"=\""))
        .write("zero.jsonl", gauge("shop", "cpu", &[0.0; 30]));
    let says = |arguments: &str, code: i32, words: &[&str]| {
        let ended = folder.run(&format!("tune {arguments}"));
        assert_eq!(ended.code, code, "{arguments}\n{}{}", ended.stdout, ended.stderr);
        let all = ended.stdout + &ended.stderr;
        for word in words {
            assert!(all.contains(word), "{arguments}: {word:?} is not in\n{all}");
        }
    };
    let rules = "--rules busy.json";
    says(
        &format!("hump.jsonl {rules} --incident +1h..+2h"),
        2,
        &["does not overlap the recordings, which reach from 2025-11-22T06:00:00Z"],
    );
    says(&format!("hump.jsonl {rules} --incident +2m..+1m"), 2, &["ends before it begins"]);
    says(&format!("hump.jsonl {rules} --incident +1m..+2m@till"), 2, &["no service `till`", "there are shop"]);
    says(&format!("hump.jsonl {rules} --incident noon"), 2, &["FROM..TO"]);
    says(&format!("hump.jsonl {rules} --bad missing.jsonl"), 2, &["missing.jsonl"]);
    says(&format!("hump.jsonl {rules} --bad empty.jsonl"), 2, &["empty.jsonl", "nothing was evaluated"]);
    says(&format!("hump.jsonl {rules} --window 0s"), 2, &["1s"]);
    says(&format!("- {rules} --window 1m,2m"), 2, &["standard input"]);
    says(&format!("hump.jsonl {rules} --max-events-per-week=-1"), 2, &["--max-events-per-week"]);
    says(&format!("empty.jsonl {rules}"), 4, &["no metrics received"]);
    says(&format!("empty.jsonl {rules} --allow-no-data"), 0, &[]);
    says(
        &format!("nan.jsonl {rules}"),
        4,
        &["30 data points dropped: 30 not_finite", "no threshold could be evaluated"],
    );
    says("hump.jsonl --rules other.json", 4, &["other", "no threshold could be evaluated"]);
    says("hump.jsonl --rules other.json --rules busy.json", 0, &["1 without a proposal"]);
    says("hump.jsonl --rules same.json", 4, &["= and != have no order of thresholds to try"]);
    says("zero.jsonl --rules busy.json --set busy.conditionValue=-1", 0, &["the value was 0 all the time"]);
    says(&format!("hump.jsonl {rules} -o hump.jsonl"), 2, &["hump.jsonl is an input"]);
}

#[test]
fn damage_is_said_and_nothing_is_written() {
    let folder = folder();
    package(&folder);
    let good = gauge_from(START_S, "shop", "cpu", &hump());
    folder.write("damaged.jsonl", format!("{{\"resourceMetrics\":[17]}}\n{good}"));
    let ended = folder.run("tune damaged.jsonl --rules pkg --write new --accept-provisional");
    assert_eq!(ended.code, 4);
    assert!(ended.stdout.contains("damaged.jsonl: line 1"), "{}", ended.stdout);
    assert!(!folder.path("new").exists());
}

#[test]
fn rules_that_decide_together_are_tuned_one_at_a_time() {
    let folder = folder();
    let two = |operator: &str| {
        let rule = |metric: &str, value: f64| {
            format!(
                r#"{{"ruleType":"threshold","metricName":"metrics.gauges.app/{metric}","aggregation":"avg","window":60000,"conditionOperator":">","conditionValue":{value}}}"#
            )
        };
        format!(
            r#"{{"name":"Two","entityType":"openTelemetry","ruleLogicalOperator":"{operator}","rules":[{},{}]}}"#,
            rule("cpu", 0.5),
            rule("load", 0.5)
        )
    };
    folder.write("load.jsonl", gauge("shop", "load", &quiet(0.2)));
    folder.write("and.json", two("AND")).write("or.json", two("OR"));
    let of = |rules: &str| json(&folder, &format!("hump.jsonl load.jsonl --rules {rules}"))["thresholds"].clone();
    let and = of("and.json");
    // The load never exceeds its value, so the other rule alone never decides.
    assert_eq!((&and[0]["reason"], &and[0]["proposed"]), (&Json::from("fits"), &Json::from(0.5)));
    assert_eq!(value(&and[1], 0.5)["events"], 0);
    let or = of("or.json");
    assert_eq!(or[0]["reason"], "fires");
    // Whatever the load's value, the CPU fires.
    assert!(or[1]["proposed"].is_null(), "{or:#}");
    for (number, metric) in ["cpu", "load"].iter().enumerate() {
        for of in [&and[number], &or[number]].iter().flat_map(|answer| answer["values"].as_array().expect("a list")) {
            assert!(of["events"].as_u64().expect("a number") <= 1, "{metric}");
        }
    }
}

#[test]
fn the_text_and_the_markdown_say_what_a_person_needs() {
    let folder = folder();
    let text = folder.run("tune hump.jsonl --rules busy.json").stdout;
    for words in [
        "busy  > 0.8  1.2",
        "currently 1 event, firing 28% of the time; highest 1, 20% headroom",
        "based on 4m10s of 1 instance every 10s: low confidence",
        "1 threshold: 1 to change (1 with low confidence), 0 to keep, 0 without a proposal.",
        "0.8 (current)",
        "1.2 (proposed)",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 96), "{text}");
    let markdown = folder.run("tune hump.jsonl --rules busy.json --format markdown -o answer.md");
    assert_eq!((markdown.code, markdown.stdout.as_str()), (0, ""));
    let markdown = read(&folder, "answer.md");
    assert!(
        markdown.contains("| busy | 1m | &gt; 0\\.8 | **1\\.2** | 4m10s of 1 instance every 10s (low confidence) |"),
        "{markdown}"
    );
}
