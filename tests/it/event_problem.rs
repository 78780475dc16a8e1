//! Every mistake in a definition: its severity, its name and its exact place.
//!
//! A text marks the expected places with `«` and `»`; the problems are compared with them in the order of the text.

use foreshock::definition::{CODES, Problem, Settings, Severity, Source, load, parse, position_of};
use std::collections::BTreeMap;

/// The text without marks, and the marked byte ranges.
fn marked(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut plain = String::new();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '«' => {
                open.push(ranges.len());
                ranges.push((plain.len(), 0));
            }
            '»' => ranges[open.pop().unwrap()].1 = plain.len(),
            c => plain.push(c),
        }
    }
    (plain, ranges)
}

/// Line and column of an offset, the obvious way.
fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = before.matches('\n').count() + 1;
    let mark = if line == 1 && text.starts_with('\u{feff}') { 1 } else { 0 };
    (line as u32, (text[line_start..offset].chars().count() + 1 - mark) as u32)
}

fn at_marks(text: &str, ranges: &[(usize, usize)], problems: &[Problem]) {
    let found: Vec<(usize, usize)> = problems.iter().filter_map(|p| p.position).map(|p| p.bytes).collect();
    assert_eq!(found, ranges, "{text}\n{problems:#?}");
    for position in problems.iter().filter_map(|p| p.position) {
        assert_eq!((position.line, position.column), line_and_column(text, position.bytes.0), "{text}");
    }
}

/// `severity code path` of each problem, one a line.
fn check(text: &str, wanted: &[&str]) -> Vec<Problem> {
    let (plain, ranges) = marked(text);
    let (definitions, problems) = parse("d.json", &plain);
    let found: Vec<String> =
        problems.iter().map(|p| format!("{:?} {} {}", p.severity, p.code, p.path).trim_end().to_string()).collect();
    assert_eq!(found, wanted, "{plain}");
    assert!(problems.iter().all(|p| CODES.iter().any(|(code, _)| *code == p.code)), "{problems:?}");
    at_marks(&plain, &ranges, &problems);
    let worst = problems.iter().map(|p| p.severity).max();
    for definition in definitions {
        assert_eq!(definition.problem.is_some(), worst == Some(Severity::Unevaluable), "{plain}");
    }
    problems
}

fn with_event(keys: &str) -> String {
    format!(
        r#"{{
  "name": "d", "entityType": "e",
  {keys}
  "rules": [{{"ruleType": "threshold", "metricName": "m", "aggregation": "avg", "window": 1, "conditionOperator": ">",
    "conditionValue": 1}}]
}}"#
    )
}

fn with_rule(rule: &str) -> String {
    format!("{{\n  \"name\": \"ä\", \"entityType\": \"e\", \"rules\": [\n    {rule}\n  ]\n}}")
}

/// A threshold rule with everything but these keys, which the text brings itself.
fn threshold(own: &str) -> String {
    let defaults = [
        ("\"metricName\"", "\"metricName\": \"m\""),
        ("\"aggregation\"", "\"aggregation\": \"avg\""),
        ("\"window\"", "\"window\": 1"),
        ("\"conditionOperator\"", "\"conditionOperator\": \">\""),
        ("\"conditionValue\"", "\"conditionValue\": 1"),
    ];
    let rest: Vec<&str> = defaults.into_iter().filter(|(key, _)| !own.contains(key)).map(|(_, text)| text).collect();
    with_rule(&format!("{{\"ruleType\": \"threshold\", {own},\n      {}}}", rest.join(", ")))
}

#[test]
fn files_that_are_no_json() {
    check("«»", &["Error not-json"]);
    check("{\"name\": «]»}", &["Error not-json"]);
    check("{\"näme\": \"d\"\n  «\"»entityType\": 1}", &["Error not-json"]);
    check("{\"name\": \"d\"«»", &["Error not-json"]);
    check("{} «x»", &["Error not-json"]);
    check("[«1», «2»]", &["Warning not-an-event [0]", "Warning not-an-event [1]"]);
}

