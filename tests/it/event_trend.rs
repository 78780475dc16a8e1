//! Trend rules as definitions: what is read, what is a mistake and where, and the schema that documents them.

use foreshock::definition::{
    EventDefinition, MemoryLimit, Problem, RuleKind, Settings, Severity, Source, Trend, TrendParameters, builtin, load,
    parse,
};
use serde_json::{Value as Json, json};

const METRIC: &str = "metrics.sums.process.memory.usage";

fn read(rule: &Json) -> (EventDefinition, Vec<Problem>) {
    let text = json!({"name": "n", "entityType": "e", "rules": [rule]}).to_string();
    let (mut definitions, problems) = parse("leak.json", &text);
    assert_eq!(definitions.len(), 1, "{rule}: {problems:?}");
    (definitions.remove(0), problems)
}

fn with(keys: &Json) -> Json {
    let mut rule = json!({"ruleType": "trend", "metricName": METRIC});
    let (own, keys) = (rule.as_object_mut().expect("an object"), keys.as_object().expect("an object"));
    own.extend(keys.clone());
    rule
}

fn trend(rule: &Json) -> Trend {
    let (definition, problems) = read(rule);
    assert_eq!(definition.problem, None, "{rule}");
    assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
    assert_eq!((problems[0].code, problems[0].severity), ("not-importable", Severity::Warning));
    match &definition.rules[0].kind {
        RuleKind::Trend(trend) => trend.clone(),
        other => panic!("{other:?}"),
    }
}

/// `<severity> <code> <path>: <text at the place>` of every problem but the one that all trend rules have.
fn problems(rule: &Json) -> Vec<String> {
    let text = json!({"name": "n", "entityType": "e", "rules": [rule]}).to_string();
    let (_, problems) = parse("leak.json", &text);
    let others = problems.iter().filter(|p| p.code != "not-importable");
    others
        .map(|p| {
            let at = p.position.map_or("", |at| &text[at.bytes.0..at.bytes.1]);
            format!("{:?} {} {}: {at}", p.severity, p.code, p.path)
        })
        .collect()
}

#[test]
fn an_empty_rule_has_the_defaults() {
    let read = trend(&with(&json!({})));
    assert_eq!(read.parameters, TrendParameters::default());
    assert_eq!(read.metrics.iter().map(|id| id.text.as_str()).collect::<Vec<_>>(), [METRIC]);
    assert!(read.memory_limit.is_none());
    assert_eq!(read.parameters.shortest_ms(), 510_000);
}

#[test]
fn a_profile_is_where_the_other_keys_begin() {
    let early = trend(&with(&json!({"profile": "early"}))).parameters;
    assert_eq!((early.hold_ms, early.smin, early.dec, early.rho2), (120_000, 4096.0, 0.8, 0.25));
    assert_eq!(early.ladder.iter().map(|rung| rung.growth).collect::<Vec<_>>(), [0.25, 0.08, 0.06, 0.06]);
    let strict = trend(&with(&json!({"profile": "strict", "hold": 240_000}))).parameters;
    assert_eq!((strict.hold_ms, strict.smin), (240_000, 8192.0));
    assert_eq!(strict.ladder.iter().map(|rung| rung.growth).collect::<Vec<_>>(), [0.30, 0.15, 0.12, 0.12]);
}

#[test]
fn the_schema_and_the_example_know_every_profile() {
    let text = std::fs::read_to_string("docs/trend-rule.schema.json").expect("the schema");
    let schema: Json = serde_json::from_str(&text).expect("JSON");
    let names = schema["properties"]["profile"]["enum"].as_array().expect("names");
    assert_eq!(names.len(), 4);
    for name in names {
        let read = trend(&with(&json!({"profile": name}))).parameters;
        assert_eq!(Some(&read), TrendParameters::profile(name.as_str().expect("a name")).as_ref());
        assert_eq!(read == TrendParameters::default(), name == "default");
    }
    assert_eq!(TrendParameters::profile("patient").expect("a profile").shortest_ms(), 630_000);
}

