//! Which series metric ids and patterns select.

use foreshock::definition::{MatchOperator, MetricId, MetricPattern};
use foreshock::model::{Attributes, Kind, MetricIdentity, Temporality, Value};

fn metric(kind: Kind, scope: &str, name: &str) -> MetricIdentity {
    let (temporality, monotonic) = (Temporality::Cumulative, false);
    MetricIdentity { scope: scope.into(), name: name.into(), kind, temporality, monotonic }
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    Attributes::new(pairs.iter().map(|(k, v)| ((*k).to_string(), v.clone())).collect())
}

fn text(v: &str) -> Value {
    Value::String(v.into())
}

/// Ten series: seven attribute sets of `app/m`, two file systems, and `m` in another scope.
fn series() -> Vec<(MetricIdentity, Attributes)> {
    let m = || metric(Kind::Gauge, "app", "m");
    let io = |device: &str, direction: &str| attributes(&[("direction", text(direction)), ("device", text(device))]);
    vec![
        (m(), attributes(&[])),
        (m(), attributes(&[("type", text("rss"))])),
        (m(), attributes(&[("type", text("vms"))])),
        (m(), io("sda", "read")),
        (m(), io("sda", "write")),
        (m(), attributes(&[("generation", Value::Int(0))])),
        (m(), attributes(&[("generation", text("0"))])),
        (metric(Kind::Gauge, "app", "fs./dev/xvda1.free"), attributes(&[])),
        (metric(Kind::Gauge, "app", "fs./dev/xvdb1.free"), attributes(&[])),
        (metric(Kind::Gauge, "other/lib", "m"), attributes(&[])),
    ]
}

