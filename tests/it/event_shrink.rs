//! Shrunk definitions: every span is a fraction of what it was, none is below the floor, and nothing else changes.

use foreshock::definition::{EventDefinition, Presence, RuleKind, Settings, Source, builtin, load};

fn definition(expiration: i64, rule: &str) -> EventDefinition {
    let text = format!(
        r#"{{"name":"x","entityType":"openTelemetry","expirationTime":{expiration},"rules":[{{{rule},"severity":5}}]}}"#
    );
    let loaded = load(&[Source { path: "x.json".into(), text }], &Settings::default());
    assert!(loaded.definitions[0].problem.is_none(), "{:?}", loaded.problems);
    loaded.definitions.into_iter().next().expect("one")
}

fn spans(definition: &EventDefinition) -> (i64, Vec<i64>) {
    let of_rule = definition.rules.iter().flat_map(|rule| match &rule.kind {
        RuleKind::Threshold(threshold) => vec![threshold.window_ms, threshold.rollup_ms],
        RuleKind::Presence(Presence::Availability { offline_ms, close_after_ms, .. }) => {
            vec![*offline_ms, *close_after_ms]
        }
        RuleKind::Presence(
            Presence::CountVerification { offline_ms, .. } | Presence::Verification { offline_ms, .. },
        ) => vec![*offline_ms],
        RuleKind::Presence(Presence::Count { .. } | Presence::Offline) | RuleKind::Trend(_) => Vec::new(),
    });
    (definition.expiration_ms, of_rule.collect())
}

const THRESHOLD: &str = r#""ruleType":"threshold","metricName":"metrics.gauges.a","aggregation":"avg","window":300000,"rollup":60000,"conditionOperator":">","conditionValue":1"#;

#[test]
fn spans_shrink_to_a_floor_and_never_grow() {
    let spans_of = |scale, floor| spans(&definition(60_000, THRESHOLD).shrunk(scale, floor));
    assert_eq!(spans_of(1.0, 3_000), (60_000, vec![300_000, 60_000]));
    assert_eq!(spans_of(0.1, 3_000), (6_000, vec![30_000, 6_000]));
    assert_eq!(spans_of(0.001, 3_000), (3_000, vec![3_000, 3_000]), "the floor");
    assert_eq!(spans_of(0.1, 400_000), (60_000, vec![300_000, 60_000]), "a floor above the span leaves it");
    assert_eq!(spans(&definition(0, THRESHOLD).shrunk(0.1, 3_000)).0, 0, "no grace stays no grace");
}

#[test]
fn absences_shrink_like_windows() {
    let rule = r#""ruleType":"host_availability","offlineDuration":600000,"closeAfter":3600000"#;
    assert_eq!(spans(&definition(0, rule).shrunk(0.1, 3_000)), (0, vec![60_000, 360_000]));
}

#[test]
fn thresholds_stay() {
    for definition in load(&builtin(), &Settings::default()).definitions {
        let shrunk = definition.shrunk(0.05, 3_000);
        let conditions = |definition: &EventDefinition| -> Vec<String> {
            let of = |rule: &foreshock::definition::Rule| match &rule.kind {
                RuleKind::Threshold(threshold) => format!("{:?} {:?}", threshold.condition, threshold.aggregation),
                RuleKind::Trend(trend) => format!("{trend:?}"),
                RuleKind::Presence(_) => String::new(),
            };
            definition.rules.iter().map(of).collect()
        };
        assert_eq!((shrunk.name.as_str(), conditions(&shrunk)), (definition.name.as_str(), conditions(&definition)));
        assert!(spans(&shrunk).1.iter().zip(spans(&definition).1).all(|(now, was)| *now <= was));
    }
}
