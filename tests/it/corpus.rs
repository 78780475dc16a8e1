//! The generator of the benches makes what it says: valid OTLP, the same in both encodings, the same on every run.

#[path = "../../benches/corpus/mod.rs"]
mod generator;

use generator::{Corpus, Form, Shape};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
use prost::Message;

const SHAPE: Shape = Shape { entities: 40, interval_s: 60, points_per_request: 200 };

fn bodies(form: Form, steps: usize) -> Vec<(u64, Vec<u8>, usize)> {
    let mut corpus = Corpus::new(SHAPE);
    let mut out = Vec::new();
    for _ in 0..steps {
        corpus.step(form, |request| out.push((request.at, request.body.to_vec(), request.points)));
    }
    out
}

#[test]
fn protobuf_and_json_say_the_same() {
    let (protobuf, json) = (bodies(Form::Protobuf, 3), bodies(Form::Json, 3));
    assert_eq!(protobuf.len(), json.len());
    for ((at, bytes, points), (json_at, text, json_points)) in protobuf.iter().zip(&json) {
        let a = ExportMetricsServiceRequest::decode(bytes.as_slice()).expect("valid protobuf");
        let b: ExportMetricsServiceRequest = serde_json::from_slice(text).expect("valid OTLP/JSON");
        assert!(a == b, "the two encodings differ in the request of {at}");
        assert_eq!((at, points), (json_at, json_points));
        assert!(a.encode_to_vec() == *bytes, "the writer makes the bytes every other encoder makes");
    }
}

#[test]
fn every_step_has_every_series_once_and_time_never_falls() {
    let all = bodies(Form::Protobuf, 3);
    assert!(all.is_sorted_by_key(|(at, _, _)| *at));
    let series = Corpus::new(SHAPE).series();
    assert!((40 * 19..=40 * 27).contains(&series));
    assert_eq!(all.iter().map(|(_, _, points)| points).sum::<usize>(), 3 * series);
    assert!(all == bodies(Form::Protobuf, 3), "the same shape gives the same bytes");
}

#[test]
fn an_export_has_one_time_that_lies_before_its_arrival_and_start_times_of_its_own() {
    for (at, bytes, _) in bodies(Form::Protobuf, 2) {
        let request = ExportMetricsServiceRequest::decode(bytes.as_slice()).expect("valid protobuf");
        for resource in request.resource_metrics {
            let (mut times, mut starts) = (Vec::new(), Vec::new());
            for metric in &resource.scope_metrics[0].metrics {
                let points = match metric.data.as_ref().expect("data") {
                    Data::Gauge(gauge) => &gauge.data_points,
                    Data::Sum(sum) => &sum.data_points,
                    other => panic!("not sent by this client: {other:?}"),
                };
                for point in points {
                    times.push(point.time_unix_nano);
                    starts.push(point.start_time_unix_nano);
                    if let Some(Value::AsDouble(v)) = point.value {
                        assert!(v.is_finite());
                    }
                }
            }
            times.dedup();
            assert_eq!(times.len(), 1);
            assert!(times[0] < at + 1_000_000_000);
            starts.sort_unstable();
            starts.dedup();
            assert!(starts.len() > 10);
        }
    }
}