#[test]
fn ids_select_by_path_kind_and_attributes() {
    let table: [(&str, &[usize]); 15] = [
        ("metrics.gauges.app/m", &[0, 1, 2, 3, 4, 5, 6]),
        ("metrics.gauges.m", &[0, 1, 2, 3, 4, 5, 6, 9]),
        ("metrics.gauges.m{}", &[0, 9]),
        ("metrics.gauges.app/m{}", &[0]),
        ("metrics.gauges.app/m{ }", &[0]),
        (r#"metrics.gauges.app/m{generation="0"}"#, &[5, 6]),
        ("metrics.gauges.other/lib/m", &[9]),
        ("metrics.gauges.lib/m", &[]),
        (r#"metrics.gauges.app/m{type="rss"}"#, &[1]),
        (r#"metrics.gauges.app/m{device="sda"}"#, &[]),
        (r#"metrics.gauges.app/m{direction="read",device="sda"}"#, &[3]),
        (r#"metrics.gauges.app/m{device = "sda" , direction = "write"}"#, &[4]),
        ("metrics.sums.app/m", &[]),
        ("metrics.gauges.app/fs./dev/xvda1.free", &[7]),
        ("cpu.used", &[]),
    ];
    for (id, wanted) in table {
        let id = MetricId::parse(id).unwrap();
        let selected: Vec<usize> =
            series().iter().enumerate().filter(|(_, (m, a))| id.selects(m, a)).map(|(i, _)| i).collect();
        assert_eq!(selected, wanted, "{}", id.text);
    }
}

#[test]
fn patterns_select_by_their_middle() {
    use MatchOperator::{Any, Contains, EndsWith, Is, StartsWith};
    let table: [(&str, MatchOperator, &str, &str, &[usize]); 11] = [
        ("metrics.gauges.fs", Any, "", "free", &[7, 8]),
        ("metrics.gauges.fs", EndsWith, "/xvda1", "free", &[7]),
        ("metrics.gauges.fs", Is, "/dev/xvdb1", "free", &[8]),
        ("metrics.gauges.app/fs", Contains, "xvd", "free", &[7, 8]),
        ("metrics.gauges.fs", StartsWith, "/DEV", "free", &[]),
        ("metrics.gauges.fs", Any, "", "free{}", &[7, 8]),
        ("metrics.gauges.fs", Any, "", r#"free{type="rss"}"#, &[]),
        ("metrics.gauges", Is, "m", "", &[0, 1, 2, 3, 4, 5, 6, 9]),
        ("metrics.gauges", Is, "m", r#"{type="rss"}"#, &[1]),
        ("metrics.gauges.fs./dev/xvda1.free", Any, "", "", &[]),
        ("metrics.gauges.fs./dev/xvda1", Any, "", "free", &[]),
    ];
    for (prefix, operator, placeholder, postfix, wanted) in table {
        let pattern = MetricPattern::parse(prefix, operator, placeholder, postfix).unwrap();
        let selected: Vec<usize> =
            series().iter().enumerate().filter(|(_, (m, a))| pattern.selects(m, a)).map(|(i, _)| i).collect();
        assert_eq!(selected, wanted, "{prefix} {operator:?} {placeholder} {postfix}");
    }
}

#[test]
fn values_compare_as_text() {
    let m = metric(Kind::Sum, "s", "m");
    let table = [
        (Value::Int(-3), "-3"),
        (Value::Double(1.0), "1.0"),
        (Value::Double(0.1), "0.1"),
        (Value::Bool(true), "true"),
        (Value::Null, "null"),
        (Value::Array(vec![Value::Int(1), text("a")]), r#"[1,\"a\"]"#),
        (text(r#"C:\"x""#), r#"C:\\\"x\""#),
        (text("/users/{id}"), "/users/{id}"),
        (text(""), ""),
    ];
    for (value, written) in table {
        let id = MetricId::parse(&format!("metrics.sums.s/m{{k=\"{written}\"}}")).unwrap();
        assert!(id.selects(&m, &attributes(&[("k", value.clone())])), "{}", id.text);
        assert!(!id.selects(&m, &attributes(&[("k", value.clone()), ("l", value.clone())])), "{}", id.text);
        let own = MetricId::parse(&(m.id() + &attributes(&[("k", value.clone())]).to_suffix())).unwrap();
        assert!(own.selects(&m, &attributes(&[("k", value)])), "{}", own.text);
    }
}

#[test]
fn kinds_have_their_words() {
    let exponential = metric(Kind::ExponentialHistogram, "s", "m");
    assert!(MetricId::parse("metrics.histograms.s/m").unwrap().selects(&exponential, &attributes(&[])));
    let summary = metric(Kind::Summary, "s", "m");
    assert!(!MetricId::parse("metrics.summaries.s/m").unwrap().selects(&summary, &attributes(&[])));
    let no_scope = metric(Kind::Gauge, "", "m");
    assert!(MetricId::parse("metrics.gauges.m").unwrap().selects(&no_scope, &attributes(&[])));
    assert!(!MetricId::parse("metrics.gauges./m").unwrap().selects(&no_scope, &attributes(&[])));
}

#[test]
fn malformed_ids_say_where() {
    let table = [
        ("", 0, "it names no metric"),
        ("metrics.gauges.", 15, "it names no metric"),
        ("{}", 0, "it names no metric"),
        ("m}", 1, "its `}` has no `{`"),
        ("m{", 2, "an attribute's key is missing"),
        ("m{a", 3, "a `=` is missing behind an attribute's key"),
        ("m{=\"x\"}", 2, "an attribute's key is missing"),
        ("m{a=x}", 4, "an attribute's value is not in quotes"),
        ("m{a=\"x}", 7, "an attribute's value does not end"),
        ("m{a=\"\\n\"}", 7, "`\\` may only stand before `\"` or `\\`"),
        ("m{a=\"x\"", 7, "a `,` or `}` is missing behind an attribute"),
        ("m{a=\"x\",}", 8, "an attribute's key is missing"),
        ("m{a=\"x\"}y", 8, "there is text behind its attributes"),
        ("m{a=\"x\",a=\"y\"}", 1, "an attribute is named twice"),
        ("a{b}/m", 3, "a `=` is missing behind an attribute's key"),
    ];
    for (id, offset, what) in table {
        let error = MetricId::parse(id).unwrap_err();
        assert_eq!((error.offset, error.what), (offset, what), "{id}");
    }
    assert_eq!(MetricPattern::parse("p", MatchOperator::Any, "", "x{").unwrap_err().offset, 2);
}
