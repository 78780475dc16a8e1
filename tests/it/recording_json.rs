//! JSON lines out: what is written says the same, in the spelling of the Collector.

use crate::otlp_messages::{Dice, mangle, message, request_descriptor};
use crate::recording::{fixture, messages, read, write};
use foreshock::otlp;
use foreshock::recording::{Compression, FileFormat, RecordingFormat};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

fn to_json(body: &[u8]) -> String {
    let mut out = Vec::new();
    otlp::to_json(body, &mut out).expect("a message");
    String::from_utf8(out).expect("UTF-8")
}

fn back(json: &str) -> ExportMetricsServiceRequest {
    let mut out = Vec::new();
    otlp::transcribe(json.as_bytes(), &mut out).unwrap_or_else(|e| panic!("{e}: {json}"));
    ExportMetricsServiceRequest::decode(&out[..]).expect("a message")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_lost_in_json(message in message(), seed in any::<u64>()) {
        // Through bytes once: a message in memory can say more than one on the wire.
        let bytes = message.encode_to_vec();
        let message = ExportMetricsServiceRequest::decode(&bytes[..]).expect("a message");
        let json = to_json(&bytes);
        prop_assert!(!json.contains('\n'));
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        prop_assert_eq!(format!("{:?}", back(&json)), format!("{message:?}"));
        let irregular = mangle(&bytes, &request_descriptor(), &mut Dice(seed));
        let same = ExportMetricsServiceRequest::decode(&irregular[..]).expect("a message");
        prop_assert_eq!(format!("{:?}", back(&to_json(&irregular))), format!("{same:?}"));
    }

    #[test]
    fn arbitrary_bytes_become_json_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut out = Vec::new();
        if otlp::to_json(&bytes, &mut out).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }
}

#[test]
fn the_spelling_is_the_one_of_the_collector() {
    let line = concat!(
        r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"a \"b\"\\\n\u0001","value":{"bytesValue":"+/8="}}]},"#,
        r#""scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":["#,
        r#"{"startTimeUnixNano":"1","timeUnixNano":"18446744073709551615","asInt":"-7"},"#,
        r#"{"timeUnixNano":"2","asDouble":0.1,"exemplars":[{"asDouble":"NaN","spanId":"00ff","traceId":"0aff"}]},"#,
        r#"{"asDouble":"-Infinity","flags":1}],"aggregationTemporality":2,"isMonotonic":true}},"#,
        r#"{"name":"h","histogram":{"dataPoints":[{"count":"3","sum":1.5,"bucketCounts":["1","2"],"#,
        r#""explicitBounds":[1e+300]}],"aggregationTemporality":1}},"#,
        r#"{"name":"e","exponentialHistogram":{"dataPoints":[{"scale":-2,"positive":{"offset":-1,"#,
        r#""bucketCounts":["1"]}}]}}]}]}]}"#,
    );
    let mut body = Vec::new();
    otlp::transcribe(line.as_bytes(), &mut body).expect("OTLP/JSON");
    assert_eq!(to_json(&body), line);
    assert_eq!(to_json(&[]), "{}");
}

#[test]
fn json_lines_round_trip() {
    let original = read(&fixture("healthy_web.binpb.gz"));
    let arrivals: Vec<_> = original.arrivals.iter().map(|(a, body)| (a.at.expect("a time"), body.clone())).collect();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let outcome = read(&write(&arrivals, RecordingFormat::JsonLines, compression, 40));
        assert_eq!(outcome.forms, [(FileFormat::JsonLines, compression)]);
        assert_eq!(outcome.instants(), original.instants());
        assert_eq!(outcome.damages, []);
        for (ours, body) in outcome.bodies().into_iter().zip(original.bodies()) {
            let decode = |bytes| ExportMetricsServiceRequest::decode(bytes).expect("a message");
            assert_eq!(decode(ours), decode(body));
        }
    }
}

#[test]
fn json_may_be_spread_over_lines_or_lie_in_frames() {
    let body = read(&fixture("healthy_web.binpb.gz")).arrivals.remove(0).1;
    let value: Value = serde_json::from_str(&to_json(&body)).expect("JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON").into_bytes();
    for bytes in [pretty.clone(), [b"\xef\xbb\xbf\n".as_slice(), &pretty, b"\n\n"].concat()] {
        let outcome = read(&bytes);
        assert_eq!(outcome.forms[0].0, FileFormat::Single);
        assert_eq!(outcome.arrivals.len(), 1);
        assert_eq!(outcome.damages, []);
    }
    let frames = [pretty.clone(), to_json(&body).into_bytes(), body].map(|b| crate::recording::zstd(&b));
    let recording = crate::recording::prefixed(&frames);
    assert_eq!(messages(&recording).len(), 3);
    let outcome = read(&recording);
    assert_eq!((outcome.forms[0].0, outcome.arrivals.len()), (FileFormat::ZstdMessages, 3));
    assert_eq!(outcome.damages, []);
}

#[test]
fn lines_may_be_blank_or_end_in_any_way() {
    let outcome = read(b"\n {} \r\n\n{\"resource_metrics\":[]}\r\n\t\n{}");
    assert_eq!(outcome.arrivals.len(), 3);
    assert_eq!(outcome.damages, []);
}
