//! `DEFINITION[.rules[i]].FIELD=VALUE` overrides.

use foreshock::definition::{CODES, EventDefinition, Loaded, RuleKind, Settings, Severity, Source, load};

fn threshold(value: &str) -> String {
    format!(
        r#"{{"ruleType":"threshold","metricName":"m","aggregation":"avg","window":1000,"conditionOperator":">","conditionValue":{value}}}"#
    )
}

fn event(rules: &[String]) -> String {
    format!(r#"{{"name":"n","entityType":"e","rules":[{}]}}"#, rules.join(","))
}

/// `one` has one rule, `a.b` two of one type, `mixed` a threshold and a host rule, `pattern` a metric pattern.
fn loaded(overrides: &[&str]) -> Loaded {
    let host =
        r#"{"ruleType":"host_availability","tagFilter":{"name":"tag","key":"k","operator":"EQUALS"}}"#.to_string();
    let pattern = threshold("1").replace(r#""metricName":"m""#, r#""metricPattern":{"prefix":"p","operator":"any"}"#);
    let source = |path: &str, rules: &[String]| Source { path: path.to_string(), text: event(rules) };
    let sources = [
        source("one.json", &[threshold("1")]),
        source("a.json", &[threshold("1")]),
        source("a.b.json", &[threshold("1"), threshold("2")]),
        source("mixed.json", &[threshold("1"), host]),
        source("pattern.json", &[pattern]),
        source("x/same.json", &[threshold("1")]),
        source("y/same.json", &[threshold("1")]),
    ];
    let overrides = overrides.iter().map(|text| (*text).to_string()).collect();
    load(&sources, &Settings { overrides, ..Settings::default() })
}

fn find<'a>(loaded: &'a Loaded, name: &str) -> &'a EventDefinition {
    loaded.definitions.iter().find(|d| d.name == name).unwrap()
}

fn value(loaded: &Loaded, name: &str, rule: usize) -> f64 {
    match &find(loaded, name).rules[rule].kind {
        RuleKind::Threshold(threshold) => threshold.condition.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_are_set() {
    let loaded = loaded(&[
        "one.conditionValue=0.5",
        "a.b.rules[1].conditionValue=7",
        "a.rules[0].conditionValue=3",
        "mixed.conditionValue=4",
        "mixed.offlineDuration=1000",
        "mixed.tagFilter.value=a=b",
        "pattern.metricPattern.operator=is",
        "pattern.metricPattern.placeholder=x.y",
        "x/same.enabled=false",
        "y/same.expirationTime=5000",
        "y/same.description=null",
        "one.conditionValue=0.25",
    ]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert_eq!(value(&loaded, "one", 0), 0.25);
    assert_eq!((value(&loaded, "a.b", 0), value(&loaded, "a.b", 1)), (1.0, 7.0));
    assert_eq!((value(&loaded, "a", 0), value(&loaded, "mixed", 0)), (3.0, 4.0));
    assert!(!find(&loaded, "x/same").enabled && find(&loaded, "y/same").enabled);
    assert_eq!(find(&loaded, "y/same").expiration_ms, 5000);
    let rules = format!("{:?} {:?}", find(&loaded, "mixed").rules, find(&loaded, "pattern").rules);
    for part in ["offline_ms: 1000", r#"value: "a=b""#, r#"placeholder: "x.y""#, "operator: Is"] {
        assert!(rules.contains(part), "{part} in {rules}");
    }
    let written = find(&loaded, "one").rules[0].written.value.as_ref().unwrap().to_string();
    assert_eq!(written, "0.25");
}

#[test]
fn what_an_override_sets_is_checked_like_a_file() {
    let loaded = loaded(&["one.aggregation=avgg", "a.window=5m", "mixed.enabled=maybe", "pattern.aggregation=rate"]);
    let found: Vec<String> =
        loaded.problems.iter().map(|p| format!("{} {:?} {} {}", p.file, p.severity, p.code, p.path)).collect();
    assert_eq!(
        found,
        [
            "one.json Unevaluable unknown-aggregation rules[0].aggregation",
            "a.json Unevaluable not-milliseconds rules[0].window",
            "mixed.json Error wrong-type enabled",
            "pattern.json Warning unpublished-aggregation rules[0].aggregation",
        ]
    );
    assert!(loaded.problems.iter().all(|p| p.position.is_none()));
    let problem = "`rules[0].aggregation` has the unknown aggregation `avgg` (set by --set one.aggregation=avgg)";
    assert_eq!(find(&loaded, "one").problem.as_deref(), Some(problem));
}

#[test]
fn overrides_that_fit_nothing_say_what_would() {
    let table = [
        ("onee.conditionValue=1", "unknown-definition", "did you mean `one`?"),
        ("something.conditionValue=1", "unknown-definition", "loaded are a, a.b, mixed, one, pattern, x/same, y/same"),
        ("same.conditionValue=1", "unknown-definition", "several have this name: x/same, y/same"),
        ("one=1", "unknown-definition", "name a field: one.FIELD=VALUE"),
        ("one.conditionValue", "malformed-override", "write DEFINITION.FIELD=VALUE"),
        ("one.conditionvalue=1", "unknown-field", "did you mean `conditionValue`?"),
        ("one.rules=1", "unknown-field", ""),
        ("one.offlineDuration=1", "unknown-field", ""),
        ("one.metricPattern.prefix=1", "unknown-field", ""),
        ("one.rules[1].window=1", "unknown-field", ""),
        ("one.rules[x].window=1", "malformed-override", "write FIELD or rules[0].FIELD"),
        ("one.rules[0]=1", "malformed-override", "write FIELD or rules[0].FIELD"),
        ("a.b.window=1", "ambiguous-override", "name one of rules[0].window, rules[1].window"),
        ("mixed.severity=5", "ambiguous-override", "name one of rules[0].severity, rules[1].severity"),
    ];
    for (text, code, help) in table {
        let loaded = loaded(&[text]);
        let problem = &loaded.problems[0];
        assert!(CODES.iter().any(|(known, _)| *known == code), "{code}");
        assert_eq!((problem.severity, problem.code, problem.file.as_str()), (Severity::Error, code, "--set"), "{text}");
        let said = problem.help.as_deref().unwrap_or("");
        if help.is_empty() {
            assert!(problem.message.starts_with("`one` has"), "{text}: {}", problem.message);
        } else {
            assert_eq!(said, help, "{text}");
        }
    }
}
