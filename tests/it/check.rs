//! The scenario language: what is a mistake and where, and that no text does harm.

use crate::cpu::cpu_seconds;
use foreshock::definition::Problem;
use foreshock::gate::run;
use foreshock::scenario::{RuleOrigin, parse};
use proptest::prelude::*;

const GOOD: &str = "\
scenario: memory grows
definitions:
  rss: {rules: [{ruleType: threshold, metricName: metrics.sums.m, aggregation: avg, window: 60000, conditionOperator: '>', conditionValue: 5}]}
resource: {service.name: shop, service.instance.id: i-1}
series:
  - {metric: m, kind: sum, attributes: {type: rss}, values: 0+10x60 _x2 7}
expect:
  - {definition: rss, opens: 5m, closes: 12m10s, reason: recovered, severity: 10, entity: shop (i-1), value: 7}
";

fn problems(text: &str) -> Vec<(u32, u32, &'static str, String)> {
    let at = |p: &Problem| p.position.map_or((0, 0), |at| (at.line, at.column));
    parse("x.test.yaml", text, RuleOrigin::Scenario)
        .1
        .iter()
        .map(|p| (at(p).0, at(p).1, p.code, p.path.clone()))
        .collect()
}

/// The good text with a change has one problem, and it stands where `mark` stands.
#[track_caller]
fn complains(from: &str, to: &str, mark: &str, code: &str, path: &str) {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let before = &text[..text.find(mark).expect("the mark is in the text")];
    let line = before.lines().count().max(1) as u32 + u32::from(before.ends_with('\n'));
    let column = before.chars().rev().take_while(|c| *c != '\n').count() as u32 + 1;
    let got = problems(&text);
    let got: Vec<_> = got.iter().map(|(l, c, code, path)| (*l, *c, *code, path.as_str())).collect();
    assert_eq!(got, [(line, column, code, path)], "{text}");
}

#[test]
fn a_good_scenario_has_no_problem() {
    assert_eq!(problems(GOOD), []);
    let (scenarios, _) = parse("x.test.yaml", GOOD, RuleOrigin::Scenario);
    assert_eq!((scenarios.len(), scenarios[0].name.as_str(), scenarios[0].position.line), (1, "memory grows", 1));
}

#[test]
fn mistakes_have_places() {
    complains("entity: shop", "entiti: shop", "entiti", "unknown-key", "expect[0].entiti");
    complains("kind: sum", "kind: summ", "summ", "unknown-word", "series[0].kind");
    complains("kind: sum", "colour: 1, kind: sum", "colour", "unknown-key", "series[0].colour");
    complains(", values: 0+10x60 _x2 7", "", "{metric: m", "missing-key", "series[0].values");
    complains("_x2 7", "_y2 7", "_y2", "bad-value", "series[0].values");
    complains("0+10x60", "0x1000000000", "0x1", "bad-value", "series[0].values");
    complains("opens: 5m", "opens: 5", "5, closes", "bad-duration", "expect[0].opens");
    complains("closes: 12m10s", "closes: later", "later", "bad-duration", "expect[0].closes");
    complains("value: 7}", "value: a}", "a}", "wrong-type", "expect[0].value");
    complains("kind: sum,", "kind: gauge, monotonic: true,", "true", "unfit-key", "series[0].monotonic");
    complains("values: 0+10x60 _x2 7", "values: (1 2 3)", "{metric: m", "bad-value", "series[0].values");
    complains("resource: {", "resource: [", "[service", "not-yaml", "");
    complains("values: 0+10x60 _x2 7", "values: -, x: 1", "-, x", "not-yaml", "");
    complains("scenario: memory grows", "scenario: a\nscenario: b", "scenario: b", "not-yaml", "");
    complains("\nexpect", "\nstart: 2026-01-01\nexpect", "2026", "bad-instant", "start");
    complains("\nexpect", "\noptions: {step: 0s}\nexpect", "0s}", "bad-step", "options.step");
    complains("\nexpect", "\ndropped: {lost: 1}\nexpect", "lost", "unknown-key", "dropped.lost");
    complains("opens: 5m", "opens: 2026-13-01T00:00:00Z", "2026-13", "bad-instant", "expect[0].opens");
    complains("opens: 5m", "opens: 5m, within: 5", "5, closes", "bad-duration", "expect[0].within");
    complains("0+10x60", "0+leek(5)x60", "0+leek", "bad-value", "series[0].values");
    complains("0+10x60", "0+leak(5)", "0+leak", "bad-value", "series[0].values");
    complains("\nexpect", "\nrecordings: [5]\nexpect", "5]", "wrong-type", "recordings");
    complains("\nexpect", "\ninconclusive: {rss: why}\nexpect", "why", "unknown-word", "inconclusive.rss");
    let first = GOOD.lines().take(6).collect::<Vec<_>>().join("\n");
    assert_eq!(problems(&first), [(1, 1, "expects-nothing", "expect".to_string())]);
    assert_eq!(problems(""), [(1, 1, "no-scenario", String::new())]);
    assert_eq!(problems(&format!("{GOOD}---\n{GOOD}")), [(10, 1, "duplicate-scenario", "scenario".to_string())]);
}

