//! Event definitions through the public face: the reference files, the embedded package, values and defaults, names.

use foreshock::definition::{
    Aggregation, CompareOp, EventDefinition, LogicalOperator, Presence, Problem, RuleKind, Selector, Settings,
    Severity, Source, Threshold, builtin, load, parse,
};
use foreshock::model::{Attributes, Value};
use std::path::Path;

/// Every `.json` file below a folder, by path.
fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, into: &mut Vec<Source>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                into.push(Source { path: path.to_str().unwrap().replace('\\', "/"), text });
            }
        }
    }
    let mut into = Vec::new();
    walk(Path::new(folder), &mut into);
    into
}

/// `<file without folder and .json> <code> <path>` per problem.
fn problems_in_short(folder: &str, problems: &[Problem]) -> Vec<String> {
    let short =
        |file: &str| file.trim_start_matches(folder).trim_start_matches('/').trim_end_matches(".json").to_string();
    problems.iter().map(|p| format!("{} {} {}", short(&p.file), p.code, p.path).trim_end().to_string()).collect()
}

#[test]
fn published_packages_load_and_name_what_is_off_spec() {
    let folder = "fixtures/packages";
    let loaded = load(&sources(folder), &Settings::default());
    assert_eq!(loaded.definitions.len(), 28);
    assert!(loaded.left_out.is_empty());
    assert!(loaded.definitions.iter().all(EventDefinition::is_evaluated));
    assert!(loaded.problems.iter().all(|p| p.severity == Severity::Warning && p.position.is_some()));
    assert_eq!(
        problems_in_short(folder, &loaded.problems),
        [
            "go/events/heap-allocation-spike unpublished-aggregation rules[0].aggregation",
            "go/events/memory-leak-detection unpublished-aggregation rules[0].aggregation",
            "jenkins/events/executor-exhaustion old-operator rules[0].conditionOperator",
            "jenkins/events/failed-job old-operator rules[0].conditionOperator",
            "nodejs/events/frequent-major-gc unpublished-aggregation rules[0].aggregation",
            "nodejs/events/memory-leak-detection unpublished-aggregation rules[0].aggregation",
            "python/events/excessive-context-switching unpublished-aggregation rules[0].aggregation",
            "python/events/frequent-garbage-collection unpublished-aggregation rules[0].aggregation",
            "python/events/high-disk-io unpublished-aggregation rules[0].aggregation",
            "python/events/high-network-io unpublished-aggregation rules[0].aggregation",
            "python/events/memory-leak-detection unpublished-aggregation rules[0].aggregation",
        ]
    );
}

#[test]
fn reference_definitions_load_and_name_what_is_off_spec() {
    let folder = "fixtures/definitions";
    let loaded = load(&sources(folder), &Settings::default());
    assert_eq!(loaded.definitions.len(), 20);
    assert!(!loaded.has_errors());
    assert_eq!(
        problems_in_short(folder, &loaded.problems),
        [
            "07-host-fs-free-metric-pattern quoted-number expirationTime",
            "08-host-fs-free-fixed-metric quoted-number expirationTime",
            "09-system-rule-entity-offline quoted-number expirationTime",
            "10-entity-verification-jvm quoted-number expirationTime",
            "19-entity-count-verification-process unanswerable-query query",
            "20-entity-verification-process unanswerable-query query",
            "28-pattern-startswith-window-rollup unanswerable-query query",
            "smart-alerts/infra-high-mean-memory-usage not-an-event",
        ]
    );
    let left_out: Vec<_> = loaded.left_out.iter().map(|l| (l.file.as_str(), l.index, l.reason)).collect();
    let smart = "fixtures/definitions/smart-alerts/infra-high-mean-memory-usage.json";
    assert_eq!(left_out, [(smart, None, "a smart alert")]);
}

/// The embedded files of one package.
fn embedded(package: &str) -> Vec<Source> {
    builtin().into_iter().filter(|source| source.path.starts_with(package)).collect()
}