#[test]
fn files_of_the_wrong_shape() {
    check("«\"text\"»", &["Error wrong-type"]);
    check("«5»", &["Error wrong-type"]);
    check("«[»]", &["Warning not-an-event"]);
    check(
        "[«5», {\"name\": \"d\", \"entityType\": \"e\", \"rules\": «[]»}]",
        &["Warning not-an-event [0]", "Unevaluable no-rules [1].rules"],
    );
    check("«{»\"name\": \"p\", \"version\": \"1.0.0\"}", &["Warning not-an-event"]);
    check("«{»\"name\": \"s\", \"rules\": [{\"rule\": {}}], \"granularity\": 60000}", &["Warning not-an-event"]);
}

#[test]
fn a_byte_order_mark_is_not_in_the_way() {
    check("\u{feff}{\"name\": «]»}", &["Error not-json"]);
    check("\u{feff}{\"name\": \"d\", \"entityType\": \"e\", \"rules\": «[]»}", &["Unevaluable no-rules rules"]);
}

#[test]
fn keys_of_a_definition() {
    check(
        "««{»»\"rules\": [{\"ruleType\": \"system\", \"systemRuleId\": \"entity.offline\"}]}",
        &["Warning missing-key name", "Warning missing-key entityType"],
    );
    check(
        &with_event(r#""query": «5», "description": «true», "enabled": «"yes"», "triggering": «0»,"#),
        &[
            "Error wrong-type query",
            "Error wrong-type description",
            "Error wrong-type enabled",
            "Error wrong-type triggering",
        ],
    );
    check(&with_event(r#""expirationTime": «"5000"»,"#), &["Warning quoted-number expirationTime"]);
    check(&with_event(r#""expirationTime": «"5m"»,"#), &["Unevaluable not-milliseconds expirationTime"]);
    check(&with_event(r#""expirationTime": «0.5»,"#), &["Unevaluable not-milliseconds expirationTime"]);
    check(&with_event(r#""expirationTime": «-1»,"#), &["Unevaluable out-of-range expirationTime"]);
    check(&with_event(r#""expirationTime": «[]»,"#), &["Error wrong-type expirationTime"]);
    check(&with_event(r#""expirationTime": 6e4, "query": "entity.tag:\"a=b\" ","#), &[]);
    check(&with_event(r#""ruleLogicalOperator": «"XOR"»,"#), &["Unevaluable unknown-operator ruleLogicalOperator"]);
    check(&with_event(r#""query": "entity.tag:\"ä\" AND «entity.x»:1","#), &["Unevaluable unanswerable-query query"]);
    check(&with_event(r#""query": "«\u00e4\ud83d\ude00»:1 x","#), &["Unevaluable unanswerable-query query"]);
    check(
        &with_event(
            r#""id": "x", "lastUpdated": 5, "validVersion": 1, "migrated": false, "deleted": false,
        "applicationAlertConfigId": null, "infraAlertConfigId": null, "actions": null, "displayUrl": "u",
        "transientEventEnabled": true, "transientEventThreshold": 300000, "transientEventAlertMuted": false,"#,
        ),
        &[],
    );
}

#[test]
fn unknown_and_repeated_keys() {
    let problems = check(
        &with_event(r#"«"expirationtime"»: 5, «"owner"»: "me", «"severity"»: 5, "window": null,"#),
        &["Warning unknown-key expirationtime", "Warning unknown-key owner", "Warning unknown-key severity"],
    );
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `expirationTime`?"));
    assert_eq!(problems[1].help, None);
    assert_eq!(problems[2].message, "`severity` is ignored: `severity` belongs to a rule");
    check(&with_event(r#""query": null, «"query"»: null,"#), &["Warning duplicate-key query"]);
    check(
        &threshold(r#"«"aggregaton"»: "avg", «"offlineDuration"»: 5, "closeAfter": null, "metricLabel": "x""#),
        &["Warning unknown-key rules[0].aggregaton", "Warning unknown-key rules[0].offlineDuration"],
    );
    check(&threshold(r#""severity": 5, «"severity"»: 10"#), &["Warning duplicate-key rules[0].severity"]);
}

#[test]
fn limits_of_the_format() {
    let long = |n: usize| format!("«\"{}\"»", "ä".repeat(n));
    check(
        &with_event(&format!("\"query\": null, \"description\": {},", long(32_766))),
        &["Warning too-long description"],
    );
    check(&with_event(&format!("\"description\": \"{}\",", "ä".repeat(32_765))), &[]);
    check(&threshold(&format!("\"metricName\": {}", long(513))), &["Warning too-long rules[0].metricName"]);
    let rule = r#"{"ruleType": "system", "systemRuleId": "entity.offline"}"#;
    let list = |n: usize| vec![rule; n].join(",");
    check(
        &format!(r#"{{"name": "d", "entityType": "e", "rules": «[{}]»}}"#, list(6)),
        &["Warning too-many-rules rules"],
    );
    check(&format!(r#"{{"name": "d", "entityType": "e", "rules": [{}]}}"#, list(5)), &[]);
}

#[test]
fn rules_as_a_whole() {
    check("«{»\"name\": \"d\", \"entityType\": \"e\", \"rules\": null}", &["Unevaluable no-rules rules"]);
    check("{\"name\": \"d\", \"entityType\": \"e\", \"rules\": «{}»}", &["Error wrong-type rules"]);
    check(&with_rule("«5»"), &["Error wrong-type rules[0]"]);
    check(&with_rule("«{»\"severity\": 5}"), &["Unevaluable missing-key rules[0].ruleType"]);
    check(
        &with_rule("{\"ruleType\": «\"treshold\"», \"whatever\": 1}"),
        &["Unevaluable unknown-rule-type rules[0].ruleType"],
    );
    check(
        &with_rule("«{»\"ruleType\": «\"trend\"»}"),
        &["Unevaluable no-metric rules[0].metricName", "Warning not-importable rules[0].ruleType"],
    );
    check(&threshold("\"severity\": «7»"), &["Warning unknown-severity rules[0].severity"]);
    check(&threshold("\"severity\": «\"5\"»"), &["Error wrong-type rules[0].severity"]);
    check(&threshold("\"severity\": -1"), &[]);
}

#[test]
fn threshold_rules() {
    check(&threshold("\"aggregation\": «\"rate\"»"), &["Warning unpublished-aggregation rules[0].aggregation"]);
    check(&threshold("\"aggregation\": «\"p98\"»"), &["Warning unpublished-aggregation rules[0].aggregation"]);
    let problems =
        check(&threshold("\"aggregation\": «\"AVG\"»"), &["Unevaluable unknown-aggregation rules[0].aggregation"]);
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `avg`?"));
    check(&threshold("\"aggregation\": «\"p97\"»"), &["Unevaluable unknown-aggregation rules[0].aggregation"]);
    check(&threshold("\"aggregation\": «5»"), &["Error wrong-type rules[0].aggregation"]);
    check(&threshold("\"conditionOperator\": «\"==\"»"), &["Warning old-operator rules[0].conditionOperator"]);
    check(&threshold("\"conditionOperator\": «\"=>\"»"), &["Unevaluable unknown-operator rules[0].conditionOperator"]);
    check(&threshold("\"conditionValue\": «\"1\"»"), &["Unevaluable not-a-number rules[0].conditionValue"]);
    check(&threshold("\"conditionValue\": «true»"), &["Unevaluable not-a-number rules[0].conditionValue"]);
    check(&threshold("\"window\": «0», \"rollup\": 0"), &["Unevaluable no-window rules[0].window"]);
    check(&threshold("\"window\": «-5», \"rollup\": 1000"), &["Unevaluable out-of-range rules[0].window"]);
    check(&threshold("\"window\": «99999999999999999999»"), &["Unevaluable out-of-range rules[0].window"]);
    check(&threshold("\"window\": «4611686018428»"), &["Unevaluable out-of-range rules[0].window"]);
    check(&threshold("\"window\": 4611686018427"), &[]);
    check(&threshold("\"window\": 0, \"rollup\": «\"1000\"»"), &["Warning quoted-number rules[0].rollup"]);
    check(
        &with_rule("«««««{»»»»»\"ruleType\": \"threshold\"}"),
        &[
            "Unevaluable no-metric rules[0].metricName",
            "Unevaluable missing-key rules[0].aggregation",
            "Unevaluable no-window rules[0].window",
            "Unevaluable missing-key rules[0].conditionOperator",
            "Unevaluable missing-key rules[0].conditionValue",
        ],
    );
}

#[test]
fn metrics_of_threshold_rules() {
    check(&threshold("\"metricName\": «\"\"»"), &["Unevaluable no-metric rules[0].metricName"]);
    check(&threshold("\"metricName\": \"mä{a=«x»}\""), &["Unevaluable malformed-metric rules[0].metricName"]);
    check(
        &threshold("\"metricName\": \"m{a=\\\"\\u00e4\\\"}«y»\""),
        &["Unevaluable malformed-metric rules[0].metricName"],
    );
    check(
        &threshold("\"metricName\": \"m\", \"metricPattern\": «{»\"prefix\": \"p\", \"operator\": \"any\"}"),
        &["Unevaluable two-metrics rules[0].metricPattern"],
    );
    let pattern = |own: &str| threshold(&format!("\"metricName\": null, \"metricPattern\": {own}"));
    check(&pattern("{\"prefix\": \"p\", \"operator\": \"any\"}"), &[]);
    check(&pattern("«[]»"), &["Error wrong-type rules[0].metricPattern"]);
    check(&pattern("«{»\"operator\": \"any\"}"), &["Unevaluable missing-key rules[0].metricPattern.prefix"]);
    check(
        &pattern("{\"prefix\": \"p\", \"operator\": «\"EQUALS\"»}"),
        &["Unevaluable unknown-operator rules[0].metricPattern.operator"],
    );
    check(
        &pattern("«{»\"prefix\": \"p\", \"operator\": \"is\"}"),
        &["Warning empty-placeholder rules[0].metricPattern.placeholder"],
    );
    check(
        &pattern("{\"prefix\": \"p\", \"operator\": \"any\", \"postfix\": \"x{y«}»\"}"),
        &["Unevaluable malformed-metric rules[0].metricPattern.postfix"],
    );
    check(
        &pattern("{\"prefix\": \"p\", \"operator\": \"any\", «\"postfx\"»: \"x\"}"),
        &["Warning unknown-key rules[0].metricPattern.postfx"],
    );
}

#[test]
fn presence_rules() {
    check(
        &with_rule("{\"ruleType\": \"system\", \"systemRuleId\": «\"entity.online\"»}"),
        &["Unevaluable unknown-system-rule rules[0].systemRuleId"],
    );
    check(&with_rule("«{»\"ruleType\": \"system\"}"), &["Unevaluable missing-key rules[0].systemRuleId"]);
    check(
        &with_rule("{\"ruleType\": \"entity_count\", \"conditionOperator\": «\"?\"», \"conditionValue\": «{}»}"),
        &[
            "Unevaluable unknown-operator rules[0].conditionOperator",
            "Unevaluable not-a-number rules[0].conditionValue",
        ],
    );
    let matching = "\"matchingEntityType\": \"t\", \"matchingEntityLabel\": \"l\"";
    check(
        &with_rule(&format!(
            "{{\"ruleType\": \"entity_verification\", {matching}, \"matchingOperator\": «\"starts_with\"»}}"
        )),
        &["Unevaluable unknown-operator rules[0].matchingOperator"],
    );
    check(
        &with_rule(&format!("{{\"ruleType\": \"entity_verification\", {matching}, \"matchingOperator\": «\"any\"»}}")),
        &["Unevaluable unknown-operator rules[0].matchingOperator"],
    );
    let host = |own: &str| with_rule(&format!("{{\"ruleType\": \"host_availability\", {own}}}"));
    check(&host("\"offlineDuration\": «0»"), &["Unevaluable out-of-range rules[0].offlineDuration"]);
    check(&host("\"closeAfter\": «86400001»"), &["Warning too-long rules[0].closeAfter"]);
    check(&host("\"offlineDuration\": 5000, \"closeAfter\": «5000»"), &["Warning never-fires rules[0].closeAfter"]);
    let filter = |own: &str| host(&format!("\"tagFilter\": {{{own}}}"));
    check(
        &filter("\"name\": «\"zone\"», \"key\": \"k\", \"operator\": \"EQUALS\""),
        &["Unevaluable unknown-tag-filter rules[0].tagFilter.name"],
    );
    check(
        &filter("\"name\": \"tag\", \"key\": \"k\", \"operator\": «\"REGEX_MATCH\"»"),
        &["Unevaluable unknown-operator rules[0].tagFilter.operator"],
    );
    check(
        &filter("\"name\": \"tag\", \"key\": \"k\", \"operator\": \"EQUALS\", \"value\": «[]»"),
        &["Error wrong-type rules[0].tagFilter.value"],
    );
}

#[test]
fn one_definition_in_error_leaves_the_others() {
    let text = r#"[{"name": 5, "entityType": "e", "rules": []}, {"name": "b", "entityType": "e", "rules": []}]"#;
    let (definitions, problems) = parse("list.json", text);
    assert_eq!(definitions.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["list-1"]);
    let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["[0].name", "[0].rules", "[1].rules"]);
}

/// Loads a marked text with parameters; gives the problems and the unused parameters.
fn with_params(text: &str, params: &[(&str, &str)]) -> (Vec<Problem>, Vec<String>) {
    let (plain, ranges) = marked(text);
    let params: BTreeMap<String, String> = params.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let source = Source { path: "d.json".into(), text: plain.clone() };
    let loaded = load(&[source], &Settings { params, overrides: Vec::new() });
    at_marks(&plain, &ranges, &loaded.problems);
    (loaded.problems, loaded.unused_params)
}

#[test]
fn placeholders_keep_places_in_the_text_as_written() {
    let text = threshold("\"conditionValue\": {{ limit }}, \"aggregation\": «\"av{{rest}}\"»");
    let (problems, unused) = with_params(&text, &[("limit", "123456789"), ("rest", "erage"), ("other", "")]);
    assert_eq!(problems[0].message, "`rules[0].aggregation` has the unknown aggregation `average`");
    assert_eq!(unused, ["other"]);

    let text = threshold("\"conditionValue\": «{{ limit }}»");
    let (problems, _) = with_params(&text, &[]);
    assert_eq!((problems[0].severity, problems[0].code), (Severity::Error, "unset-parameter"));
    assert_eq!(problems[0].help.as_deref(), Some("set it with --param limit=VALUE"));

    let text = threshold("\"conditionValue\": «{{limit}}»");
    let (problems, _) = with_params(&text, &[("limit", "1x")]);
    assert_eq!((problems[0].severity, problems[0].code), (Severity::Error, "not-json"));
    assert_eq!(problems[0].help.as_deref(), Some("the value of --param limit stands here"));

    let text = with_event("\"query\": \"entity.service.name:«{{service}}»\",");
    let (problems, _) = with_params(&text, &[]);
    assert_eq!((problems[0].severity, problems[0].code), (Severity::Warning, "unset-parameter"));
}

#[test]
fn parameters_of_files_that_are_left_out_are_unused() {
    let (_, unused) = with_params("«{»\"title\": \"{{name}}\"}", &[("name", "x")]);
    assert_eq!(unused, ["name"]);
}

#[test]
fn values_can_be_found_again() {
    let text = "\u{feff}[1,\n {\"name\": \"ä\", \"rules\": [{\"window\": {{w}}, \"conditionValue\": «0.8»}]}]";
    let (plain, ranges) = marked(text);
    let params = BTreeMap::from([("w".to_string(), "300000".to_string())]);
    let source = Source { path: "d.json".into(), text: plain.clone() };
    let position = position_of(&source.text, &params, "[1].rules[0].conditionValue").unwrap();
    assert_eq!(position.bytes, ranges[0]);
    assert_eq!((position.line, position.column), line_and_column(&plain, ranges[0].0));
    let window = position_of(&source.text, &params, "[1].rules[0].window").unwrap().bytes;
    assert_eq!(&plain[window.0..window.1], "{{w}}");
    for path in ["[2]", "[1].rules[1]", "[1].title", "[1].name.x", "[x]", "rules"] {
        assert_eq!(position_of(&source.text, &params, path), None, "{path}");
    }
    assert_eq!(position_of(&source.text, &BTreeMap::new(), "[1].name"), None);
}