#[test]
fn mistakes_in_definitions_have_places() {
    let said = |from: &str, to: &str| {
        let text = GOOD.replacen(from, to, 1);
        let (_, problems) = foreshock::gate::run_all("x.test.yaml", &text, &never);
        let one = problems.first().unwrap_or_else(|| panic!("{to} is a mistake"));
        (one.position.map(|p| (p.line, p.column)), one.path.clone())
    };
    let column = |text: &str, mark: &str| text.lines().nth(2).and_then(|l| l.find(mark)).expect("the mark") as u32 + 1;
    let (at, path) = said("rules: [{", "rules: 5, x: [{");
    assert_eq!((at, path.as_str()), (Some((3, 16)), "definitions.rss.rules"));
    let text = GOOD.replacen("window: 60000", "window: [1]", 1);
    let (at, path) = said("window: 60000", "window: [1]");
    assert_eq!((at, path.as_str()), (Some((3, column(&text, "[1]"))), "definitions.rss.rules[0].window"));
    let (at, path) = said("definition: rss", "definition: vms");
    assert_eq!((at, path.as_str()), (Some((8, 5)), "expect"));
}

#[test]
fn all_mistakes_are_named_at_once() {
    let text = GOOD.replace("opens: 5m", "opens: 5").replace("kind: sum", "kind: x").replace("resource:", "ressource:");
    let codes: Vec<&str> = problems(&text).iter().map(|p| p.2).collect();
    assert_eq!(codes, ["unknown-key", "unknown-word", "bad-duration"]);
}

#[test]
fn failures_are_sentences() {
    let text = "\
scenario: wrong in every way
definitions:
  high: {rules: [{ruleType: threshold, metricName: metrics.gauges.g, aggregation: max, window: 10000, severity: 5, conditionOperator: '>', conditionValue: 5}]}
  low: {rules: [{ruleType: threshold, metricName: metrics.gauges.g, aggregation: max, window: 10000, conditionOperator: '<', conditionValue: -5}]}
resource: {service.name: shop, service.instance.id: i-1}
series:
  - {metric: g, kind: gauge, values: 0x2 10x2 0x2 10 0 10 NaN}
expect:
  - {definition: high, opens: 40s, closes: never, severity: 10, value: 11, reason: no_data, peak: 3}
  - {definition: high, entity: till (i-1), opens: 1m30s}
quiet: high
inconclusive: {low: no_series}
dropped: {}
";
    let (outcomes, problems) = foreshock::gate::run_all("x.test.yaml", text, &never);
    assert_eq!(problems, []);
    let said: Vec<(u32, &str)> =
        outcomes[0].failures.iter().map(|failure| (failure.position.line, failure.message.as_str())).collect();
    assert_eq!(
        said,
        [
            (9, "high on shop (i-1): opens expected 40s, got 30s"),
            (9, "high on shop (i-1): closes expected never, got 1m"),
            (9, "high on shop (i-1): reason expected no_data, got recovered"),
            (9, "high on shop (i-1): severity expected 10, got 5"),
            (9, "high on shop (i-1): peak expected 3, got 10"),
            (9, "high on shop (i-1): at the opening expected a series with 11, got one with 10 (1 point){}"),
            (10, "high on till (i-1): expected to open at 1m30s, it did not open"),
            (1, "high on shop (i-1) opened at 1m30s with 10 (1 point){}, which nothing expects"),
            (1, "high on shop (i-1) opened at 1m50s with 10 (1 point){}, which nothing expects"),
            (11, "high: expected quiet, got fired; closest to the threshold was 10 at 30s"),
            (12, "low: expected inconclusive (no_series), got quiet; closest to the threshold was 0 at 10s"),
            (13, "dropped as not_finite: expected 0, got 1"),
        ]
    );
}