#[test]
fn embedded_rules_say_the_same_as_the_published_ones_in_other_words() {
    let ours = embedded("builtin:python/");
    let theirs = sources("fixtures/packages/python");
    assert_eq!(ours.len(), theirs.len());
    for (our, their) in ours.iter().zip(&theirs) {
        assert_eq!(our.path.rsplit('/').next(), their.path.rsplit('/').next());
        let mut our: serde_json::Value = serde_json::from_str(&our.text).unwrap();
        let mut their: serde_json::Value = serde_json::from_str(&their.text).unwrap();
        assert_ne!(our["description"], their["description"]);
        our["description"].take();
        their["description"].take();
        assert_eq!(our, their);
    }
    let loaded = load(&ours, &Settings::default());
    assert_eq!(loaded.definitions.len(), 8);
    assert!(loaded.definitions.iter().all(EventDefinition::is_evaluated));
    assert_eq!(loaded.definitions[0].file, "builtin:python/events/excessive-context-switching.json");
}

#[test]
fn the_embedded_package_can_be_published() {
    let package = std::fs::read_to_string("rules/python/package.json").unwrap();
    let package: serde_json::Value = serde_json::from_str(&package).unwrap();
    for key in ["name", "version", "author", "license", "description"] {
        assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{key}");
    }
    assert_eq!(package["publishConfig"]["access"], "public");
    let readme = std::fs::read_to_string("rules/python/README.md").unwrap();
    let headings: Vec<&str> =
        readme.lines().filter(|l| l.starts_with('#')).map(|l| l.trim_start_matches('#').trim()).collect();
    let name = package["name"].as_str().unwrap();
    for heading in [name, "Metrics", "Semantic Conventions", "Resource Attributes", "Events"] {
        assert!(headings.contains(&heading), "{heading}");
    }
    for source in embedded("builtin:python/") {
        let event: serde_json::Value = serde_json::from_str(&source.text).unwrap();
        let row = format!("| {} | {} |", event["name"].as_str().unwrap(), event["description"].as_str().unwrap());
        assert!(readme.contains(&row), "{row}");
        assert_eq!(source.text, serde_json_pretty_in_order(&source.text), "{}", source.path);
    }
}

/// The text with two spaces of indentation and a newline at the end; the order of keys is kept by working on lines.
fn serde_json_pretty_in_order(text: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for line in text.lines().map(str::trim) {
        let closes = line.starts_with(['}', ']']);
        depth -= usize::from(closes);
        out.push_str(&format!("{}{line}\n", "  ".repeat(depth)));
        depth += usize::from(line.ends_with(['{', '[']));
    }
    out
}

fn one(text: &str) -> EventDefinition {
    let (mut definitions, problems) = parse("x/events/one.json", text);
    assert_eq!(definitions.len(), 1, "{problems:?}");
    definitions.remove(0)
}

fn threshold(definition: &EventDefinition) -> &Threshold {
    match &definition.rules[0].kind {
        RuleKind::Threshold(threshold) => threshold,
        other => panic!("{other:?}"),
    }
}

