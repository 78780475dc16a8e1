//! Any text at all: nothing panics, every place lies in the text, and long texts take no longer than their length.

use crate::cpu::cpu_seconds;
use foreshock::definition::{MatchOperator, MetricId, MetricPattern, Query, Settings, Source, load, parse, substitute};
use foreshock::model::{Attributes, Kind, MetricIdentity, Temporality, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn resource() -> Attributes {
    Attributes::new(vec![("service.name".into(), Value::String("shöp".into()))])
}

/// Text that comes near to what the parsers expect.
fn nearly(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(words).prop_map(str::to_string),
        "\\PC{0,3}",
        any::<char>().prop_map(String::from)
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"rules\"",
    "\"ruleType\"",
    "\"threshold\"",
    "\"name\"",
    "\"entityType\"",
    "\"query\"",
    "\"metricName\"",
    "\"m{a=\\\"\\u00e4\"",
    "1",
    "-1",
    "null",
    "\"x\"",
    " ",
    "\n",
    "\u{feff}",
    "{{a}}",
    "{{ b }}",
    "\\",
    "\"",
];
const QUERY: &[&str] = &[
    "(",
    ")",
    " AND ",
    " OR ",
    "NOT ",
    "entity.tag:",
    "entity.service.name:",
    "otel.attribute.",
    "\"",
    "\\",
    "*",
    "?",
    "=",
    ":",
    " ",
];
const ID: &[&str] = &["metrics.", "gauges.", "app/m", "{", "}", "a=", "\"", "\\", ",", "=", "/", "."];

const OVERRIDE: &[&str] =
    &["d-0", ".", "rules[", "0", "]", "window", "=", "1", "name", "query", "metricPattern", "\"x\"", "[", "{}"];

/// One definition whose rule has the given keys and values, so that whole files are reached as well.
fn wrapped(key: &str, value: &str) -> String {
    format!("[{{\"name\":\"n\",\"entityType\":\"e\",\"rules\":[{{\"ruleType\":\"threshold\",\"{key}\":{value}}}]}}]")
}

fn places_lie_inside(text: &str) -> Result<(), TestCaseError> {
    let params = BTreeMap::from([("a".to_string(), "\"ä\"".to_string())]);
    let sources = [Source { path: "f.json".into(), text: text.to_string() }];
    for settings in
        [Settings::default(), Settings { params, overrides: vec!["f.window=1".into(), "f-0.name=ü".into()] }]
    {
        for problem in load(&sources, &settings).problems {
            if let Some(position) = problem.position {
                let (start, end) = position.bytes;
                prop_assert!(text.get(start..end).is_some(), "{problem:?} of {text:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read(text in prop_oneof![nearly(JSON), any::<String>()]) {
        places_lie_inside(&text)?;
    }

    #[test]
    fn any_metric_and_query_inside_a_file_is_read(id in nearly(ID), query in nearly(QUERY)) {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        places_lie_inside(&wrapped("metricName", &quoted(&id)))?;
        let ascii: String = quoted(&query).chars().map(|c| match c as u32 {
            0..0x80 => c.to_string(),
            _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        }).collect();
        places_lie_inside(&wrapped("x", "1").replace("\"name\":\"n\"", &format!("\"query\":{ascii}")))?;
    }

    #[test]
    fn any_override_is_read(text in nearly(OVERRIDE)) {
        let sources = [Source { path: "d.json".into(), text: wrapped("window", "1") }];
        let settings = Settings { overrides: vec![text], ..Settings::default() };
        for problem in load(&sources, &settings).problems {
            prop_assert!(!problem.message.is_empty());
        }
    }

    #[test]
    fn names_are_unique(paths in prop::collection::vec("(/?[ab]/)?((events|[ab])/){0,3}[ab](-0)?(#2)?\\.json", 1..8), list in any::<bool>()) {
        let event = "{\"name\":\"n\",\"entityType\":\"e\",\"rules\":[]}";
        let text = if list { format!("[{event},{event}]") } else { event.to_string() };
        let sources: Vec<Source> = paths.into_iter().map(|path| Source { path, text: text.clone() }).collect();
        let loaded = load(&sources, &Settings::default());
        prop_assert!(loaded.definitions.windows(2).all(|two| two[0].name < two[1].name));
    }

    #[test]
    fn any_query_is_read(text in prop_oneof![nearly(QUERY), any::<String>()]) {
        match Query::parse(&text) {
            Ok(query) => { query.selects(&resource()); }
            Err(error) => prop_assert!(text.get(error.range.0..error.range.1).is_some(), "{:?}", error),
        }
    }

    #[test]
    fn any_metric_id_is_read(text in prop_oneof![nearly(ID), any::<String>()], postfix in nearly(ID)) {
        let identity = MetricIdentity {
            scope: "app".into(), name: "m".into(), kind: Kind::Gauge, temporality: Temporality::Cumulative, monotonic: false,
        };
        match MetricId::parse(&text) {
            Ok(id) => { id.selects(&identity, &resource()); }
            Err(error) => prop_assert!(text.is_char_boundary(error.offset)),
        }
        if let Ok(pattern) = MetricPattern::parse(&text, MatchOperator::Contains, &text, &postfix) {
            pattern.selects(&identity, &resource());
        }
    }

    #[test]
    fn substitution_keeps_everything_else(text in prop_oneof![nearly(JSON), any::<String>()], value in "\\PC{0,9}") {
        prop_assert_eq!(&substitute(&text, &BTreeMap::new()).text, &text);
        let filled = substitute(&text, &BTreeMap::from([("a".to_string(), value.clone())]));
        let mut rebuilt = String::new();
        let mut at = 0;
        for p in &filled.placeholders {
            let between = filled.text[at..p.filled.0].to_string();
            prop_assert!(at == p.filled.0 || filled.origin((at, p.filled.0)).1 == p.written.0);
            rebuilt.push_str(&between);
            rebuilt.push_str(&text[p.written.0..p.written.1]);
            prop_assert_eq!(&filled.text[p.filled.0..p.filled.1], if p.set { &value } else { &text[p.written.0..p.written.1] });
            at = p.filled.1;
        }
        rebuilt.push_str(&filled.text[at..]);
        prop_assert_eq!(rebuilt, text);
    }
}

#[test]
fn placeholders_are_found() {
    let params = BTreeMap::from([("a".to_string(), "1".to_string()), ("b_2".to_string(), "<&>".to_string())]);
    let table = [
        ("x{{a}}y", "x1y"),
        ("{{ a }}{{\tb_2 }}", "1<&>"),
        ("{{a}", "{{a}"),
        ("{{a b}}", "{{a b}}"),
        ("{{}}", "{{}}"),
        ("{{ä}}", "{{ä}}"),
        ("{{c}}", "{{c}}"),
        ("{{{a}}}", "{1}"),
        ("{{{{a}}}}", "{{1}}"),
        ("{{ {{a}} }}", "{{ 1 }}"),
    ];
    for (text, wanted) in table {
        assert_eq!(substitute(text, &params).text, wanted, "{text}");
    }
}

/// Seconds of CPU time: far beyond what linear work takes in a debug build, far below what quadratic work takes at these lengths.
const LONG: f64 = 10.0;

#[test]
fn long_texts_take_no_longer_than_their_length() {
    let began = cpu_seconds();
    let n = 100_000;
    let deep = format!("{}entity.tag:a{}", "(".repeat(n), ")".repeat(n));
    assert!(!Query::parse(&deep).unwrap().selects(&resource()));
    assert!(Query::parse(&"NOT ".repeat(2 * n)).is_err());
    assert!(Query::parse(&format!("{}entity.tag:a", "NOT ".repeat(2 * n + 1))).unwrap().selects(&resource()));
    assert!(!Query::parse(&"entity.tag:a ".repeat(n)).unwrap().selects(&resource()));
    assert!(Query::parse(&"entity.tag: ".repeat(n)).is_err());
    assert!(Query::parse(&"(".repeat(n)).is_err());
    let stars = Query::parse(&format!("entity.service.name:{}b", "*a".repeat(1000))).unwrap();
    let value = Attributes::new(vec![("service.name".into(), Value::String("a".repeat(5000)))]);
    assert!(!stars.selects(&value));
    assert!(MetricId::parse(&"m{a=\"".repeat(n)).is_err());
    assert!(
        MetricId::parse(&format!("m{{{}}}", (0..n).map(|i| format!("a{i}=\"\\\\\",")).collect::<String>())).is_err()
    );
    assert_eq!(substitute(&"{{ a }}{{".repeat(n), &BTreeMap::new()).placeholders.len(), n);
    assert!(substitute(&format!("{}{}", "{".repeat(n), " ".repeat(n)), &BTreeMap::new()).placeholders.is_empty());
    let took = cpu_seconds() - began;
    assert!(took < LONG, "{took} s");
}

#[test]
fn long_files_take_no_longer_than_their_length() {
    let began = cpu_seconds();
    let n = 20_000;
    let keys: String = (0..n).map(|i| format!("\"k{i}\":{{\"a\":1}},\"same\":{i},")).collect();
    let (definitions, problems) = parse("keys.json", &format!("{{{keys}\"name\":\"n\",\"rules\":[]}}"));
    assert_eq!((definitions.len(), problems.len()), (1, 2 * n + 2));
    let rules = vec!["{\"ruleType\":\"trend\"}"; n].join(",");
    let (_, problems) = parse("rules.json", &format!("{{\"name\":\"n\",\"entityType\":\"e\",\"rules\":[{rules}]}}"));
    assert_eq!(problems.len(), 2 * n + 1);
    let list = vec!["{\"name\":\"n\",\"entityType\":\"e\",\"rules\":[]}"; 5000].join(",\n");
    let (definitions, _) = parse("list.json", &format!("[{list}]"));
    assert_eq!(definitions.len(), 5000);
    let (_, problems) = parse("deep.json", &"[".repeat(200_000));
    assert_eq!(problems[0].code, "not-json");
    let took = cpu_seconds() - began;
    assert!(took < LONG, "{took} s");
}