#[test]
fn values_may_be_functions_of_time() {
    let text = |values: &str, expect: &str| {
        format!(
            "scenario: a\ndefinitions:\n  high: {{rules: [{{ruleType: threshold, metricName: metrics.gauges.g, aggregation: max, window: 10000, \
             conditionOperator: '>', conditionValue: 5}}]}}\nresource: {{service.name: shop, service.instance.id: i-1}}\nseries:\n  \
             - {{metric: g, kind: gauge, values: '{values}'}}\n{expect}\n"
        )
    };
    let failures = |values: &str, expect: &str| {
        let (outcomes, problems) = foreshock::gate::run_all("x", &text(values, expect), &never);
        assert_eq!(problems, []);
        outcomes[0].failures.iter().map(|failure| failure.message.clone()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    // 0.1 a second passes 5 behind 50 s.
    assert_eq!(failures("leak(0.1)x20", "expect: {definition: high, opens: 1m, value: 6, closes: never}"), none);
    // Three quarters of a period of 40 s later a sine is at its low, a quarter later at its high.
    let wave =
        "expect: [{definition: high, opens: 10s, value: 6, ends: 20s}, {definition: high, opens: 50s, value: 6}]";
    assert_eq!(failures("4+sin(2, 40s)x7", wave), none);
    assert_eq!(failures("4-sin(2, 40s)x6", "expect: {definition: high, opens: 30s, value: 6}\nothers: allowed"), none);
    assert_eq!(failures("4+noise(1, 0.9)x200", "quiet: high"), none);
    assert_eq!(
        failures("4.2+noise(1, 0.9)x200", "quiet: high").len(),
        1 + failures("4.2+noise(1, 0.9)x200", "expect: []\ndropped: {}").len()
    );
}

#[test]
fn instants_may_be_absolute_and_near() {
    let close = GOOD.replace("opens: 5m, closes: 12m10s", "opens: 2026-01-01T00:01:50Z, closes: never");
    let said = |text: &str| {
        let (outcomes, problems) = foreshock::gate::run_all("x", text, &never);
        assert_eq!(problems, []);
        outcomes[0].failures.iter().map(|failure| failure.message.clone()).collect::<Vec<_>>()
    };
    let got = said(&close);
    assert!(got.iter().any(|m| m.contains("opens expected 1m50s, got ")), "{got:?}");
    let opens = got[0].rsplit(' ').next().expect("a word").to_string();
    for (within, near) in [("10m", true), ("0s", false)] {
        let text = close.replace("closes: never", &format!("within: {within}"));
        assert_eq!(!said(&text).iter().any(|m| m.contains("opens expected")), near, "{opens}");
    }
}

#[test]
fn a_common_document_is_inherited() {
    let text =
        "common: {rules: builtin:python, scope: s}\n---\nscenario: a\nquiet: x\n---\nscenario: b\nquiet: [x, y]\n";
    let (scenarios, problems) = parse("x.test.yaml", text, RuleOrigin::Scenario);
    assert_eq!((scenarios.len(), problems.len()), (2, 0), "{problems:?}");
    let wrong = "common: {rule: builtin:python}\n---\nscenario: a\nquiet: x\n";
    let (_, problems) = parse("x.test.yaml", wrong, RuleOrigin::Scenario);
    assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), ["unknown-key", "no-rules"]);
}