fn presence(rule: &str) -> Presence {
    let definition = one(&format!(r#"{{"name":"n","entityType":"host","rules":[{rule}]}}"#));
    assert_eq!(definition.problem, None);
    match definition.rules.into_iter().next().unwrap().kind {
        RuleKind::Presence(presence) => presence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn absent_keys_have_their_defaults() {
    let d = one(
        r#"{"name":"t","entityType":"e","query":null,"rules":[{"ruleType":"threshold","metricName":"metrics.sums.m",
            "aggregation":"avg","window":null,"rollup":"60000","conditionOperator":"==","conditionValue":1.0}]}"#,
    );
    assert_eq!((d.name.as_str(), d.file.as_str(), d.title.as_str()), ("one", "x/events/one.json", "t"));
    assert_eq!((d.description.as_str(), d.entity_type.as_str(), d.query.text.as_str()), ("", "e", ""));
    assert_eq!((d.enabled, d.triggering, d.expiration_ms, d.operator), (true, false, 0, LogicalOperator::And));
    assert_eq!((d.rules[0].severity, d.rules[0].rule_type.as_str()), (5, "threshold"));
    let t = threshold(&d);
    assert_eq!((t.window_ms, t.rollup_ms), (60_000, 60_000));
    assert_eq!((t.condition.operator, t.condition.value), (CompareOp::Equal, 1.0));
}

#[test]
fn what_is_written_is_kept_for_outputs() {
    let d = one(
        r#"{"name":"t","entityType":"e","description":"d","query":"entity.type:otel","enabled":false,"triggering":true,
            "expirationTime":6e4,"ruleLogicalOperator":"OR","rules":[{"ruleType":"threshold","severity":10,
            "metricPattern":{"prefix":"fs","operator":"endsWith","placeholder":"/xvda1","postfix":"free"},
            "aggregation":"p95","window":60000,"rollup":0,"conditionOperator":"==","conditionValue":3}]}"#,
    );
    assert_eq!((d.enabled, d.triggering, d.expiration_ms, d.operator), (false, true, 60_000, LogicalOperator::Or));
    assert!(!d.is_evaluated());
    let rule = &d.rules[0];
    assert_eq!(rule.severity, 10);
    assert_eq!(rule.written.aggregation.as_deref(), Some("p95"));
    assert_eq!(rule.written.operator.as_deref(), Some("=="));
    assert_eq!(rule.written.value.as_ref().unwrap().to_string(), "3");
    assert_eq!(rule.written.pattern.as_ref().unwrap()["placeholder"], "/xvda1");
    let t = threshold(&d);
    assert_eq!((t.aggregation, t.window_ms, t.rollup_ms), (Aggregation::Percentile(0.95), 60_000, 0));
    assert!(matches!(&t.selector, Selector::Pattern(p) if p.postfix == "free"));
}

#[test]
fn every_aggregation_is_known() {
    let names = "avg sum min max rate delta count absolute_diff relative_diff p25 p50 p75 p90 p95 p98 p99";
    for name in names.split(' ') {
        let d = one(&format!(
            r#"{{"name":"t","entityType":"e","rules":[{{"ruleType":"threshold","metricName":"m","aggregation":"{name}",
                "window":1,"conditionOperator":"<","conditionValue":1}}]}}"#
        ));
        assert_eq!(d.problem, None, "{name}");
    }
}