#[test]
fn limits_are_bytes_or_metrics() {
    let limit = |value: Json| trend(&with(&json!({"memoryLimit": value}))).memory_limit;
    assert!(matches!(limit(json!(1_073_741_824)), Some(MemoryLimit::Bytes(bytes)) if bytes == 1_073_741_824.0));
    let metric = "metrics.gauges.container.memory.limit";
    assert!(matches!(limit(json!(metric)), Some(MemoryLimit::Metric(id)) if id.text == metric));
    assert_eq!(problems(&with(&json!({"memoryLimit": 0}))), ["Unevaluable out-of-range rules[0].memoryLimit: 0"]);
    assert_eq!(problems(&with(&json!({"memoryLimit": true}))), ["Error wrong-type rules[0].memoryLimit: true"]);
}

#[test]
fn every_mistake_has_its_place() {
    let one = |keys: Json| {
        let found = problems(&with(&keys));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    assert_eq!(one(json!({"metricName": ""})), "Unevaluable no-metric rules[0].metricName: \"\"");
    assert_eq!(one(json!({"metricName": []})), "Unevaluable no-metric rules[0].metricName: []");
    assert_eq!(one(json!({"metricName": [METRIC, 5]})), "Error wrong-type rules[0].metricName[1]: 5");
    let histogram = "metrics.histograms.http.server.duration";
    assert_eq!(
        one(json!({"metricName": histogram})),
        format!("Unevaluable no-metric rules[0].metricName: \"{histogram}\"")
    );
    assert_eq!(one(json!({"metricName": "metrics.sums.m{a}"})), "Unevaluable malformed-metric rules[0].metricName: }");
    assert_eq!(one(json!({"profile": "erly"})), "Unevaluable unknown-profile rules[0].profile: \"erly\"");
    assert_eq!(one(json!({"rho": -1})), "Unevaluable out-of-range rules[0].rho: -1");
    assert_eq!(one(json!({"zmin": "3"})), "Error wrong-type rules[0].zmin: \"3\"");
    assert_eq!(one(json!({"cover": 1.5})), "Unevaluable out-of-range rules[0].cover: 1.5");
    assert_eq!(one(json!({"hold": -5})), "Unevaluable out-of-range rules[0].hold: -5");
    assert_eq!(one(json!({"skip": 99_000_000})), "Unevaluable out-of-range rules[0].skip: 99000000");
    assert_eq!(one(json!({"ladder": []})), "Unevaluable out-of-range rules[0].ladder: []");
    let rung = |keys: Json| one(json!({"ladder": [keys]}));
    assert_eq!(
        rung(json!({"window": 1000, "points": 10, "growth": 0.1})),
        "Unevaluable out-of-range rules[0].ladder[0].window: 1000"
    );
    assert_eq!(
        rung(json!({"window": 300_000, "points": 5, "growth": 0.1})),
        "Unevaluable out-of-range rules[0].ladder[0].points: 5"
    );
    assert_eq!(rung(json!({"window": 300_000, "points": 10})), "Unevaluable missing-key rules[0].ladder[0].growth: {");
    assert_eq!(
        rung(json!({"window": 300_000, "points": 10, "growth": 0.1, "grow": 1})),
        "Warning unknown-key rules[0].ladder[0].grow: \"grow\""
    );
    assert_eq!(
        rung(json!({"window": 120_000, "points": 10, "growth": 0.1})),
        "Warning never-fires rules[0].nmin: {",
        "four buckets are never eight points"
    );
    let long = json!({"window": 600_000, "points": 10, "growth": 0.1});
    let found = one(json!({"ladder": [long, long]}));
    assert!(found.starts_with("Unevaluable out-of-range rules[0].ladder: ["), "{found}");
    assert_eq!(one(json!({"aggregation": "avg"})), "Warning unknown-key rules[0].aggregation: \"aggregation\"");
}

#[test]
fn trends_stand_alone_in_a_definition() {
    let threshold = r#"{"ruleType":"threshold","metricName":"m","aggregation":"avg","window":1,"conditionOperator":">","conditionValue":1}"#;
    let trend = format!(r#"{{"ruleType":"trend","metricName":"{METRIC}"}}"#);
    let text = format!(r#"{{"name":"n","entityType":"e","rules":[{trend},{threshold}]}}"#);
    let (definitions, problems) = parse("mixed.json", &text);
    assert!(definitions[0].problem.as_ref().is_some_and(|problem| problem.contains("mixes trend rules")));
    assert!(problems.iter().any(|p| p.code == "mixed-rules" && p.path == "rules"), "{problems:?}");
}

#[test]
fn silence_is_ten_minutes_unless_said_otherwise() {
    let expiration = |keys: &str| {
        let text = format!(
            r#"{{"name":"n","entityType":"e",{keys}"rules":[{{"ruleType":"trend","metricName":"{METRIC}"}}]}}"#
        );
        parse("leak.json", &text).0[0].expiration_ms
    };
    assert_eq!(expiration(""), 600_000);
    assert_eq!(expiration("\"expirationTime\":60000,"), 60_000);
    assert_eq!(expiration("\"expirationTime\":0,"), 0);
}

#[test]
fn fields_can_be_set_from_outside() {
    let sources: Vec<Source> = builtin().into_iter().filter(|s| s.path.starts_with("builtin:local/")).collect();
    let set = |text: &str| load(&sources, &Settings { overrides: vec![text.to_string()], ..Settings::default() });
    let kind = |text: &str| match &set(text).definitions[0].rules[0].kind {
        RuleKind::Trend(trend) => trend.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind("memory-leak-trend.profile=strict").parameters.hold_ms, 300_000);
    assert_eq!(kind("memory-leak-trend.smin=1024").parameters.smin, 1024.0);
    assert!(kind("memory-leak-trend.memoryLimit=1e9").memory_limit.is_some());
    assert_eq!(kind("memory-leak-trend.metricName=metrics.gauges.heap").metrics.len(), 1);
    assert!(set("memory-leak-trend.ladder=5").has_errors());
}

#[test]
fn the_shipped_rule_is_judged_and_only_says_what_it_is() {
    let sources: Vec<Source> = builtin().into_iter().filter(|s| s.path.starts_with("builtin:local/")).collect();
    let loaded = load(&sources, &Settings::default());
    let found: Vec<_> = loaded.problems.iter().map(|p| (p.severity, p.code)).collect();
    assert_eq!(found, [(Severity::Warning, "not-importable")]);
    assert_eq!(loaded.definitions.len(), 1);
    assert!(loaded.definitions[0].is_evaluated());
    assert_eq!(loaded.definitions[0].name, "memory-leak-trend");
}

#[test]
fn the_schema_says_what_is_read() {
    let text = std::fs::read_to_string("docs/trend-rule.schema.json").expect("the schema");
    let schema: Json = serde_json::from_str(&text).expect("JSON");
    let properties = schema["properties"].as_object().expect("properties");
    // Every default, written out, is what an empty rule has.
    let defaults: serde_json::Map<String, Json> =
        properties.iter().filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone()))).collect();
    assert_eq!(defaults.len(), properties.len() - 3, "all but the type, the metric and the limit have one");
    let written = trend(&with(&Json::Object(defaults.clone())));
    assert_eq!(written.parameters, TrendParameters::default());
    // The bounds of numbers are where reading ends.
    for (key, property) in properties.iter().filter(|(_, property)| property.get("maximum").is_some()) {
        for (bound, step) in [("minimum", -1.0), ("maximum", 1.0)] {
            let bound = property[bound].as_f64().expect("a number");
            let number = |value: f64| if value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            let found = problems(&with(&json!({ key.as_str(): number(bound) })));
            assert!(found.iter().all(|p| !p.contains("out-of-range")), "{key} {bound}: {found:?}");
            let found = problems(&with(&json!({ key.as_str(): number(bound + step) })));
            assert!(found.iter().any(|p| p.contains("out-of-range")), "{key} {}: {found:?}", bound + step);
        }
    }
}