#[test]
fn numbers_keep_their_spelling() {
    // YAML reads a bare 0x10 as hexadecimal; here it is a zero and ten more.
    for (values, good) in [("0x10", true), ("5", true), ("1e3", true), ("[1]", false), ("~", false)] {
        let text = GOOD.replace("0+10x60 _x2 7", values);
        assert_eq!(problems(&text).is_empty(), good, "{values}: {:?}", problems(&text));
    }
}

#[test]
fn aliases_do_not_grow_a_text() {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (one, two) in ('a'..='h').zip('b'..='i') {
        let list = vec![format!("*{one}"); 9].join(", ");
        text.push_str(&format!("{two}: &{two} [{list}]\n"));
    }
    assert_eq!(problems(&text).iter().map(|p| p.2).collect::<Vec<_>>(), ["not-yaml"]);
}

fn never(_: &str) -> Result<Vec<foreshock::definition::EventDefinition>, Vec<Problem>> {
    Ok(Vec::new())
}

fn scraps() -> impl Strategy<Value = String> {
    let words = [
        "scenario: a",
        "rules: x",
        "series:",
        "  - metric: m",
        "    kind: gauge",
        "    values: 0x10 _x3",
        "    values: (1 2)x3",
        "    kind: histogram",
        "    bounds: [1]",
        "expect:",
        "  - {definition: d, opens: 1m}",
        "quiet: [a]",
        "---",
        "common:",
        "  rules: b",
        "&a",
        "*a",
        "<<: *a",
        "    interval: 1s",
        "    starts-at: 400days",
        "start: 1970-01-01T00:00:00Z",
        "until: 1h",
        "    values: -Infx3 NaN 1e308+1e308x5",
        "    at: 5s",
        "    late-by: 400days",
        "    values: 1+leak(1e308)-sin(1e308 1ns)+noise(18446744073709551615 1e308)x5",
        "    values: sin((((x3 leak(x2 noise()x1",
        "recordings: a",
        "  - {definition: d, opens: 2099-12-31T00:00:00Z, within: 400days, closes: 1970-01-01T00:00:00Z}",
        "[[[[",
        "}",
        "\t",
        "!!str",
        "    temporality: delta",
        "    scale: -20",
        "    kind: exponential-histogram",
        "    offset: 2147483647",
        "|",
        ">",
    ];
    prop::collection::vec(
        prop_oneof![5 => prop::sample::select(words.to_vec()).prop_map(str::to_string), 1 => any::<String>()],
        0..20,
    )
    .prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), scraps()]) {
        let (scenarios, problems) = parse("x", &text, RuleOrigin::Scenario);
        prop_assert!(!scenarios.is_empty() || !problems.is_empty());
        for scenario in &scenarios {
            let _ = run(scenario, &never);
        }
    }

    #[test]
    fn changed_texts_do_not_panic(at in 0..GOOD.len(), with in any::<char>(), cut in 0..4usize) {
        let mut chars: Vec<char> = GOOD.chars().collect();
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, [with]);
        let (scenarios, _) = parse("x", &chars.into_iter().collect::<String>(), RuleOrigin::Scenario);
        for scenario in &scenarios {
            let _ = run(scenario, &never);
        }
    }
}

#[test]
fn reading_takes_linear_time() {
    let many =
        |n: usize| -> String { (0..n).map(|i| format!("---\n{}", GOOD.replace("memory", &format!("m{i}")))).collect() };
    let time = |text: &str| {
        let begin = cpu_seconds();
        assert!(parse("x", text, RuleOrigin::Scenario).1.is_empty());
        cpu_seconds() - begin
    };
    let (small, large) = (many(50), many(500));
    time(&small);
    let (one, ten) =
        ((0..5).map(|_| time(&small)).fold(f64::MAX, f64::min), (0..3).map(|_| time(&large)).fold(f64::MAX, f64::min));
    assert!(ten < one * 40.0, "10 times the text took {} times as long", ten / one);
}