#[test]
fn presence_rules_have_their_defaults() {
    let minutes = 60_000;
    assert!(matches!(presence(r#"{"ruleType":"system","systemRuleId":"entity.offline"}"#), Presence::Offline));
    let Presence::Availability { offline_ms, close_after_ms, tag_filter } =
        presence(r#"{"ruleType":"host_availability","tagFilter":null}"#)
    else {
        panic!()
    };
    assert_eq!((offline_ms, close_after_ms, tag_filter.is_none()), (5 * minutes, 24 * 60 * minutes, true));
    let count = r#"{"ruleType":"entity_count","conditionOperator":">=","conditionValue":2}"#;
    assert!(matches!(presence(count), Presence::Count { condition } if condition.value == 2.0));
    let matching = r#""matchingEntityType":"OTel","matchingEntityLabel":"Shop","matchingOperator":"startsWith""#;
    let Presence::Verification { matching: entity, offline_ms } =
        presence(&format!(r#"{{"ruleType":"entity_verification",{matching}}}"#))
    else {
        panic!()
    };
    assert_eq!(offline_ms, 5 * minutes);
    let named = |name: &str| Attributes::new(vec![("service.name".into(), Value::String(name.into()))]);
    assert!(entity.selects(&named("sHOP-1")) && !entity.selects(&named("a shop")));
    let rule = format!(
        r#"{{"ruleType":"entity_count_verification",{matching},"offlineDuration":1000,"conditionOperator":"<","conditionValue":1}}"#
    );
    assert!(matches!(presence(&rule), Presence::CountVerification { offline_ms: 1000, .. }));
}

#[test]
fn tag_filters_select_resources() {
    let resource = Attributes::new(vec![("Stage".into(), Value::String("Prod-1".into()))]);
    let cases = [
        ("stage", "EQUALS", "prod-1", true),
        ("stage", "EQUALS", "prod", false),
        ("stage", "NOT_EQUAL", "prod", true),
        ("stage", "CONTAINS", "od", true),
        ("stage", "NOT_CONTAIN", "od", false),
        ("stage", "STARTS_WITH", "PROD", true),
        ("stage", "ENDS_WITH", "1", true),
        ("stage", "IS_EMPTY", "", false),
        ("absent", "EQUALS", "", false),
        ("absent", "NOT_EQUAL", "x", true),
        ("absent", "IS_EMPTY", "", true),
        ("absent", "NOT_BLANK", "", false),
    ];
    for (key, operator, value, wanted) in cases {
        let filter =
            format!(r#"{{"name":"tag","key":"{key}","operator":"{operator}","value":"{value}","entity":"X"}}"#);
        let rule = format!(r#"{{"ruleType":"host_availability","tagFilter":{filter}}}"#);
        let Presence::Availability { tag_filter: Some(filter), .. } = presence(&rule) else { panic!() };
        assert_eq!(filter.selects(&resource), wanted, "{key} {operator} {value}");
    }
}

fn names(paths: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> =
        paths.iter().map(|(p, t)| Source { path: (*p).to_string(), text: (*t).to_string() }).collect();
    load(&sources, &Settings::default()).definitions.into_iter().map(|d| format!("{} < {}", d.name, d.file)).collect()
}

#[test]
fn names_are_as_long_as_they_must_be() {
    let event = r#"{"name":"n","entityType":"e","rules":[]}"#;
    let list = r#"[{"name":"n","entityType":"e","rules":[]},{"other":1},{"name":"n","entityType":"e","rules":[]}]"#;
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let table: [Row; 9] = [
        (&[("a/events/x.json", event)], &["x < a/events/x.json"]),
        (
            &[("p/events/x.json", event), ("q\\events\\x.json", event), ("y.json", event)],
            &["p/x < p/events/x.json", "q/x < q\\events\\x.json", "y < y.json"],
        ),
        (&[("q/x.json", event), ("x.json", event)], &["q/x < q/x.json", "x < x.json"]),
        (
            &[("a/p/events/x.json", event), ("b/p/events/x.json", event)],
            &["a/p/x < a/p/events/x.json", "b/p/x < b/p/events/x.json"],
        ),
        (
            &[("p/events/s/x.json", event), ("p/events/t/x.json", event)],
            &["p/s/x < p/events/s/x.json", "p/t/x < p/events/t/x.json"],
        ),
        (&[("X.JSON", event), ("é", event)], &["X < X.JSON", "é < é"]),
        (&[("l.json", list)], &["l-0 < l.json", "l-2 < l.json"]),
        (&[("l.json", list), ("l-0.json", event)], &["l-0 < l.json", "l-0#2 < l-0.json", "l-2 < l.json"]),
        (
            &[("builtin:python/events/x.json", event), ("rules/python/events/x.json", event)],
            &["python/x < builtin:python/events/x.json", "rules/python/x < rules/python/events/x.json"],
        ),
    ];
    for (paths, wanted) in table {
        assert_eq!(names(paths), wanted);
    }
}

#[test]
fn definitions_of_a_list_know_their_place() {
    let list = r#"[{"other":1},{"name":"n","entityType":"e","rules":[]}]"#;
    let (definitions, problems) = parse("l.json", list);
    assert_eq!((definitions[0].name.as_str(), definitions[0].index), ("l-1", Some(1)));
    assert_eq!(problems[1].path, definitions[0].path_in_file("rules"));
}

#[test]
fn a_file_named_twice_is_loaded_once() {
    let text = r#"{"name":"n","entityType":"e","rules":[]}"#.to_string();
    let sources = ["a/x.json", "./a/x.json", "/a/x.json"].map(|path| Source { path: path.into(), text: text.clone() });
    let loaded = load(&sources, &Settings::default());
    assert_eq!(loaded.definitions.len(), 2);
    let twice: Vec<&str> =
        loaded.problems.iter().filter(|p| p.code == "loaded-twice").map(|p| p.file.as_str()).collect();
    assert_eq!(twice, ["./a/x.json"]);
}
