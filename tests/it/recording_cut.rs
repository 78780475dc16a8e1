//! Parts of recordings: what is kept is what a decoded message with the rest taken out says.

use crate::otlp_messages::message;
use crate::recording::{START, body, fixture, read};
use foreshock::model::{Nanos, SECOND};
use foreshock::otlp::{Cut, NamePattern, cut};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, metric::Data};
use proptest::prelude::*;
use prost::Message;

fn apply(body: &[u8], at: Option<Nanos>, what: &Cut) -> Option<Vec<u8>> {
    cut(body, at, what).expect("a message")
}

fn service(resource: &ResourceMetrics) -> Option<String> {
    let attributes = &resource.resource.as_ref()?.attributes;
    let value = &attributes.iter().rev().find(|a| a.key == "service.name")?.value;
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(name)) => Some(name.clone()),
        _ => None,
    }
}

fn retain_points(data: &mut Data, keep: impl Fn(u64) -> bool) -> bool {
    macro_rules! retain {
        ($x:expr) => {{
            let before = $x.data_points.len();
            $x.data_points.retain(|point| keep(point.time_unix_nano));
            before == 0 || !$x.data_points.is_empty()
        }};
    }
    match data {
        Data::Gauge(x) => retain!(x),
        Data::Sum(x) => retain!(x),
        Data::Histogram(x) => retain!(x),
        Data::ExponentialHistogram(x) => retain!(x),
        Data::Summary(x) => retain!(x),
    }
}

/// The same on decoded messages.
fn naive(message: &ExportMetricsServiceRequest, at: Option<Nanos>, what: &Cut) -> ExportMetricsServiceRequest {
    let keep = |time: u64| {
        let time = if time == 0 { at } else { Some(time.min(1 << 62) as Nanos) };
        time.is_none_or(|t| what.from.is_none_or(|from| from <= t) && what.to.is_none_or(|to| t <= to))
    };
    let named = |patterns: &[NamePattern], name: &str| patterns.is_empty() || patterns.iter().any(|p| p.matches(name));
    let mut message = message.clone();
    message.resource_metrics.retain_mut(|resource| {
        if !what.services.is_empty() && !service(resource).is_some_and(|name| named(&what.services, &name)) {
            return false;
        }
        let scopes = resource.scope_metrics.len();
        resource.scope_metrics.retain_mut(|scope| {
            let metrics = scope.metrics.len();
            scope.metrics.retain_mut(|metric| {
                named(&what.metrics, &metric.name) && metric.data.as_mut().is_none_or(|data| retain_points(data, keep))
            });
            metrics == 0 || !scope.metrics.is_empty()
        });
        scopes == 0 || !resource.scope_metrics.is_empty()
    });
    message
}

fn check(message: &ExportMetricsServiceRequest, at: Option<Nanos>, what: &Cut) -> Result<(), TestCaseError> {
    let bytes = message.encode_to_vec();
    let message = ExportMetricsServiceRequest::decode(&bytes[..]).expect("a message");
    let expected = naive(&message, at, what);
    let kept = apply(&bytes, at, what);
    let nothing = expected.resource_metrics.is_empty() && !message.resource_metrics.is_empty();
    prop_assert_eq!(kept.is_none(), nothing);
    let kept = ExportMetricsServiceRequest::decode(&kept.unwrap_or_default()[..]).expect("a message");
    prop_assert_eq!(format!("{kept:?}"), format!("{expected:?}"));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_cut_is_what_is_left_of_the_decoded_message(
        message in message(), from in 0u64..4, to in 0u64..4, letter in "[a-z*]", at in proptest::option::of(0i64..100),
    ) {
        let mut times: Vec<i64> = Vec::new();
        for metric in message.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics) {
            if let Some(Data::Gauge(gauge)) = &metric.data {
                times.extend(gauge.data_points.iter().map(|p| p.time_unix_nano.min(1 << 62) as i64));
            }
        }
        let pick = |i: u64| times.get(i as usize).copied();
        let pattern = vec![NamePattern::new(format!("*{letter}*"))];
        check(&message, at, &Cut::default())?;
        check(&message, at, &Cut { from: pick(from), to: pick(to), ..Cut::default() })?;
        check(&message, at, &Cut { metrics: pattern.clone(), ..Cut::default() })?;
        check(&message, at, &Cut { services: pattern, from: pick(from), ..Cut::default() })?;
    }

    #[test]
    fn arbitrary_bytes_are_cut_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let what = Cut { from: Some(5), services: vec![NamePattern::new("a")], ..Cut::default() };
        if let Ok(Some(out)) = cut(&bytes, None, &what) {
            prop_assert!(out.len() <= bytes.len() + 40);
        }
    }
}

#[test]
fn what_is_kept_keeps_its_bytes() {
    for (_, body) in &read(&fixture("healthy_web.binpb.gz")).arrivals {
        assert_eq!(apply(body, None, &Cut::default()).as_deref(), Some(body.as_slice()));
    }
}

#[test]
fn points_are_kept_from_and_to_inclusive() {
    let times = [0, 1, 2, 3].map(|s| START + s * SECOND);
    let what = Cut { from: Some(times[1]), to: Some(times[2]), ..Cut::default() };
    assert_eq!(apply(&body(&times), None, &what), Some(body(&times[1..3])));
    assert_eq!(apply(&body(&times[..1]), None, &what), None);
    assert_eq!(apply(&body(&[0]), Some(times[1]), &what), Some(body(&[0])));
    assert_eq!(apply(&body(&[0]), Some(times[3]), &what), None);
    assert_eq!(apply(&[], None, &what), Some(Vec::new()));
}

#[test]
fn patterns_match_whole_names() {
    for (pattern, good, bad) in [
        ("a.b", &["a.b"][..], &["a.bc", "xa.b", "", "a*b"][..]),
        ("*", &["", "x", "a.b"], &[]),
        ("a*", &["a", "ab"], &["", "ba"]),
        ("*a", &["a", "ba"], &["", "ab"]),
        ("a*a", &["aa", "aba"], &["a", "ab"]),
        ("a*b*c", &["abc", "axbxc", "abbcc"], &["ab", "acb", "bac"]),
        ("*ab*ab*", &["abab", "xabxabx"], &["ab", "aba"]),
        ("**", &["", "é"], &[]),
        ("", &[""], &["a"]),
    ] {
        for name in good {
            assert!(NamePattern::new(pattern).matches(name), "{pattern} {name}");
        }
        for name in bad {
            assert!(!NamePattern::new(pattern).matches(name), "{pattern} {name}");
        }
    }
}
